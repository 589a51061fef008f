# usage: runs RELEASE NUMBER CUDA-HOME: see that its llama-server starts and says that it is that
# build. CUDA-HOME is empty where CUDA is not used. Goes before the scripts that use it.
runs() {
    if [ -n "$3" ] && ! ldconfig -p | grep -q 'libcuda\.so\.1 '; then
        # No driver, as where the card is still to come: with the toolkit's stub the program can at
        # least start and say who it is.
        mkdir -p "$1/stub"
        for folder in "$3/lib64/stubs" "$3/lib/stubs" /usr/lib/x86_64-linux-gnu/stubs; do
            if [ -e "$folder/libcuda.so" ]; then
                ln -sfn "$folder/libcuda.so" "$1/stub/libcuda.so.1"
                break
            fi
        done
        export LD_LIBRARY_PATH="$1/stub"
    fi
    version=$(timeout 30 "$1/bin/llama-server" --version </dev/null 2>&1 | head -c 4096)
    case $version in
    *"version: $2 "* | *"(build $2,"*) ;;
    *)
        echo "llamarig: the new llama-server does not say it is version $2: $version" | tr '\n' ' '
        exit 1
        ;;
    esac
}
