"""A record without what no collection shows: hundreds of them travel in one run's report."""

from __future__ import annotations

from typing import Any

from llamarig.reports.reading import mapping

KEPT = (
    "kind", "verdict", "reason", "min_speedup", "speedup", "interval", "baseline_tps", "mtp_tps",
    "acceptance", "acceptance_length", "ms_per_token", "prefill_tps", "prefill_loss", "rounds",
    "disturbed_rounds", "finished", "generation",
)  # fmt: skip
KEPT_CONTEXT = ("cpu", "measured", "prompts_digest", "release", "model_sha256", "recipe", "suite")
KEPT_ARM = ("draft_n_max", "draft_p_min", "tps", "speedup", "interval", "acceptance",
            "acceptance_length", "prefill_tps")  # fmt: skip


def slim(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what no collection shows."""
    kept = {key: record[key] for key in KEPT if key in record}
    around = mapping(record.get("context"))
    card = {"card": {"name": mapping(around.get("card")).get("name")}} if around.get("card") else {}
    kept["context"] = {**{key: around[key] for key in KEPT_CONTEXT if key in around}, **card}
    if arms := mapping(record.get("arms")):
        kept["arms"] = {
            name: {key: mapping(arm)[key] for key in KEPT_ARM if key in mapping(arm)}
            for name, arm in arms.items()
        }
    return kept
