# usage: FOLDER URL TAG COMMIT: the tree of a tag, which must be the commit that was pinned.
if [ -e "$1/.verified-$4" ]; then exit 0; fi
rm -rf "$1" "$1.partial"
mkdir -p "$(dirname "$1")"
git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$3" "$2" "$1.partial"
found=$(git -C "$1.partial" rev-parse HEAD)
if [ "$found" != "$4" ]; then
    echo "llamarig: llama_cpp_commit: $3 at $2 is $found, expected $4"
    exit 1
fi
mv -T "$1.partial" "$1"
touch "$1/.verified-$4"
