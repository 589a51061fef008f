"""What group_data/all.py says: every setting as a comment, made from the model itself.

python -m llamarig.site.defaults > group_data/all.py
"""

from __future__ import annotations

import textwrap

from llamarig.settings import Settings
from llamarig.values import allowed

# The first key of each part.
PARTS = {
    "backend": "The device, and llama.cpp",
    "model_repo": "The model",
    "gpu_layers": "The recipe: llama-server's flags, by default the walkthrough's",
    "api_key": "Who may reach the server",
    "service_user": "The service, its proof, and a run of llamarig",
}
HEADER = """\
# Settings of all hosts. Each key stands here with its default: take away the "# " and change the
# value. A file named as a group of the inventory (rtx4090.py) holds for that group's hosts,
# tuned.yaml, which `llamarig tune` writes, beats both, and what the inventory says of one host
# beats all. Wrong keys and values are refused before anything is changed, all of them at once.
# Values are plain literals; a key of your own begins with site_.
"""


def defaults() -> str:
    """The text of group_data/all.py: comments only, so that nothing is said twice."""
    lines = [HEADER]
    for key, field in Settings.model_fields.items():
        if key in PARTS:
            lines.append(f"\n# ---- {PARTS[key]} ----\n")
        text = f"{field.description} Takes {allowed(field)}."
        lines += textwrap.wrap(text, 96, initial_indent="#   ", subsequent_indent="#   ")
        lines.append(f"# {key} = {literal(field.default)}\n")
    return "\n".join(lines)


def literal(value: object) -> str:
    """A default as Python spells it, with the quotes of the rest of the code."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    print(defaults(), end="")
