"""All of doctor's rules in the order in which a person would look. The place for the next one:
a function in the file of its topic, listed in that file's RULES."""

from __future__ import annotations

from llamarig.settings import Settings
from llamarig.tasks.facts.workstation import Workstation
from llamarig.tasks.findings import (
    cards,
    cuda,
    disks,
    driver,
    health,
    llama_cpp,
    memory,
    ollama,
    platform,
    ports,
    reach,
    shims,
    smi,
    tls,
    untried,
    unused,
)
from llamarig.tasks.findings.finding import Finding, Rule

RULES: tuple[Rule, ...] = (
    *platform.RULES,
    *cards.RULES,
    *driver.RULES,
    *smi.RULES,
    *health.RULES,
    *memory.RULES,
    *cuda.RULES,
    *llama_cpp.RULES,
    *shims.RULES,
    *disks.RULES,
    *ports.RULES,
    *reach.RULES,
    *tls.RULES,
    *ollama.RULES,
    *unused.RULES,
    *untried.RULES,
)

# What a build rests on: a host whose card or driver is not there yet may be built for.
BUILDING: tuple[Rule, ...] = (
    *platform.RULES,
    cuda.toolkit,
    cuda.vulkan,
    *llama_cpp.RULES,
    *shims.RULES,
)

# What a download rests on.
MODEL: tuple[Rule, ...] = (*platform.RULES, *disks.RULES)


def judge(seen: Workstation, settings: Settings, rules: tuple[Rule, ...] = RULES) -> list[Finding]:
    """Every finding about one host, in the rules' order."""
    return [finding for rule in rules for finding in rule(seen, settings)]
