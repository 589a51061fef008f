from __future__ import annotations

import pytest
from pydantic import ValidationError

from llamarig.faults import Fault
from llamarig.host_data import read
from llamarig.rules import OWNED_FLAGS
from llamarig.settings import Settings
from llamarig.values import allowed

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA256 = "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"


def lines(**data: object) -> list[str]:
    """The faults of one host with this data."""
    return [fault.line() for fault in read({"gpu01": data})[1]]


def test_the_defaults_are_sound_and_are_the_walkthroughs() -> None:
    settings, faults = read({"gpu01": {}})
    assert faults == []
    assert settings == {"gpu01": Settings()}
    assert settings["gpu01"].context == 8192
    assert settings["gpu01"].draft_n_max == 3
    assert settings["gpu01"].min_speedup == 1.7


def test_defaults_keep_their_own_limits() -> None:
    data = Settings().model_dump()
    assert read({"gpu01": data})[1] == []


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("port", 99999, "found 99999, allowed: a whole number from 1024 to 65535"),
        ("port", 0, "found 0, allowed: a whole number from 1024 to 65535"),
        ("port", "8080", "found '8080', allowed: a whole number from 1024 to 65535"),
        ("port", True, "found True, allowed: a whole number from 1024 to 65535"),
        ("port", 8080.0, "found 8080.0, allowed: a whole number from 1024 to 65535"),
        ("port", None, "found None, allowed: a whole number from 1024 to 65535"),
        ("threads", 0, "found 0, allowed: a whole number from 1 to 1024 or None"),
        ("parallel", 0, "found 0, allowed: a whole number, at least 1"),
        ("context", 255, "found 255, allowed: a whole number from 256 to 49152"),
        ("jinja", "yes", "found 'yes', allowed: True or False"),
        ("jinja", 1, "found 1, allowed: True or False"),
        ("backend", "rocm", 'found \'rocm\', allowed: "cuda", "vulkan" or "cpu"'),
        ("min_speedup", 1, "found 1, allowed: a number above 1 and at most 10"),
        ("temperature", float("nan"), "found nan, allowed: a number from 0 to 5"),
        ("top_p", float("inf"), "found inf, allowed: a number from 0 to 1"),
        ("top_p", True, "found True, allowed: a number from 0 to 1"),
    ],
)
def test_a_value_outside_its_type_or_limits(key: str, value: object, line: str) -> None:
    assert lines(**{key: value}) == [f"gpu01: {key}: {line}"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_free_gib", 3),
        ("temperature", 0),
        ("gpu", 1),
        ("gpu", "GPU-0a1b2c3d-0000-1111-2222-0123456789ab"),
        ("bind", "::1"),
        ("bind", "127.0.0.1"),
        ("bind", "localhost"),
        ("api_key", "none"),
        ("allow_from", ["192.168.1.0/24", "10.0.0.7", "fd00::/64"]),
        ("hf_home", "/srv/models.d/hf_1"),
        ("hf_endpoint", "http://10.77.0.1:8000"),
        ("llama_cpp_url", "git://10.77.0.1:9418/llama.cpp"),
        ("llama_cpp_url", "ssh://git@host/llama.cpp"),
        ("llama_cpp_commit", COMMIT),
        ("model_file", "Q4/model-Q4_K_M.gguf"),
        ("model_revision", "main"),
        ("model_revision", COMMIT),
        ("model_sha256", SHA256),
        ("sudo_password_file", "~/.config/llamarig/sudo"),
        ("extra_args", ["--verbose-prompt", "-b", "1024", "--temp-like"]),
        ("extra_args", []),
        ("service_user", "_llama-1"),
        ("flash_attention", "auto"),
    ],
)
def test_values_that_are_taken(key: str, value: object) -> None:
    settings, faults = read({"gpu01": {key: value}})
    assert faults == []
    assert getattr(settings["gpu01"], key) == value


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("gpu", [-1, 64, "0", "GPU-1", True]),
        ("bind", ["wan", "0.0.0.0:80", "1.2.3", "fe80::1%eth0"]),
        ("bind", ["224.0.0.1", "255.255.255.255", "240.0.0.1", "0.0.0.1", "ff02::1"]),
        ("hf_home", ["data", "/data/", "/data/../etc", "/data//x", "/", "~/x", "/a b", "/tmp/x"]),
        ("hf_home", ["/run/x", "/x/%h", "/x/$HOME", "/x\n", ""]),
        ("cuda_home", ["usr/local/cuda", "/usr/./local"]),
        ("hf_endpoint", ["hub.lan", "ftp://hub.lan", "http://", "http://h:99999", "http://a b"]),
        ("llama_cpp_url", ["-oProxyCommand=x", "file:///x", "git@host:x", "https://h/x;`id`"]),
        ("llama_cpp_tag", ["-b11434", "b11434 ", "a..b", ""]),
        ("llama_cpp_commit", ["b11434", COMMIT[:-1], COMMIT.upper()]),
        ("model_sha256", [SHA256[:-1], SHA256.upper(), SHA256 + "\n"]),
        ("model_repo", ["model", "a/b/c", "a/", "../b", "https://x/y"]),
        ("model_file", ["model.bin", "/m.gguf", "../m.gguf", "a/../m.gguf", ".gguf", "m.GGUF"]),
        ("model_file", ["m-00001-of-00003.gguf"]),
        ("sudo_password_file", ["secret", "./x"]),
        ("service_user", ["root", "Llama", "a b", "1a", ""]),
        ("cache_type_k", ["q8", "F16"]),
        ("extra_args", ["--metrics", {"--metrics": 1}]),
        ("draft_n_max", [0, 17]),
        ("lock_lease_seconds", [19, 601]),
        ("allow_from", [["192.168.1.1/24"], ["224.0.0.0/4"], ["any"], "10.0.0.0/8", [""]]),
        ("api_key", ["sk-1234567890", None]),
    ],
)
def test_values_that_are_refused(key: str, values: list[object]) -> None:
    for value in values:
        found = lines(**{key: value})
        assert len(found) == 1, value
        assert found[0].startswith(f"gpu01: {key}: found "), value
        assert found[0].endswith(allowed(Settings.model_fields[key])), value
        assert "\n" not in found[0]


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("contxt", "context"),
        ("Port", "port"),
        ("modelfile", "model_file"),
        ("architecture", "cuda_architecture"),
        ("lock_lease_secs", "lock_lease_seconds"),
    ],
)
def test_an_unknown_key_names_the_nearest_known(key: str, near: str) -> None:
    assert lines(**{key: 1}) == [f"gpu01: {key}: unknown key, nearest known: {near}"]


def test_an_unknown_key_like_no_other_and_its_value_unseen() -> None:
    found = lines(zzz="hunter2", my_password="hunter2")
    assert found[0] == "gpu01: zzz: unknown key (a key of your own begins with site_)"
    assert "hunter2" not in " ".join(found)


def test_keys_of_others_are_let_through() -> None:
    assert lines(ssh_user="ops", fake_responses={}, _sudo=True, site_rack=object()) == []


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            {"proof_port": 8080},
            "proof_port: found 8080, allowed: a port other than the server's",
        ),
        (
            {"fan_out_port": 18080},
            "fan_out_port: found 18080, allowed: a port other than proof_port's",
        ),
        (
            {"flash_attention": "off"},
            "cache_type_v: found 'q8_0', allowed: f32, f16 or bf16 while flash_attention is "
            '"off" (llama-server refuses the rest)',
        ),
        (
            {"proof_rounds": 20},
            "proof_max_rounds: found 16, allowed: at least proof_rounds, which is 20",
        ),
        (
            {"context": 256, "proof_tokens": 256},
            "proof_tokens: found 256, allowed: fewer than context, which is 256: the prompt "
            "needs room too",
        ),
        (
            {"llama_cpp_source": "pypi", "llama_cpp_tag": "master", "llama_cpp_sha256": SHA256},
            "llama_cpp_tag: found 'master', allowed: a build such as \"b11434\" while "
            'llama_cpp_source is "pypi"',
        ),
        (
            {"llama_cpp_source": "pypi"},
            "llama_cpp_sha256: found None, allowed: the package's SHA-256 while llama_cpp_source "
            'is "pypi": nothing else pins it',
        ),
        (
            {"llama_cpp_source": "pypi", "llama_cpp_sha256": SHA256, "llama_cpp_commit": COMMIT},
            f"llama_cpp_commit: found '{COMMIT}', allowed: None while llama_cpp_source is "
            '"pypi": llama_cpp_sha256 pins that one',
        ),
        (
            {"llama_cpp_sha256": SHA256},
            f"llama_cpp_sha256: found '{SHA256}', allowed: None while llama_cpp_source is "
            '"git": llama_cpp_commit pins that one',
        ),
        (
            {"model_path": "/data/m.gguf", "model_from": "controller"},
            "model_from: found 'controller', allowed: \"hub\" (then unused) while model_path "
            "names a file that is on the host",
        ),
        (
            {"model_local_file": "/data/m.gguf"},
            "model_local_file: found '/data/m.gguf', allowed: None, or model_from = \"controller\"",
        ),
        (
            {"model_quant": "auto", "model_file": "m.gguf"},
            "model_quant: found 'auto', allowed: None while model_file says which file",
        ),
    ],
)
def test_settings_that_contradict_each_other(data: dict[str, object], line: str) -> None:
    assert lines(**data) == [f"gpu01: {line}"]
    with pytest.raises(ValidationError):
        Settings.model_validate(data)


@pytest.mark.parametrize(
    "data",
    [
        {"flash_attention": "off", "cache_type_v": "f16"},
        {"spec_type": "none", "draft_n_max": 5},
        {"llama_cpp_source": "pypi", "llama_cpp_sha256": SHA256},
        {"context": 1001},
    ],
)
def test_settings_that_agree(data: dict[str, object]) -> None:
    assert lines(**data) == []


def test_all_faults_are_found_at_once_also_those_between_sound_settings() -> None:
    found = lines(contxt=1, jinja="yes", flash_attention="off", port=0, proof_port=0)
    assert [line.split(": ")[1] for line in found] == [
        "contxt",
        "jinja",
        "port",
        "proof_port",
        "cache_type_v",
    ]


def test_a_rule_waits_for_the_values_it_rests_on() -> None:
    assert len(lines(flash_attention="of")) == 1
    assert len(lines(proof_rounds=41, proof_max_rounds=4)) == 1


def test_the_same_fault_on_all_hosts_is_one_line() -> None:
    hosts = {name: {"port": 0} for name in ("gpu01", "gpu02", "gpu03")}
    hosts["gpu02"]["context"] = 1

    settings, faults = read(hosts)

    assert settings == {}
    assert [fault.line() for fault in faults] == [
        "all 3 hosts: port: found 0, allowed: a whole number from 1024 to 65535",
        "gpu02: context: found 1, allowed: a whole number from 256 to 49152",
    ]


def test_a_fault_that_not_all_share_stays_with_its_hosts() -> None:
    settings, faults = read({"gpu01": {"port": 0}, "gpu02": {"port": 1024}, "gpu03": {"port": 0}})
    assert list(settings) == ["gpu02"]
    assert [fault.host for fault in faults] == ["gpu01", "gpu03"]
    alone = read({"gpu01": {"port": 0}})[1]
    assert [fault.host for fault in alone] == ["gpu01"]


@pytest.mark.parametrize(("flag", "setting"), OWNED_FLAGS.items())
def test_a_flag_that_a_setting_owns_is_named_with_the_setting(flag: str, setting: str) -> None:
    assert setting in Settings.model_fields
    expected = [f"gpu01: extra_args: found {flag}, allowed: use the setting {setting} instead"]
    assert lines(extra_args=["-v", flag, "1"]) == expected
    assert lines(extra_args=[f"{flag}=1"]) == expected


def test_every_flag_at_fault_is_named_and_no_secret_is_shown() -> None:
    found = lines(extra_args=["--port", "--api-key=hunter2", "--spec-synth-len", "a\nb", ""])
    assert len(found) == 4  # the two that are no printable text are the same fault
    assert "hunter2" not in " ".join(found)
    assert lines(extra_args="--api-key hunter2") == [
        "gpu01: extra_args: found a value of type str, allowed: a list of text"
    ]


def test_secrets_are_not_shown() -> None:
    found = lines(sudo_password_file="hunter2", hf_endpoint="https://me:hunter2@hub.lan/")
    assert len(found) == 2
    assert "hunter2" not in " ".join(found)


def test_a_long_value_is_cut() -> None:
    (line,) = lines(bind="x" * 5000)
    assert len(line) < 250


def test_settings_are_frozen_and_say_what_each_is() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1
    for key, field in Settings.model_fields.items():
        assert field.description, key
        assert field.description.endswith("."), key
        assert allowed(field), key


def test_a_fault_reads_as_one_line() -> None:
    assert Fault("a", "b", "1", "2").line() == "a: b: found 1, allowed: 2"


@pytest.mark.parametrize(
    ("tls", "keys"),
    [
        ({"cert": "/etc/ssl/a.pem"}, ["tls.key"]),
        ({"cert": "a.pem", "key": "/etc/ssl/a.key"}, ["tls.cert"]),
        ({"cert": "/c", "key": "/k", "ca": "/x"}, ["tls.ca"]),
        ({}, ["tls.cert", "tls.key"]),
        ("/etc/ssl/a.pem", ["tls"]),
    ],
)
def test_tls_names_the_file_that_is_wrong(tls: object, keys: list[str]) -> None:
    found = lines(tls=tls)
    assert [line.split(": ")[1] for line in found] == keys
    assert all("PEM files on the host" in line for line in found)


def test_who_needs_a_key_and_where_it_listens() -> None:
    assert Settings().keyed
    assert Settings().address == "0.0.0.0"
    assert not Settings(bind="localhost").keyed
    assert Settings(bind="localhost").address == "127.0.0.1"
    assert not Settings(api_key="none").keyed
    assert Settings(bind="192.168.1.11").keyed


def test_a_network_is_allowed_to_what_nobody_can_reach() -> None:
    (line,) = lines(bind="localhost", allow_from=["10.0.0.0/8"])
    assert line.startswith("gpu01: allow_from: found ")
