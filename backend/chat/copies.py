"""Lines of a poem that its adapter copied from the poems that it was trained on.

Under its form a poem takes none (:mod:`backend.prosody.original`). One that may break its form is begun again at its
first such line: a reader who knows the poet notices one, and the sooner it ends, the less a further attempt costs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from backend.errors import AdapterError, Language
from backend.models.known_lines import NAME, KnownLines
from backend.prosody.layout import rows_of
from backend.prosody.original import Known
from backend.types import Style

MAX_ATTEMPTS = 5

log = logging.getLogger(__name__)

_UNFINISHED = re.compile(r"[^，。！？；、,.!?;\n]*\Z")


class LineIndex(Known, Protocol):
    """The lines that an adapter was trained on."""

    def copied(self, lines: Sequence[str]) -> tuple[int, ...]:
        """Numbers, from 1, of those of ``lines`` with five characters in a row of a training poem."""


FindLines = Callable[[Style], LineIndex | None]


def find_lines(style: Style) -> LineIndex | None:
    """What is known of the lines that a style's adapter was trained on; a broken file is logged and passed over."""
    if style.known_lines is None:
        return None
    try:
        changed = (style.known_lines / NAME).stat().st_mtime_ns
    except OSError:
        return None
    return _open(style.known_lines, changed)


@lru_cache(maxsize=16)
def _open(folder: Path, changed: int) -> LineIndex | None:
    """Read once, and again when the adapter was trained anew."""
    try:
        return KnownLines.open(folder)
    except AdapterError as error:
        log.warning("%s %s", error.en, error.zh)
        return None


def copied_lines(index: LineIndex | None, text: str, given: Collection[str] = ()) -> tuple[int, ...]:
    """Numbers, from 1, of the copied lines of a text, whole or still growing: a line counts when its mark stands.

    Args:
        given: lines that were the writer's wish, whoever wrote them first.
    """
    if index is None:
        return ()
    _, rows = rows_of(_UNFINISHED.sub("", text))
    lines = [piece for row in rows for piece in row.pieces]
    return tuple(number for number in index.copied(lines) if lines[number - 1] not in given) if lines else ()


_SENTENCES: dict[str, dict[Language, str]] = {
    "again": {
        "zh": "第{lines}句有五字以上与所学原诗相同，换一个种子重写（第{attempt}次）。",
        "en": "Line {lines} had five characters in a row of a poem that the style has read; written again with the "
        "next seed (attempt {attempt}).",
    },
    "stays": {
        "zh": "第{lines}句有五字以上与所学原诗相同（第{attempt}次所写）；换个题目，或把温度调高些，再试。",
        "en": "Line {lines} has five characters in a row of a poem that the style has read (attempt {attempt}); try "
        "another topic or a higher temperature.",
    },
}


def tell_again(lines: Sequence[int], attempt: int, language: Language) -> str:
    """The sentence for a poem that is written again, for the ``attempt``-th time."""
    return _SENTENCES["again"][language].format(lines=_joined(lines, language), attempt=attempt)


def tell_stays(lines: Sequence[int], attempt: int, language: Language) -> str:
    """The sentence for a poem that copies lines still, after the last attempt."""
    return _SENTENCES["stays"][language].format(lines=_joined(lines, language), attempt=attempt)


def _joined(lines: Sequence[int], language: Language) -> str:
    return ("、" if language == "zh" else ", ").join(map(str, lines))
