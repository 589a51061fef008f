#!/bin/sh
# Written by llamarig. await-card.sh cuda|vulkan CARDS: return once so many cards can be opened.
#
# llama-server that starts before the driver's nodes are there falls back to the CPU in silence.
# Existing is not enough: /dev/nvidia-uvm is there while its module still loads.
backend=$1 cards=$2

# Only a boot is worth the wait: later, what is not there does not come by itself.
limit=10
case $(systemctl is-system-running 2>/dev/null) in initializing | starting) limit=120 ;; esac

# For reading: a shell that opens for both makes a file where no node is.
opens() { (: <"$1") 2>/dev/null; }

need() { opens "$1" || missing="$missing $1"; }

need_cards() { # need_cards NODE...
    found=0
    for node in "$@"; do
        if opens "$node"; then found=$((found + 1)); fi
    done
    [ "$found" -ge "$cards" ] || missing="$missing $1 ($found of $cards)"
}

make_nodes() { # what udev makes on most hosts and a headless one may lack
    command -v nvidia-modprobe >/dev/null || return 0
    nvidia-modprobe -u 2>/dev/null
    card=0
    while [ "$card" -lt "$cards" ]; do
        nvidia-modprobe -c="$card" 2>/dev/null
        card=$((card + 1))
    done
}

look() {
    missing=
    if [ "$backend" = cuda ]; then
        make_nodes
        need /dev/nvidiactl
        need /dev/nvidia-uvm
        need_cards /dev/nvidia[0-9]*
    else
        need_cards /dev/dri/renderD*
    fi
}

waited=0
look
while [ -n "$missing" ] && [ "$waited" -lt "$limit" ]; do
    sleep 1
    waited=$((waited + 1))
    look
done
[ -z "$missing" ] && exit 0
echo "no card: after $waited s can't open$missing" >&2
exit 1
