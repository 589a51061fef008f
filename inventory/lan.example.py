# Machines of a LAN over SSH. Copy it to lan.py and change it; then
#   llamarig trust inventory/lan.py     the hosts' keys, the login and sudo
#   llamarig up inventory/lan.py
#
# A list at the top level is a group of hosts, named as the list: group_data/rtx4090.py holds for
# `rtx4090`. So a helper's name begins with _ or it becomes a group too.

from pathlib import Path

# Only hosts whose keys `llamarig trust` has shown and you have taken are spoken to.
_ssh = {
    "ssh_user": "ops",  # who logs in; needs sudo
    # "ssh_port": 22,
    # "ssh_key": "~/.ssh/id_ed25519",  # else the agent's keys and the usual files
    "ssh_known_hosts_file": str(Path(__file__).resolve().parent / "known_hosts"),
    "ssh_strict_host_key_checking": "yes",
}

# (name, what is known of this host alone); any setting may stand there and beats group_data.
rtx4090 = [
    ("gpu01", {**_ssh, "ssh_hostname": "192.168.1.11"}),
    ("gpu02", {**_ssh, "ssh_hostname": "192.168.1.12", "port": 8081}),
]

# (hosts, data of the group):
# cpu = ([("box01", {**_ssh, "ssh_hostname": "192.168.1.21"})], {"site_note": "a rehearsal"})
