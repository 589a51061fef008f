# usage: URL SHA256 FILE: NVIDIA's keyring package, installed only if it is the one that was pinned.
mkdir -p "$(dirname "$3")"
rm -f "$3"
if ! curl -fsSL --proto '=https' --max-time 120 -o "$3" "$1"; then
    echo "llamarig: cuda_source: the host can't fetch $1; set cuda_source to \"pypi\""
    exit 1
fi
found=$(sha256sum "$3" | cut -d ' ' -f 1)
if [ "$found" != "$2" ]; then
    rm -f "$3"
    echo "llamarig: cuda_keyring_sha256: $1 has $found, expected $2"
    exit 1
fi
# apt and not dpkg, since it waits where unattended-upgrades holds the lock.
DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install "$3"
rm -f "$3"
