"""Ci tunes (词牌) as forms: templates from a data file that ``moyun corpus tunes --write`` makes.

A template's notation, one line of verse after another:

    xZxPZ，xZZPPa。|...    tones (P 平, Z 仄, x either), a rhyme in small letters, the mark, | between stanzas

The templates are induced from the Song ci of each tune (:mod:`backend.corpus.induction`) and checked against what
handbooks say of it (``ci_facts.toml``). 孤平, 三平尾 and 粘 do not apply to ci. A rhyme is a group of 词林正韵; a
letter whose slots end in P and in Z (西江月) means level and oblique rhymes of one group.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import Any

from backend.errors import ProsodyError
from backend.prosody.forms import Form, Line, Variant
from backend.prosody.tables import DATA

TEMPLATES = "ci_tunes.tsv"
FACTS = "ci_facts.toml"

_LINE = re.compile(r"([PZx]+)([a-w]?)([，。])(\|?)")


@cache
def tunes() -> tuple[Form, ...]:
    """The tunes in the order of the facts file, each with its variants, the most usual first."""
    rows: dict[str, list[list[str]]] = {name: [] for name in facts()}
    for line in (DATA / TEMPLATES).read_text(encoding="utf-8").splitlines()[1:]:
        row = line.split("\t")
        rows[row[0]].append(row)
    return tuple(_form(name, variants) for name, variants in rows.items() if variants)


@cache
def facts() -> dict[str, dict[str, Any]]:
    """What handbooks say of each tune, by name."""
    return tomllib.loads((DATA / FACTS).read_text(encoding="utf-8"))


def parse_template(pattern: str) -> tuple[Line, ...]:
    """Lines from a template's notation.

    Raises:
        ProsodyError: it is none.
    """
    found = list(_LINE.finditer(pattern))
    if not found or "".join(match[0] for match in found) != pattern:
        raise ProsodyError(f"{pattern!r} is no template of a ci.", f"{pattern!r} 不是词谱的写法。")
    lines = []
    for match in found:
        tones, rhyme, mark, stanza = match.groups()
        after = mark if match is found[-1] or mark == "，" else mark + ("\n\n" if stanza else "\n")
        lines.append(Line(tones, rhyme.upper(), after))
    return tuple(lines)


def write_template(lines: tuple[Line, ...]) -> str:
    """The notation of :func:`parse_template`."""
    return "".join(
        line.tones + line.rhyme.lower() + line.after[0] + "|" * line.after.endswith("\n\n") for line in lines
    )


def _form(name: str, rows: list[list[str]]) -> Form:
    variants = tuple(Variant(row[2], parse_template(row[5])) for row in rows)
    aliases = tuple(rows[0][1].split())
    return Form(name, "ci", variants, aliases, f"ci to the tune {facts()[name]['english']}")
