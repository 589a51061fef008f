# usage: BUILD-TREE RELEASE NUMBER CUDA-HOME PROGRAM CONFIG WEB-UI: copy what runs, see that it
# runs, record what it is, then give it its name. CUDA-HOME is empty where CUDA is not used, WEB-UI
# where the server has no page.
rm -rf "$2.partial"
mkdir -p "$2.partial/bin"
for program in llama-server llama-bench llama-cli llama-fit-params; do
    cp "$1/bin/$program" "$2.partial/bin/"
done
cp -P "$1"/bin/lib*.so* "$2.partial/bin/"
if [ -n "$4" ] && ! ldconfig -p | grep -q 'libcuda\.so\.1 '; then
    # No driver, as where the card is still to come: with the toolkit's stub the program can at
    # least start and say who it is.
    mkdir -p "$1/stub"
    for folder in "$4/lib64/stubs" "$4/lib/stubs" /usr/lib/x86_64-linux-gnu/stubs; do
        if [ -e "$folder/libcuda.so" ]; then
            ln -sfn "$folder/libcuda.so" "$1/stub/libcuda.so.1"
            break
        fi
    done
    export LD_LIBRARY_PATH="$1/stub"
fi
version=$(timeout 30 "$2.partial/bin/llama-server" --version </dev/null 2>&1 | head -c 4096)
case $version in
*"version: $3 "* | *"(build $3,"*) ;;
*)
    echo "llamarig: the new llama-server does not say it is version $3: $version" | tr '\n' ' '
    exit 1
    ;;
esac
# A name of one of the page's files, which the server has only together with the page.
if [ -n "$7" ] && ! cat "$2.partial/bin/"* | grep -qaF manifest.webmanifest; then
    echo "llamarig: web_ui: the new llama-server does not hold the page (web_ui is $7)"
    exit 1
fi
printf '%s\n' "$version" >"$2.partial/version.txt"
timeout 30 "$2.partial/bin/llama-server" --help </dev/null 2>/dev/null | head -c 1000000 >"$2.partial/help.txt"
unset LD_LIBRARY_PATH
/usr/bin/python3 "$5" release "$6" "$1" "$2.partial"
chmod -R a+rX,go-w "$2.partial"
sync -f "$2.partial"
rm -rf "$2"
mv -T "$2.partial" "$2"
