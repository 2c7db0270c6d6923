"""No line is borrowed under the constraint, however much the model wants to; and the form is kept all the same."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.models.known_lines import KnownLines
from backend.prosody.catalog import find_form
from backend.prosody.checker import check
from backend.prosody.constraint import MetreConstraint, make_constraint
from backend.prosody.original import Original
from tests.unit.prosody.lexicons import small_lexicon, walk


def lines_of(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def tokens_of(form: str, seed: int) -> list[int]:
    """A poem by chance, as tokens."""
    constraint, tokens, rng = make_constraint(small_lexicon(), find_form(form)), [], np.random.default_rng(seed)
    while not tokens or tokens[-1] != small_lexicon().end:
        tokens.append(int(small_lexicon().ids[rng.choice(np.flatnonzero(constraint.mask()))]))
        constraint.advance(tokens[-1])
    return tokens


def recite(constraint: MetreConstraint | Original, heart: list[int], seed: int) -> str:
    """What somebody writes who knows a poem by heart and goes on with it wherever the place in it allows it."""
    lexicon, rng, text = small_lexicon(), np.random.default_rng(seed), ""
    poem = "".join(lexicon.texts[lexicon.index_of(token)] for token in heart)
    while True:
        allowed = np.flatnonzero(constraint.mask())
        known = [
            place for place in allowed if lexicon.texts[place] and poem.startswith(lexicon.texts[place], len(text))
        ]
        place = int(max(known, key=lambda place: len(lexicon.texts[place])) if known else rng.choice(allowed))
        constraint.advance(int(lexicon.ids[place]))
        if lexicon.ids[place] == lexicon.end:
            return text
        text += lexicon.texts[place]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["五绝", "七绝", "七律"]), st.integers(0, 2**32 - 1))
def test_a_poem_that_is_known_by_heart_becomes_another(form: str, seed: int) -> None:
    heart, lexicon = tokens_of(form, seed), small_lexicon()
    poem = "".join(lexicon.texts[lexicon.index_of(token)] for token in heart)
    known = KnownLines.of(lines_of(poem))
    inner = make_constraint(lexicon, find_form(form))
    recited = recite(inner.fork(), heart, seed)
    assert known.copied(lines_of(recited)), "without the constraint it is recited"

    written = recite(Original(inner, lexicon, known), heart, seed)
    assert known.copied(lines_of(written)) == ()
    assert not {line[:3] for line in lines_of(written)} & {line[:3] for line in lines_of(poem)}
    verdict = check(written, form)
    assert verdict.fits, verdict.summary_en


def test_fixed_lines_stay_whoever_wrote_them() -> None:
    line, lexicon = "白日依山尽", small_lexicon()
    inner = make_constraint(lexicon, find_form("五绝"), locked={1: line})
    text = walk(Original(inner, lexicon, KnownLines.of([line])), lexicon, np.random.default_rng(0))
    assert lines_of(text)[0] == line


def test_a_known_line_may_come_where_nothing_else_fits() -> None:
    class Everything:
        def endings(self, line: str) -> str:
            return "".join(small_lexicon().characters)

        def borrowing(self, line: str, continuations: object, columns: np.ndarray) -> np.ndarray:
            return np.ones(len(columns), dtype=np.bool_)

    lexicon = small_lexicon()
    inner = make_constraint(lexicon, find_form("五绝"))
    text = walk(Original(inner, lexicon, Everything()), lexicon, np.random.default_rng(0))
    assert check(text, "五绝").fits


def test_a_fork_goes_its_own_way() -> None:
    lexicon = small_lexicon()
    first = Original(make_constraint(lexicon, find_form("五绝")), lexicon, KnownLines.of(["白日依山尽"]))
    second = first.fork()
    before = second.mask().copy()
    first.advance(int(lexicon.ids[lexicon.spell("白日")[0]]))
    assert np.array_equal(second.mask(), before)
    with pytest.raises(Exception, match="not allowed"):
        first.advance(lexicon.end)
