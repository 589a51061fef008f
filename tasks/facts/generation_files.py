"""What a generation's folder on a host really holds, which somebody may have edited."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import GENERATIONS

# Our largest file is a tenth of this.
MOST_BYTES = 65536


@dataclass(frozen=True)
class FolderState:
    """files: name to text, of each at most MOST_BYTES; links: name to target."""

    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


class GenerationFiles(FactBase[FolderState]):
    """The files and links of generation `number`; none where it is not there."""

    @staticmethod
    def default() -> FolderState:
        return FolderState()

    def command(self, number: int) -> str:
        return (
            f"cd {GENERATIONS}/{number} 2>/dev/null && for f in *; do "
            'if [ -L "$f" ]; then printf "link\\t%s\\t%s\\n" "$f" "$(readlink "$f")"; '
            'elif [ -f "$f" ]; then printf "file\\t%s\\t%s\\n" "$f" '
            f'"$(head -c {MOST_BYTES} "$f" | base64 -w 0)"; fi; done; true'
        )

    def process(self, output: list[str]) -> FolderState:
        found = FolderState()
        for line in output:
            try:
                kind, name, content = line.split("\t")
                if kind == "link":
                    found.links[name] = content
                else:
                    found.files[name] = base64.b64decode(content, validate=True).decode(
                        errors="replace"
                    )
            except (ValueError, binascii.Error) as error:
                raise FactProcessError(f"a generation's files can't be read: {error}") from None
        return found
