"""The grammar accepts what the checker accepts, and what it makes the checker accepts."""

from __future__ import annotations

import random
import re
from functools import cache

import numpy as np
import pytest

from backend.prosody.catalog import all_forms, find_form
from backend.prosody.checker import check
from backend.prosody.constraint import make_constraint
from backend.prosody.grammar import make_grammar
from backend.prosody.tables import BookName, load_book
from tests.unit.prosody.famous_poems import POEMS, Poem
from tests.unit.prosody.lexicons import small_lexicon, walk

_TOKEN = re.compile(r'"((?:\\.|[^"])*)"|\[([^\]]*)\]|([a-z]+\d*)|([()|])')
Node = tuple[str, object]


class Grammar:
    """A small matcher and sampler for grammars without recursion."""

    def __init__(self, text: str) -> None:
        rows = (row.split(" ::= ", 1) for row in text.splitlines() if row)
        self.rules = {name: self._parse(list(_TOKEN.finditer(body))) for name, body in rows}

    def _parse(self, tokens: list[re.Match[str]]) -> Node:
        options: list[list[Node]] = [[]]
        while tokens:
            token = tokens.pop(0)
            literal, members, name, sign = token.groups()
            if sign == ")":
                break
            if sign == "|":
                options.append([])
            elif sign == "(":
                options[-1].append(self._parse(tokens))
            elif literal is not None:
                options[-1].append(("text", literal.replace("\\n", "\n")))
            elif members is not None:
                options[-1].append(("class", frozenset(members)))
            else:
                options[-1].append(("rule", name))
        return ("choice", options)

    def _ends(self, node: Node, text: str, start: int) -> set[int]:
        kind, value = node
        if kind == "text":
            return {start + len(str(value))} if text.startswith(str(value), start) else set()
        if kind == "class":
            return {start + 1} if text[start : start + 1] in value and start < len(text) else set()  # type: ignore[operator]
        if kind == "rule":
            return self._ends(self.rules[str(value)], text, start)
        found: set[int] = set()
        for option in value:  # type: ignore[attr-defined]
            reached = {start}
            for part in option:
                reached = {end for place in reached for end in self._ends(part, text, place)}
            found |= reached
        return found

    def accepts(self, text: str) -> bool:
        """Whether the whole text is a poem of the grammar."""
        return len(text) in self._ends(self.rules["root"], text, 0)

    @staticmethod
    @cache
    def _sorted(members: object) -> list[str]:
        return sorted(members)  # type: ignore[call-overload, no-any-return]

    def sample(self, rng: random.Random, node: Node | None = None) -> str:
        """A poem of the grammar."""
        kind, value = node or self.rules["root"]
        if kind == "text":
            return str(value)
        if kind == "class":
            return rng.choice(self._sorted(value))
        if kind == "rule":
            return self.sample(rng, self.rules[str(value)])
        return "".join(self.sample(rng, part) for part in rng.choice(list(value)))  # type: ignore[call-overload]


@cache
def grammar(name: str, book: BookName, strict: bool = True, rhyme: str | None = None) -> Grammar:
    """The grammar of a form, read back."""
    return Grammar(make_grammar(find_form(name), load_book(book), strict=strict, rhyme=rhyme))


@pytest.mark.parametrize("form", all_forms(), ids=lambda form: form.name)
def test_it_accepts_what_the_constraint_writes(form) -> None:  # type: ignore[no-untyped-def]
    book: BookName = "cilin" if form.kind == "ci" else "pingshui"
    lexicon = small_lexicon(book)
    for seed in range(3):
        text = walk(make_constraint(lexicon, form), lexicon, np.random.default_rng(seed))
        assert grammar(form.name, book).accepts(text), text


@pytest.mark.parametrize("form", all_forms(), ids=lambda form: form.name)
def test_what_it_makes_fits_but_for_repeated_rhyme_words(form) -> None:  # type: ignore[no-untyped-def]
    book: BookName = "cilin" if form.kind == "ci" else "pingshui"
    rng = random.Random(form.name)
    for _ in range(3):
        verdict = check(grammar(form.name, book).sample(rng), form.name)
        faults = {finding.code for finding in verdict.findings if finding.severity == "fault"}
        assert verdict.length_fits
        assert faults <= {"repeated-rhyme"}, verdict.summary_en


@pytest.mark.parametrize("poem", [p for p in POEMS if "古" not in p.form], ids=lambda poem: poem.title)
def test_without_strictness_it_agrees_with_the_checker_on_famous_poems(poem: Poem) -> None:
    assert grammar(poem.form, "pingshui", strict=False).accepts(poem.text) == poem.fits, poem.why


def test_a_rhyme_that_was_asked_for_is_kept() -> None:
    rng, chosen = random.Random(1), grammar("七绝", "pingshui", rhyme="尤")
    for _ in range(5):
        assert check(chosen.sample(rng)).rhymes == {"A": "下平十一尤"}


def test_it_refuses_another_layout() -> None:
    poem = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    strict = grammar("五绝", "pingshui")
    assert strict.accepts(poem)
    assert not strict.accepts(poem + "\n")
    assert not strict.accepts(poem.replace("\n", ""))
    assert not strict.accepts(poem[:-1])
