"""Keys of a YAML mapping that are given more than once: of these YAML takes the last in silence."""

from __future__ import annotations

from collections import Counter

import yaml

from llamarig.display import plain


def twice(node: yaml.MappingNode) -> str | None:
    """What is wrong with a mapping's keys; None where each is given once."""
    names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
    found = [name for name, count in names.items() if count > 1]
    if not found:
        return None
    return f"{plain(found[0])[:80]}: given twice in the mapping of line {node.start_mark.line + 1}"
