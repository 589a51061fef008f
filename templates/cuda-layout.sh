# usage: PARTIAL VERSION SYMBOLS: make NVIDIA's wheels the toolkit that cmake looks for.
home=$1/nvidia/cu${2%%.*}
[ -e "$home/lib64" ] || ln -s lib "$home/lib64"
for file in "$home"/lib/lib*.so.*; do
    link=${file%%.so.*}.so
    [ -e "$link" ] || ln -s "${file##*/}" "$link"
done
# The driver's library comes with the driver; to link against it, its names are enough. Called by
# mistake, it answers 34, CUDA_ERROR_STUB_LIBRARY.
mkdir -p "$home/lib/stubs"
for symbol in $3; do echo "int $symbol(void) { return 34; }"; done |
    /usr/bin/gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$home/lib/stubs/libcuda.so" -x c -
ln -sf libcuda.so "$home/lib/stubs/libcuda.so.1"
said=$(timeout 30 "$home/bin/nvcc" --version </dev/null 2>&1 | head -c 4096)
case $said in
*"release $2,"*) ;;
*)
    echo "llamarig: cuda_source: the wheels' nvcc does not say it is $2: $said" | tr '\n' ' '
    exit 1
    ;;
esac
