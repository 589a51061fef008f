# usage: BUILD-TREE RELEASE NUMBER CUDA-HOME PROGRAM CONFIG WEB-UI PACK: copy what runs, see that it
# runs (release-version.sh), record what it is, then give it its name. CUDA-HOME is empty where CUDA
# is not used, WEB-UI where the server has no page. PACK: tar and its options.
rm -rf "$2.partial"
mkdir -p "$2.partial/bin"
for program in llama-server llama-bench llama-cli llama-fit-params; do
    cp "$1/bin/$program" "$2.partial/bin/"
done
cp -P "$1"/bin/lib*.so* "$2.partial/bin/"
runs "$2.partial" "$3" "$4"
# A name of one of the page's files, which the server has only together with the page.
if [ -n "$7" ] && ! cat "$2.partial/bin/"* | grep -qaF manifest.webmanifest; then
    echo "llamarig: web_ui: the new llama-server does not hold the page (web_ui is $7)"
    exit 1
fi
printf '%s\n' "$version" >"$2.partial/version.txt"
timeout 30 "$2.partial/bin/llama-server" --help </dev/null 2>/dev/null | head -c 1000000 >"$2.partial/help.txt"
unset LD_LIBRARY_PATH
rm -rf "$2.partial/stub"
/usr/bin/python3 "$5" release "$6" "$1" "$2.partial"
chmod -R a+rX,go-w "$2.partial"
# By which other hosts know the bytes, and this one later that they are still the same.
$8 -C "$2.partial" -cf - . | sha256sum | cut -d' ' -f1 >"$2.partial/release.sha256"
sync -f "$2.partial"
rm -rf "$2"
mv -T "$2.partial" "$2"
