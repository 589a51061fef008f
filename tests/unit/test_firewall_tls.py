"""Certificates and keys made by openssl, read by the fact's own command, judged by the rule."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from llamarig.settings import Settings
from llamarig.tasks.facts.tls import Tls, TlsState
from llamarig.tasks.facts.workstation import RootSections, arguments
from llamarig.tasks.findings import reach, rules, tls

if TYPE_CHECKING:
    from llamarig.tasks.facts.workstation import Workstation

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
FILES = {"cert": "/etc/ssl/own.pem", "key": "/etc/ssl/own.key"}
DAY = 86400.0


@dataclass(frozen=True)
class Seen:
    """The part of a Workstation that the rule looks at."""

    tls: TlsState | None


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pair (cert.pem, key.pem) for 90 days, and other.key of another."""
    folder = tmp_path_factory.mktemp("tls")
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=gpu01", "-days", "90"]
    openssl(*request, "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem")
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-out", f"{folder}/other.key")  # fmt: skip
    openssl("pkey", "-in", f"{folder}/key.pem", "-aes256", "-passout", "pass:x",
            "-out", f"{folder}/locked.key")  # fmt: skip
    openssl("x509", "-in", f"{folder}/cert.pem", "-outform", "DER", "-out", f"{folder}/cert.der")
    (folder / "a folder").mkdir()
    (folder / "text").write_text("notAfter=never\n$(touch hacked)\n")
    return folder


def read(cert: Path, key: Path, path: str = "/usr/bin:/bin:/usr/sbin:/sbin") -> TlsState:
    command = Tls().command(files={"cert": str(cert), "key": str(key)})
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True,
        env={"PATH": path},
    )  # fmt: skip
    secret = key.read_text() if key.is_file() else ""
    assert not any(line and line in done.stdout for line in secret.splitlines())
    assert "PRIVATE" not in done.stdout
    found = Tls().process(done.stdout.splitlines())
    assert found is not None
    return found


def said(found: TlsState | None) -> list[str]:
    settings = Settings(tls=FILES)
    findings = tls.files(cast("Workstation", Seen(found)), settings)
    return [f"{each.level} {each.line()}" for each in findings]


def test_a_pair(pair: Path) -> None:
    found = read(pair / "cert.pem", pair / "key.pem")
    assert abs(found.now - time.time()) < 60
    assert abs((found.ends or 0) - found.now - 90 * DAY) < 60
    (line,) = said(found)
    day = time.strftime("%Y-%m-%d", time.gmtime(found.ends))
    assert line == f"ok tls: /etc/ssl/own.pem and its key, valid until {day}"


@pytest.mark.parametrize(
    ("cert", "key", "lines"),
    [
        ("none", "key.pem", ["/etc/ssl/own.pem is no file of this host"]),
        (
            "a folder",
            "none",
            ["/etc/ssl/own.pem is no file of this host", "/etc/ssl/own.key is no file"],
        ),
        ("text", "key.pem", ["/etc/ssl/own.pem is no certificate in PEM"]),
        ("cert.der", "key.pem", ["/etc/ssl/own.pem is no certificate in PEM"]),
        ("cert.pem", "text", ["/etc/ssl/own.key is no private key in PEM"]),
        ("cert.pem", "cert.pem", ["/etc/ssl/own.key is no private key in PEM"]),
        ("key.pem", "text", ["is no certificate in PEM", "is no private key in PEM"]),
        ("cert.pem", "locked.key", ["/etc/ssl/own.key asks for a passphrase"]),
        ("cert.pem", "other.key", ["the key /etc/ssl/own.key does not belong to the certificate"]),
    ],
)
def test_what_is_no_pair_is_a_blocker(pair: Path, cert: str, key: str, lines: list[str]) -> None:
    found = said(read(pair / cert, pair / key))
    assert len(found) == len(lines)
    for line, part in zip(found, lines, strict=True):
        assert line.startswith("blocker tls: ")
        assert part in line
        assert "; " in line, "what to do"


def test_without_openssl_nothing_is_claimed(pair: Path, tmp_path: Path) -> None:
    for name in ("sh", "date", "timeout", "grep"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    found = read(pair / "cert.pem", pair / "other.key", path=str(tmp_path))
    (line,) = said(found)
    assert line.startswith("warning tls: nothing on the host can read certificates")
    (line,) = said(read(pair / "none", pair / "key.pem", path=str(tmp_path)))
    assert line.startswith("blocker")


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [
        (-90, 0, "blocker tls: /etc/ssl/own.pem expired on 2030-01-01; renew it"),
        (-1, 1, "warning tls: /etc/ssl/own.pem expires on 2030-01-02; renew it, then llamarig up"),
        (-1, 13.9, "warning"),
        (-1, 14.1, "ok"),
        (
            1,
            90,
            "blocker tls: /etc/ssl/own.pem is valid from 2030-01-02 on, and the host's clock says "
            "2030-01-01; timedatectl shows whether the clock is right",
        ),
    ],
)
def test_the_time_that_is_left(begins: float, ends: float, words: str) -> None:
    now = 1893456000.0  # 2030-01-01
    state = TlsState(True, True, True, now + begins * DAY, now + ends * DAY, True, False, True, now)
    (line,) = said(state)
    assert line.startswith(words)
    assert said(replace(state, match=False))[0].startswith("blocker tls: the key")


def test_nothing_was_asked() -> None:
    assert Tls().command() == "true"
    assert Tls().process([]) is None
    assert said(None) == []


def test_doctor_asks_about_the_files_of_the_settings() -> None:
    for tls_files in (FILES, None):
        asked = arguments(Settings(tls=tls_files))
        assert (FILES["key"] in str(RootSections().command(arguments=asked))) is bool(tls_files)
    assert set(tls.RULES) < set(rules.RULES)
    assert set(reach.RULES) < set(rules.RULES)
