"""tune: which draft depth is fastest on each host, written into the site for `up`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from llamarig import report
from llamarig import tune as asking
from llamarig.cli import checks, deploy, runner, tune_table
from llamarig.display import plain
from llamarig.errors import UserError

TUNE = "llamarig.tasks.tune.run"


@click.command()
@click.option("--depths", metavar="N-N|N,N,...", help="Draft depths to try; 0 (no MTP) always is."
              "  [default: 0-6]")  # fmt: skip
@click.option("--p-min", metavar="P,P,...", help="Values of draft_p_min to try at the best depth; "
              "depths are compared at the smallest.  [default: 0,0.5,0.75]")  # fmt: skip
@click.option("--budget-tokens", metavar="N", help="Tokens that a host may spend on it.  "
              "[default: what all steps take once; 12528 with three prompts]")  # fmt: skip
@click.option("--dry", is_flag=True, help="Only show what would be tried, and what that costs.")
@deploy.options
def tune(
    inventory: Path, json_path: Path | None, limit: tuple[str, ...],
    depths: str | None, p_min: str | None, budget_tokens: str | None, dry: bool,
) -> None:  # fmt: skip
    """Find the draft depth that is fastest on each host.

    It goes into group_data/tuned.yaml, which `up` uses like any setting. A host does not serve
    meanwhile, some minutes, and is back afterwards."""
    wanted = asking.checked(depths=depths, p_min=p_min, budget_tokens=budget_tokens)
    if dry:
        _announce(inventory, limit, wanted)
        return
    result = runner.run(inventory, TUNE, limit=limit, data=wanted.data())
    if result.interrupted:
        click.echo("\nthe search goes on on its host; the same command joins it", err=True)
    deploy.finish(result, json_path, changes=False)
    hosts = dict(sorted(result.hosts.items()))
    for name, entry in hosts.items():
        tune_table.show(name, entry.get("tune") or {})
    for line in [*said(hosts), *written(hosts, inventory)]:
        print(plain(line))
    sys.exit(status(result))


def _announce(inventory: Path, limit: tuple[str, ...], wanted: asking.Wanted) -> None:
    """What would be tried, per host. Reaches none.

    Raises:
        UserError: whatever a real run is refused for before it reaches a host.
    """
    from llamarig.tasks import tune_job

    site, chosen = checks.check(inventory, limit)
    sound, _ = checks.settings(site, chosen)
    for name, settings in sound.items():
        over = tune_job.grid(settings, wanted)
        if fault := asking.too_little(over):
            raise UserError(f"{name}: {fault}")
        tune_table.announce(name, settings.proof_suite, over)


def said(hosts: dict[str, dict[str, Any]]) -> list[str]:
    """What a table does not say of a host: that MTP does not pay, that a depth did not run, that
    the inventory goes before what was written."""
    lines: list[str] = []
    for name, entry in hosts.items():
        record = entry.get("tune") or {}
        for arm, why in sorted((record.get("lost") or {}).items()):
            lines.append(f"{name}: {arm} was left out: {why}")
        if record.get("verdict") == "fail" and record.get("best"):
            lines.append(
                f'{name}: {record["reason"]}; nothing was written. spec_type "none" would be as '
                "fast, and below every min_speedup"
            )
        for key in (entry.get("tuned") or {}).get("beaten", []):
            lines.append(
                f"{name}: the inventory sets {key} for this host, which goes before "
                f"{entry['tuned']['file']}; take it out there"
            )
    return lines


def written(hosts: dict[str, dict[str, Any]], inventory: Path) -> list[str]:
    """What was written into the site, and what to do next."""
    words, file = [], ""
    for name, entry in hosts.items():
        if found := entry.get("tuned"):
            p_min = f" draft_p_min {found['draft_p_min']:g}" if found["draft_p_min"] else ""
            words.append(f"{name} draft_n_max {found['draft_n_max']}{p_min}")
            file = found["file"]
    command = f"llamarig up {shlex.quote(str(inventory))}"
    return [f"wrote {file}: {', '.join(words)}; next: {command}"] if words else []


def status(result: runner.Result) -> int:
    """0 where every host's search decided, UNDECIDED where some were too busy and nothing else is
    wrong, else 1."""
    found = list(result.hosts.values())
    if deploy.sound(result) and all((each.get("tune") or {}).get("best") for each in found):
        return 0
    sick = [each for each in found if report.sick(each)]
    return deploy.UNDECIDED if sick and all(each.get("undecided") for each in sick) else 1
