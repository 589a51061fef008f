"""Whatever a group_data file holds, it is settings or lines that name the keys, never a traceback.

10,000 dictionaries, half of their values such as a user might write, the others anything.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamarig import host_data
from llamarig.settings import Settings

# Names that are printable: what else stands in a name is printed as it is.
NAMES = st.text(max_size=8)
ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
        st.binary(max_size=4), st.just(10**400), st.just(5000).map(lambda digits: 10**digits),
        st.just(object()),
        st.just("x" * 5000),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3),
        st.tuples(inner), st.dictionaries(st.integers(), inner, max_size=1),
    ),
    max_leaves=4,
)  # fmt: skip
LIKELY: list[object] = [
    None, True, False, 0, 1, 3, -1, 99, 8080, 18080, 70000, 0.6, 1.7, "8080", "", "none", "auto",
    "cuda", "vulkan", "cpu", "pypi", "git", "hub", "controller", "on", "off", "f16", "q8_0",
    "draft-mtp", "b11434", "/data/hf", "/tmp/x", "/a/../b", "~/file", "/model.gguf", "m-Q4.gguf",
    "owner/name", "lan", "localhost", "192.168.1.9", "::1", "0.1.2.3", "224.0.0.1", "fe80::1%eth0",
    "10.0.0.0/8", ["10.0.0.0/8"], ["::/0", "x"], [], {}, {"cert": "/a/c.pem", "key": "/a/k.pem"},
    {"cert": 3}, {"cert": "/a/c.pem", "key": "/a/k.pem", "more": 1}, ["--metrics"], ["-c", "1"],
    ["--api-key", "x"], ["a\nb"], [""], ["\ud800"], [["x"]], "f" * 64, "f" * 40, "GPU-1", "root",
    "llamarig", "https://hub.example/x", "https://user:word@hub.example", "http://[", "x:y:z",
]  # fmt: skip
VALUES = st.one_of(st.sampled_from(LIKELY), ANYTHING)
KEYS = st.one_of(st.sampled_from([*Settings.model_fields, "ctx", "Port"]), NAMES)
# So that some are right, and rules between settings come to be asked.
RIGHT: list[tuple[str, object]] = [
    *((name, field.default) for name, field in Settings.model_fields.items()),
    ("proof_port", 8080), ("flash_attention", "off"), ("cache_type_v", "f16"),
    ("backend", "vulkan"),
    ("gpu", 1), ("context", 256), ("proof_tokens", 2048), ("bind", "localhost"), ("hf_xet", True),
    ("allow_from", ["10.0.0.0/8"]), ("llama_cpp_source", "pypi"), ("model_quant", "auto"),
    ("model_from", "controller"), ("model_path", "/data/m.gguf"), ("model_sha256", "f" * 64),
]  # fmt: skip
PAIRS = st.one_of(st.sampled_from(RIGHT), st.sampled_from(RIGHT), st.tuples(KEYS, VALUES))


@given(st.lists(PAIRS, max_size=6).map(dict))
@settings(
    max_examples=10_000, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_settings_or_lines_never_a_traceback(data: dict[str, object]) -> None:
    sound, faults = host_data.read({"gpu01": data})
    assert bool(sound) != bool(faults)
    for fault in faults:
        assert {fault.key, fault.key.split(".")[0]} & {*data, *Settings.model_fields}
        line = fault.line()
        assert "\n" not in line, line
        assert line.startswith("gpu01: ")
