# usage: ARCHIVE SHA256 RELEASE NUMBER CUDA-HOME: a release that another host gave: judge its bytes,
# see that it runs here, then give it its name.
if ! printf '%s  %s\n' "$2" "$1" | sha256sum --check --status -; then
    echo "llamarig: $1 does not have sha256 $2"
    exit 1
fi
rm -rf "$3.partial"
mkdir -p "$3.partial"
tar -xf "$1" --no-same-owner -C "$3.partial"
if ! grep -q "^  \"id\": \"${3##*/}\",\$" "$3.partial/release.json"; then
    echo "llamarig: $1 is another release than ${3##*/}"
    exit 1
fi
runs "$3.partial" "$4" "$5"
rm -rf "$3.partial/stub"
printf '%s\n' "$2" >"$3.partial/release.sha256"
chmod -R a+rX,go-w "$3.partial"
sync -f "$3.partial"
rm -rf "$3"
mv -T "$3.partial" "$3"
