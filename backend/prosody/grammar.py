"""A form as an EBNF grammar, for servers that take one (vLLM's ``structured_outputs.grammar``, xgrammar, GBNF).

A grammar without memory says lengths, tones, layout and rhyme. It can't say that a rhyme word is not repeated, that
a character comes at most twice, or that a first line borrows a neighbouring rhyme: poems written under it are
checked afterwards. With ``strict`` a character fits in all its readings; without, in one, and lines with 拗救 are
admitted too, so that what the checker accepts (but for those three) the grammar accepts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product

from backend.errors import ProsodyError
from backend.prosody.forms import Form, Line, Variant
from backend.prosody.regulated import LICENCES
from backend.prosody.tables import Book, to_simplified

Bound = tuple[tuple[str, str], ...]  # rhyme letters that are decided, with their rhymes


def make_grammar(form: Form, book: Book, *, rhyme: str | None = None, strict: bool = True) -> str:
    """The grammar's text; ``root`` is the whole poem.

    Args:
        form: any form; all its variants become alternatives.
        book: the rhyme book (cilin for ci).
        rhyme: the rhyme of letter A; None admits every one.
        strict: see the module.

    Raises:
        ProsodyError: there is no such rhyme, or it has no words of the tone that the form wants.
    """
    builder = _Builder(book, book.find_rhyme(rhyme) if rhyme else None, strict)
    roots = [builder.variant(lines) for variant in form.variants for lines in _licensed(variant, strict)]
    kept = [root for root in roots if root]
    if not kept:
        raise ProsodyError(f"{form.name} can't be written in the rhyme {rhyme!r}.", f"{form.name}不能押“{rhyme}”韵。")
    return "\n".join([f"root ::= {' | '.join(dict.fromkeys(kept))}", *builder.rules(), ""])


def _licensed(variant: Variant, strict: bool) -> Iterable[Sequence[tuple[Line, ...]]]:
    """The variant as choices: for each line, or for a couplet in which the second line saves the first, the
    sequences of lines that may stand there."""
    if strict or not any(line.type for line in variant.lines):
        yield [(line,) for line in variant.lines]
        return
    couplets = [variant.lines[start : start + 2] for start in range(0, len(variant.lines), 2)]
    choices = [tuple(_couplets(*couplet)) for couplet in couplets]
    # A couplet's choices are independent of each other, but a rule is made of single lines: number them out.
    for chosen in product(*({bool(saved) for saved, _ in choice} for choice in choices)):
        yield [
            tuple(sorted({pair[place] for saved, pair in choice if saved == wanted}, key=lambda line: line.tones))
            for choice, wanted in zip(choices, chosen, strict=True)
            for place in (0, 1)
        ]


def _couplets(first: Line, second: Line) -> Iterable[tuple[bool, tuple[Line, Line]]]:
    """(whether the second line saves the first, the lines) for each way to write the couplet."""
    for upper in _tails(first, saved=False):
        for lower in _tails(second, saved=False):
            yield False, (upper, lower)
    for upper in _tails(first, saved=True):
        for lower in _tails(second, saved=False):
            if lower.tones[-3] != "Z":
                fixed = lower.tones[:-3] + "P" + lower.tones[-2:]
                yield True, (upper, Line(fixed, lower.rhyme, lower.after, lower.type))


def _tails(line: Line, *, saved: bool) -> Iterable[Line]:
    if not saved:
        yield line
    for line_type, tail, name in LICENCES:
        if line_type == line.type and (name == "couplet-saved") == saved:
            yield Line(line.tones[:-5] + tail, line.rhyme, line.after, line.type)


class _Builder:
    """Collects rules; a rule that is asked for twice is made once."""

    def __init__(self, book: Book, rhyme: str | None, strict: bool) -> None:
        self._rhyme = rhyme
        self._rules: dict[str, str] = {}
        self._names: dict[object, str | None] = {}
        classes: dict[tuple[str, str | None], set[str]] = defaultdict(set)
        for character in book.own:
            readings = book.readings(character)
            if len(character.encode("utf-16-le")) > 2 or (strict and to_simplified(character) != character):
                continue  # rare planes swell the grammar; generated poems are in simplified characters
            tones = {reading.tone_class for reading in readings}
            classes["x", None].add(character)
            for tone in tones if not strict or len(tones) == 1 else ():
                classes[tone, None].add(character)
            for reading in book.readings(character, ends_line=not strict):
                for tone in ("x", reading.tone_class):
                    if tone == "x" or not strict or character in classes[tone, None]:
                        classes[tone, reading.rhyme].add(character)
        self._classes = dict(classes)
        self._rhyme_names = book.rhymes

    def rules(self) -> list[str]:
        """The rules made so far, classes of characters last."""
        return [f"{name} ::= {body}" for name, body in self._rules.items()]

    def variant(self, choices: Sequence[tuple[Line, ...]]) -> str | None:
        """The name of the rule for a whole poem, or None where its rhyme has no words."""
        return self._span(tuple(choices), ())

    def _add(self, key: object, prefix: str, body: str | None) -> str | None:
        if key not in self._names:
            name = f"{prefix}{len(self._names)}" if body else None
            self._names[key] = name
            if name and body:
                self._rules[name] = body
        return self._names[key]

    def _character(self, tone: str, rhyme: str | None) -> str | None:
        key = ("class", tone, rhyme)
        if key in self._names:
            return self._names[key]
        members = self._classes.get((tone, rhyme))
        return self._add(key, "c", f"[{''.join(sorted(members))}]" if members else None)

    def _line(self, line: Line, bound: Bound) -> str | None:
        rhyme = dict(bound).get(line.rhyme)
        parts = [self._character(tone, None) for tone in line.tones[:-1]]
        parts.append(self._character(line.tones[-1], rhyme))
        if None in parts:
            return None
        mark = line.after.replace("\n", "\\n")
        key = ("line", line.tones, rhyme, line.after)
        return self._add(key, "l", " ".join([*map(str, parts), f'"{mark}"']))

    def _span(self, choices: tuple[tuple[Line, ...], ...], bound: Bound) -> str | None:
        """A rule for consecutive lines: line by line up to the first rhyme that is open, then a choice among
        the rhymes for as far as that rhyme reaches, then the rest."""
        here = {options[0].rhyme for options in choices}
        bound = tuple(pair for pair in bound if pair[0] in here)
        key = ("span", choices, bound)
        if key in self._names:
            return self._names[key]
        parts: list[str | None] = []
        index = 0
        while index < len(choices):
            letter = choices[index][0].rhyme
            if not letter or letter in dict(bound):
                names = [self._line(line, bound) for line in choices[index]]
                kept = [name for name in names if name]
                parts.append(f"({' | '.join(kept)})" if len(kept) > 1 else (kept[0] if kept else None))
                index += 1
                continue
            end = self._reach(choices, index)
            parts.append(self._rhymed(choices[index:end], letter, bound))
            index = end
        body = None if None in parts else " ".join(map(str, parts))
        return self._add(key, "s", body)

    def _rhymed(self, choices: tuple[tuple[Line, ...], ...], letter: str, bound: Bound) -> str | None:
        rhymes = [self._rhyme] if self._rhyme and letter == "A" else self._rhyme_names
        spans = [self._span(choices, (*bound, (letter, rhyme))) for rhyme in rhymes]
        kept = [span for span in spans if span]
        return f"({' | '.join(kept)})" if kept else None

    @staticmethod
    def _reach(choices: Sequence[tuple[Line, ...]], start: int) -> int:
        """One past the last line of the rhyme that begins at ``start``, and of every rhyme that begins inside."""
        end, index = start + 1, start
        while index < end:
            letter = choices[index][0].rhyme
            if letter:
                last = max(n for n, options in enumerate(choices) if options[0].rhyme == letter)
                end = max(end, last + 1)
            index += 1
        return end
