# usage: FOLDER URL TAG COMMIT: the tree of a tag, which must be the commit that was pinned.
for_people() {
    # Whoever rebuilds here by hand is not stopped by an asdf or mise shim called cmake.
    if [ ! -e "$1/.tool-versions" ]; then echo "cmake system" >"$1/.tool-versions"; fi
    mkdir -p "$1/.git/info"
    printf '/.tool-versions\n/.verified-*\n' >"$1/.git/info/exclude"
}
if [ -e "$1/.verified-$4" ]; then
    # The tree stays on the host after a build; what somebody changed in it is not what was pinned.
    for_people "$1"
    if [ "$(git -C "$1" rev-parse HEAD)" = "$4" ] && [ -z "$(git -C "$1" status --porcelain)" ]; then
        exit 0
    fi
    echo "llamarig: llama_cpp_commit: $1 was changed by hand; move it away and run this again"
    exit 1
fi
rm -rf "$1" "$1.partial"
mkdir -p "$(dirname "$1")"
git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$3" "$2" "$1.partial"
found=$(git -C "$1.partial" rev-parse HEAD)
if [ "$found" != "$4" ]; then
    echo "llamarig: llama_cpp_commit: $3 at $2 is $found, expected $4"
    exit 1
fi
for_people "$1.partial"
mv -T "$1.partial" "$1"
touch "$1/.verified-$4"
