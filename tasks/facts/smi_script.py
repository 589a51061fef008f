"""What nvidia-smi is asked, in sections that its output is told apart by."""

from __future__ import annotations

CARD_FIELDS = (
    "index,uuid,pci.bus_id,name,driver_version,memory.total,memory.free,persistence_mode,"
    "power.limit,power.default_limit,ecc.mode.current,temperature.gpu,pcie.link.width.current,"
    "pcie.link.width.max"
)
# One unknown field fails a whole query, so those that some drivers lack are asked apart:
# compute_cap is missing before about 510, clocks_event_reasons had another name before 535.
# A driver that hangs costs one timeout: nothing more is asked after a failure.
SCRIPT = r"""
command -v nvidia-smi >/dev/null || { echo '== absent'; exit 0; }
ask() {
    echo "== $1"; shift
    { timeout -k 5 20 nvidia-smi "$@" </dev/null 2>&1; echo "exit $?"; } | head -c 16384
}
query() { ask "$1" "--query-gpu=$2" --format=csv,noheader,nounits; }
cards=$(query cards FIELDS); printf '%s\n' "$cards"
case "$cards" in *"exit 0") ;; *) exit 0 ;; esac
query capability uuid,compute_cap
query limits uuid,power.min_limit,power.max_limit
reasons=$(query throttle uuid,clocks_event_reasons.active)
case "$reasons" in *"exit 0") ;; *)
    reasons=$(query throttle uuid,clocks_throttle_reasons.active) ;; esac
printf '%s\n' "$reasons"
apps=$(ask compute --query-compute-apps=gpu_uuid,pid,used_memory,process_name \
    --format=csv,noheader,nounits); printf '%s\n' "$apps"
ask pmon pmon -c 1 -s m
pids=$(printf '%s\n' "$apps" | sed -n 's/^GPU-[^,]*, *\([0-9]*\),.*/\1/p')
echo '== owners'
for pid in $pids; do
    owner=$(stat -c %U "/proc/$pid" 2>/dev/null) || continue
    group=$(sed -n 's/^0:://p; s/^[0-9]*:name=systemd://p' "/proc/$pid/cgroup" 2>/dev/null |
        head -n 1)
    echo "$pid $owner $group"
done
echo '== units'
for pid in $pids; do
    sed -n "s|.*/system.slice/\([^/]*\.service\).*|$pid \1|p" "/proc/$pid/cgroup" 2>/dev/null |
        head -n 1
done; true
""".replace("FIELDS", CARD_FIELDS)
