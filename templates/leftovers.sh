# usage: ROOT LIVE-UNIT FOLDERS HOMES PATHS: everything of llamarig's on a host, a line each: kind,
# name, what is to be said of it or its size in KiB. FOLDERS: llamarig's own; HOMES: values of
# hf_home; PATHS: model files. Each of these is a list of lines.
units=/etc/systemd/system
tell() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }
sized() { if [ -e "$2" ]; then tell "$1" "$2" "$(du -skx -- "$2" 2>/dev/null | cut -f 1)"; fi; }
active() { systemctl show "$1" -p ActiveState --value 2>/dev/null; }

systemctl list-units --plain --no-legend --state=active,activating,deactivating,reloading \
    'llamarig-*' 2>/dev/null | while read -r unit _ _ state _; do
    # Those with a file below /etc are told with it.
    if [ ! -e "$units/$unit" ]; then tell job "$unit" "$state"; fi
done
for file in /run/systemd/system/llamarig-*; do
    if [ -f "$file" ]; then tell runtime "$file" ""; fi
done

# A unit of this name may be the owner's own.
target=$(readlink "$units/$2" 2>/dev/null)
case "$target $(systemctl show "$2" -p ExecStart --value 2>/dev/null)" in
*"$1"/*) tell service "$2" "$(active "$2")" ;;
esac
case "$target" in "$1"/*) tell link "$units/$2" "" ;; esac
wants=$units/multi-user.target.wants/$2
if [ -L "$wants" ] && { [ -n "$target" ] || [ ! -e "$units/$2" ]; }; then
    case "$target" in "$1"/* | "") tell link "$wants" "" ;; esac
fi
for file in "$units"/llamarig-*; do
    if [ -d "$file" ]; then
        tell foreign "$file" "settings that somebody added to a unit"
    elif [ -e "$file" ] || [ -L "$file" ]; then
        tell unit "$file" "$(active "${file##*/}")"
    fi
done
find "$units" -mindepth 2 -type l -name 'llamarig-*' 2>/dev/null |
    while read -r file; do tell link "$file" ""; done
if [ -d "$units/$2.d" ]; then
    tell foreign "$units/$2.d" "settings that somebody added to the unit"
fi

# What the check wrote for node_exporter, whose folder is not llamarig's.
read -r metrics 2>/dev/null </etc/llamarig/check-metrics
if [ -e "${metrics:-/none}" ]; then tell metrics "$metrics" ""; fi

for file in /etc/apt/sources.list.d/llamarig-* /etc/apt/preferences.d/llamarig-* \
    /etc/apt/apt.conf.d/*llamarig*; do
    if [ -e "$file" ]; then tell apt "$file" ""; fi
done

mounts() { awk -v at="$1" '$5 == at || index($5, at "/") == 1 { print $5 }' /proc/self/mountinfo; }
printf '%s\n' "$3" | while read -r folder; do
    inside=$(mounts "$folder")
    if [ -L "$folder" ]; then
        # The link is llamarig's place; what its owner put behind it is not.
        tell folder "$folder" ""
        tell foreign "$(readlink -f "$folder")" "$folder leads there"
    elif [ -z "$inside" ]; then
        sized folder "$folder"
    else
        # What is mounted is the owner's, and is not entered.
        set --
        while read -r mount; do
            tell foreign "$mount" "mounted there"
            set -- "$@" -path "$(printf '%b' "$mount")" -prune -o
        done <<END
$inside
END
        if [ -n "$(find "$folder" "$@" ! -type d -print -quit)" ]; then sized folder "$folder"; fi
    fi
done
printf '%s\n' "$4" | sort -u | while read -r home; do
    if [ -n "$home" ]; then sized partial "$home/llamarig"; fi
done
printf '%s\n' "$5" | while read -r path; do
    if [ -n "$path" ]; then sized model "$path"; fi
done
