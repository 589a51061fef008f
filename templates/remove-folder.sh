# usage: FOLDER: remove it, but for what is mounted in it and the folders that lead there. A bind
# mount may be of the same disk, so that rm and find can't tell it.
folder=$1
mounts=$(awk -v at="$folder" '$5 == at || index($5, at "/") == 1 { print $5 }' /proc/self/mountinfo)
if [ -z "$mounts" ]; then exec rm -rf --one-file-system -- "$folder"; fi
shift
IFS='
'
for mount in $mounts; do set -- "$@" -path "$(printf '%b' "$mount")" -prune -o; done
find "$folder" "$@" ! -type d -exec rm -f -- {} +
find "$folder" "$@" -type d -print | sort -r | while IFS= read -r each; do
    rmdir -- "$each" 2>/dev/null
done
true
