"""Where things live on a host. One place, so that no two modules disagree."""

from __future__ import annotations

ROOT = "/opt/llamarig"
LIB = f"{ROOT}/lib"
HF_VENV = f"{ROOT}/hf"
CUDA = f"{ROOT}/cuda"
RELEASES = f"{ROOT}/releases"
GENERATIONS = f"{ROOT}/generations"
CURRENT = f"{ROOT}/current"
# What `current` named before the last switch, for `rollback`.
PREVIOUS = f"{ROOT}/previous"

CONFIG = "/etc/llamarig"
API_KEY = f"{CONFIG}/api-key"
# As the live unit has it from systemd.
KEY_CREDENTIAL = "key"

STATE = "/var/lib/llamarig"
JOBS = f"{STATE}/jobs"
BUILD = f"{STATE}/build"
MODELS = f"{STATE}/models"
# A switch that is under way; what a power cut leaves of it is settled by the next run.
TRANSACTION = f"{STATE}/transaction.json"
HISTORY = f"{STATE}/history.jsonl"
# What was measured, a line each: proofs, checks, benches, tunings.
MEASUREMENTS = f"{STATE}/measurements.jsonl"
STAGING = f"{STATE}/staging"
# What was made outside of these folders, a name a line, for `down --purge`: packages of apt, users
# and groups, folders.
PACKAGES = f"{STATE}/packages"
ACCOUNTS = f"{STATE}/accounts"
FOLDERS = f"{STATE}/folders"
CACHE = "/var/cache/llamarig"
CCACHE = f"{CACHE}/ccache"

LOCK = "/run/lock/llamarig.lock"
LIVE_UNIT = "llama-server.service"
UNIT_LINK = f"/etc/systemd/system/{LIVE_UNIT}"
WANTS_LINK = f"/etc/systemd/system/multi-user.target.wants/{LIVE_UNIT}"
