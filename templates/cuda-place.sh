# usage: PARTIAL FOLDER: NVIDIA's wheels, all that belongs to them there, get their name.
chmod -R a+rX,go-w "$1"
sync -f "$1"
# What serves may be linked with it: it is away for no longer than two renames take.
rm -rf "$2.old"
[ ! -e "$2" ] || mv -T "$2" "$2.old"
mv -T "$1" "$2"
rm -rf "$2.old"
