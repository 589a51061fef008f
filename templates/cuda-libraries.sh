# usage: PARTIAL FOLDER: make NVIDIA's wheels of shared libraries the folder that a release names.
chmod -R a+rX,go-w "$1"
sync -f "$1"
rm -rf "$2"
mv -T "$1" "$2"
