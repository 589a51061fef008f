# usage: NVCC G++ ARCHITECTURE VERSION STAMP: compile a file; the stamp says that it was done.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
said=$(timeout 30 "$1" --version </dev/null 2>&1 | head -c 4096)
case $said in
*"release $4,"*) ;;
*)
    echo "llamarig: cuda_source: $1 does not say it is $4: $said" | tr '\n' ' '
    exit 1
    ;;
esac
# cmath is where CUDA's headers and glibc's clash.
cat >"$work/check.cu" <<'END'
#include <cmath>
#include <cublas_v2.h>
__global__ void root(float *x) { x[threadIdx.x] = sqrtf(x[threadIdx.x]); }
int main() { root<<<1, 32>>>(nullptr); return cudaGetLastError() == cudaSuccess ? 0 : 1; }
END
if ! timeout 240 "$1" -ccbin "$2" -arch="sm_$3" -c "$work/check.cu" -o "$work/check.o" \
    </dev/null >"$work/log" 2>&1; then
    why=$(grep -i error "$work/log" | head -n 1)
    [ -n "$why" ] || why=$(tail -n 1 "$work/log")
    echo "llamarig: cuda_source: $1 with $2 can't compile for sm_$3: $why" | head -c 1000
    exit 1
fi
mkdir -p "$(dirname "$5")"
echo "$1 $2 sm_$3" >"$5"
