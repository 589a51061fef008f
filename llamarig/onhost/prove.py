"""The proof: baseline against MTP on this host, and the switch if it passes.

Two processes of one binary in turn, A B B A, because no request can switch speculation off. The
live server is stopped meanwhile: two models do not fit on one card, and it would disturb.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from llamarig.onhost import arm, proof, residency, switch, systemd, text
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json
from llamarig.onhost.memory import look

ORDER = ("baseline", "mtp", "mtp", "baseline")
VERSION_SECONDS = 30
NOT_PASSED = 3


def _binary(unit_file: str) -> str:
    with open(unit_file, encoding="utf-8") as file:
        for line in file:
            if line.startswith("ExecStart="):
                return line.removeprefix("ExecStart=").split()[0]
    raise Stop(f"{unit_file} has no ExecStart")


def version(config: dict[str, Any]) -> str:
    """What the binary says it is.

    Raises:
        Stop: it does not run, or is not the build that was asked for.
    """
    binary = _binary(config["arms"]["mtp"])
    try:
        done = subprocess.run(
            [binary, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=VERSION_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Stop(f"{binary} --version: {error}") from None
    printed = (done.stdout + done.stderr)[:4096]
    found = next((line for line in printed.splitlines() if line.startswith("version:")), "")
    if not is_build(found, config["build_number"]):
        said = found or printed.strip() or "nothing"
        raise Stop(f"{binary} says {said!r}, build {config['build_number']} expected")
    return found


def is_build(line: str, number: int) -> bool:
    """Whether a version line names this build; b11434 prints `version: 0.6.0-dev (build 11434,
    commit …)`, older ones `version: 11434 (…)`."""
    return re.search(rf"(^version: |\(build ){number}\b", line) is not None


class _Progress:
    """Prints `[k/total] …`; total grows when blocks are added."""

    def __init__(self, per_block: int) -> None:
        self.per_block, self.done, self.blocks = per_block, 0, 0

    def step(self, text: str) -> None:
        self.done += 1
        print(f"[{self.done}/{self.blocks * self.per_block}] {text}", flush=True)


@contextlib.contextmanager
def _serving(name: str, config: dict[str, Any], seen: dict[str, Any]) -> Iterator[arm.Arm]:
    """A candidate that has loaded to where it belongs, warmed up. What its log says of that is
    put into `seen` first: a fallback to the CPU would take minutes to answer.

    Raises:
        Stop: its weights are not on the card.
    """
    with arm.running(name, config["arms"][name], config) as server:
        backend, layers = config["backend"], config["gpu_layers"]
        seen[name], problem = residency.look(server.unit, server.pid, backend, layers)
        if problem:
            raise Stop(problem, NOT_PASSED)
        server.ask(config["warmup"], config["warmup_tokens"])
        yield server


def _ask(server: arm.Arm, prompt: str, tokens: int) -> arm.Answer:
    """An answer that is text.

    Raises:
        Stop: it is not; no speed makes up for that.
    """
    answer = server.ask(prompt, tokens)
    if wrong := text.garbage(answer.text):
        raise Stop(f"the {server.name} server answers garbage: {wrong}", NOT_PASSED)
    return answer


def _block(
    config: dict[str, Any], number: int, progress: _Progress, seen: dict[str, Any]
) -> list[proof.Taken]:
    taken = []
    for run, name in enumerate(ORDER):
        with _serving(name, config, seen) as server:
            for prompt in config["prompts"]:
                answer = _ask(server, prompt["text"], config["tokens"])
                one = proof.Taken(
                    arm=name, block=number, run=run, prompt=prompt["id"], kind=prompt["class"],
                    tps=answer.tps, predicted_n=answer.predicted_n, draft_n=answer.draft_n,
                    draft_n_accepted=answer.draft_n_accepted, foreign=answer.foreign,
                )  # fmt: skip
                taken.append(one)
                loud = f", disturbed by others ({one.foreign:.0%})" if one.disturbed else ""
                progress.step(
                    f"{name} block {number} run {run + 1}: {one.prompt} {one.tps:.1f} t/s{loud}"
                )
    return taken


def measure(config: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """Blocks until the gate is decided on quiet ones, or max_rounds are measured."""
    samples: list[proof.Taken] = []
    progress = _Progress(len(ORDER) * len(config["prompts"]))
    result: dict[str, Any] = {}
    for number in range(1, config["max_rounds"] + 1):
        progress.blocks = max(number, config["rounds"])
        samples += _block(config, number, progress, seen)
        result = proof.judge(samples, config["min_speedup"])
        quiet = result["blocks"] - result["disturbed_blocks"]
        if quiet >= config["rounds"] and result["verdict"] != "inconclusive":
            break
    return result


def _again(config: dict[str, Any], old: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """A proof for the same inputs exists: see that this candidate serves and drafts at all."""
    with _serving("mtp", config, seen) as server:
        answer = _ask(server, config["prompts"][0]["text"], config["warmup_tokens"])
    if not answer.draft_n_accepted:
        raise Stop("the MTP server accepted none of its drafts", NOT_PASSED)
    print(f"reusing the proof of generation {old['generation']}", flush=True)
    return {**old, "reused_from": old.get("reused_from", old["generation"])}


def _stop_live(config: dict[str, Any]) -> None:
    if config["flip"]:
        switch.begin(config)
    else:
        systemd.stop(config["live_unit"])


def _kept(config: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether a candidate that was measured below the gate is to serve all the same."""
    return bool(config["keep"] and config["flip"] and record["verdict"] == "fail")


def main(path: str) -> int:
    """Prove the generation that the config names; 0 only if it passed, or is kept, and serves."""
    config = read_json(path)
    started = time.time()
    record: dict[str, Any] = {"verdict": "fail", "reason": "it was not finished"}
    seen: dict[str, Any] = {}
    memory: dict[str, Any] = {}
    old = proof.reusable(config["root"], config["proof_key"]) if config["reuse"] else None
    try:
        said = version(config)
        _stop_live(config)
        memory, problem = look(config["fit"], config["fit_environment"])
        if problem:
            raise Stop(problem, NOT_PASSED)
        record = _again(config, old, seen) if old else measure(config, seen)
        record["version"] = said
        record["kept"] = _kept(config, record)
    except Stop as stop:
        record = {**record, "reason": str(stop)}
        raise
    finally:
        known = {"started": started, "finished": time.time(), **proof.host_facts()}
        if old and record.get("verdict") == "pass":
            known = {"started": old["started"], "finished": old["finished"]}
        inputs = {"proof_key": config["proof_key"], "proof_inputs": config["proof_inputs"]}
        own = {"generation": config["generation"], "residency": seen, "memory_mib": memory}
        write_json(config["record"], {**record, **known, **inputs, **own})
        if config["flip"]:
            switch.note(config, record["reason"])
    print(record["reason"], flush=True)
    if record["verdict"] != "pass" and not record["kept"]:
        raise Stop(record["reason"], NOT_PASSED)
    if config["flip"]:
        switch.go(config)
    return 0


def finish(path: str) -> int:
    """systemd's last words for this job, however it ended: serve what `current` names."""
    config = read_json(path)
    for name in config["arms"]:
        systemd.remove(f"llamarig-candidate-{name}.service")
    systemd.reload()
    return switch.finish(path)
