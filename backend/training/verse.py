"""Poems ready to be learnt: named by the checker, laid out as the constraint writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from backend.corpus.script import only_han, simplify
from backend.corpus.shape import clauses
from backend.prosody.catalog import find_form, find_tune
from backend.prosody.checker import check
from backend.prosody.forms import Form, Variant
from backend.prosody.judging import cut
from backend.prosody.verdict import Verdict

GAP = "□"
_SHAPES = {4: "绝", 8: "律"}
_LENGTHS = {5: "五", 7: "七"}


@dataclass(frozen=True, slots=True)
class Verse:
    """A poem that the forms know."""

    title: str
    form: str  # by catalogue name: 七律, 五古, 水调歌头
    lines: tuple[str, ...]
    text: str  # simplified, a couplet a line, with the marks of the form
    rhyme: str | None  # as a prompt names it (尤, 第七部); None where the poem keeps to none
    source: int = 0  # the corpus' number, or the line of a user's file
    group: int = 0  # versions of one poem share it

    @property
    def digest(self) -> str:
        """Identity of the words: title and punctuation don't count."""
        return digest(self.text)


def digest(text: str) -> str:
    """16 hexadecimal digits of the SHA-256 of a text's Chinese characters, simplified."""
    return hashlib.sha256(only_han(simplify(text)).encode()).hexdigest()[:16]


def read_verse(title: str, text: str, tune: str | None = None, *, source: int = 0, group: int = 0) -> Verse | None:
    """The poem as its form is written, or None where no form that Moyun knows has its shape.

    A poem in lines of five or seven is regulated where at least three lines in four keep the tones; else it is
    old-style verse. A ci must have the lengths of a variant of its tune.
    """
    lines = tuple(clauses(simplify(text)))
    if not lines or any(GAP in line or only_han(line) != line for line in lines):
        return None
    found = _as_ci(lines, tune) if tune else _as_shi(lines)
    if found is None:
        return None
    form, variant, verdict = found
    written = cut(lines, variant)
    assert written is not None
    body = "".join(line + slot.after for line, slot in zip(written, variant.lines, strict=True))
    return Verse(title, form.name, written, body, _rhyme(verdict), source, group)


def _as_shi(lines: Sequence[str]) -> tuple[Form, Variant, Verdict] | None:
    lengths = {len(line) for line in lines}
    if lengths not in ({5}, {7}) or len(lines) < 4 or len(lines) % 2:
        return None
    prefix, text = _LENGTHS[lengths.pop()], "，".join(lines)
    if len(lines) != 6:
        name = prefix + _SHAPES.get(len(lines), "排")
        verdict = check(text, name)
        faulty = sum(not line.fits for line in verdict.lines)
        if verdict.form is not None and faulty * 4 <= len(lines):
            form = find_form(name, len(lines))
            return form, form.variants[0], verdict
    form = find_form(prefix + "古", len(lines))
    return form, form.variants[0], check(text, prefix + "古")


def _as_ci(lines: Sequence[str], name: str) -> tuple[Form, Variant, Verdict] | None:
    tune = find_tune(name)
    variant = None if tune is None else next((v for v in tune.variants if cut(lines, v) is not None), None)
    if tune is None or variant is None:
        return None
    return tune, variant, check("，".join(lines), tune.name)


def _rhyme(verdict: Verdict) -> str | None:
    """The poem's one rhyme: 上平一东 is called 东, 第七部 stays."""
    if not verdict.rhyme_fits or len(verdict.rhymes) != 1:
        return None
    name = next(iter(verdict.rhymes.values()))
    return name if name.startswith("第") else name[-1]
