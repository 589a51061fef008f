# usage: BUILD-TREE RELEASE ID NUMBER: copy what runs, see that it runs, then give it its name.
rm -rf "$2.partial"
mkdir -p "$2.partial/bin"
cp -P "$1"/bin/llama-server "$1"/bin/llama-bench "$1"/bin/llama-cli "$1"/bin/lib*.so* "$2.partial/bin/"
version=$(timeout 30 "$2.partial/bin/llama-server" --version </dev/null 2>&1 | head -c 4096)
case $version in
*"version: $4 "* | *"(build $4,"*) ;;
*)
    echo "llamarig: the new llama-server does not say it is version $4: $version" | tr '\n' ' '
    exit 1
    ;;
esac
timeout 30 "$2.partial/bin/llama-server" --help </dev/null 2>/dev/null | head -c 1000000 >"$2.partial/help.txt"
python3 - "$2.partial/release.json" "$3" "$4" "$version" <<'END'
import json, sys
path, build_id, number, version = sys.argv[1:]
lines = [line for line in version.splitlines() if line.startswith(("version:", "built"))]
with open(path, "w") as file:
    json.dump({"id": build_id, "build_number": int(number), "version": lines}, file, indent=2)
END
chmod -R a+rX,go-w "$2.partial"
sync -f "$2.partial"
rm -rf "$2"
mv -T "$2.partial" "$2"
