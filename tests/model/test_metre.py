"""The constraint over the real tokenizer: exact texts, and quick enough for every step."""

from __future__ import annotations

import time
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from backend.models.sources import PreparedModel
from backend.prosody.catalog import all_forms, find_form
from backend.prosody.checker import check
from backend.prosody.constraint import make_constraint
from backend.prosody.lexicon import Lexicons
from backend.prosody.tables import BookName

MASK_SECONDS = 0.0003  # the most that a mask may take on average


@cache
def tokenizer_of(path: Path):  # type: ignore[no-untyped-def]
    """The model's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path)


@pytest.fixture(scope="module")
def lexicons(prepared_model: PreparedModel) -> Lexicons:
    """Lexicons over the real vocabulary."""
    tokenizer = tokenizer_of(prepared_model.path)
    return Lexicons(tokenizer.get_vocab(), tokenizer.eos_token_id)


def names() -> list[str]:
    """Every form and tune."""
    return [form.name for form in all_forms()]


@pytest.mark.parametrize("name", names())
def test_poems_written_by_chance_pass_the_checker(name: str, lexicons: Lexicons, prepared_model: PreparedModel) -> None:
    form, rng = find_form(name), np.random.default_rng(len(name))
    old: BookName = "cilin" if form.kind == "ci" else "pingshui"
    for variant, (book, fitting) in product(form.variants, ((old, "all"), (old, "usual"), ("tongyun", "usual"))):
        lexicon = lexicons.of(book, fitting)
        constraint, ids = make_constraint(lexicon, form, variant=variant.name), []
        while not ids or ids[-1] != lexicon.end:
            ids.append(int(constraint.vocabulary[int(rng.choice(np.flatnonzero(constraint.mask())))]))
            constraint.advance(ids[-1])
        text = tokenizer_of(prepared_model.path).decode(ids[:-1])
        verdict = check(text, name, book)
        assert verdict.fits, verdict.summary_en
        assert text.endswith("。")


def test_the_layout_is_cut_into_tokens_as_the_tokenizer_cuts_it(
    lexicons: Lexicons, prepared_model: PreparedModel
) -> None:
    tokenizer, lexicon = tokenizer_of(prepared_model.path), lexicons.of("pingshui")
    poem = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    marks = {"，", "。", "。\n"}
    cut = [tokenizer.decode([token]) for token in tokenizer(poem).input_ids]
    assert [piece for piece in cut if piece in marks] == ["，", "。\n", "，", "。"]
    for mark in marks:
        assert [lexicon.texts[place] for place in lexicon.spell_mark(mark)] == [mark]


def test_a_poem_as_the_tokenizer_cuts_it_is_let_through(lexicons: Lexicons, prepared_model: PreparedModel) -> None:
    tokenizer, lexicon = tokenizer_of(prepared_model.path), lexicons.of("pingshui")
    poem = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    constraint = make_constraint(lexicon, find_form("五绝"))
    for token in tokenizer(poem).input_ids:
        constraint.advance(token)
    assert [lexicon.ids[place] for place in np.flatnonzero(constraint.mask())] == [lexicon.end]


def test_a_mask_takes_less_than_its_share_of_a_step(lexicons: Lexicons) -> None:
    rng, lexicon, spent = np.random.default_rng(0), lexicons.of("pingshui"), []
    for _ in range(20):
        constraint = make_constraint(lexicon, find_form("七律"))
        token = -1
        while token != lexicon.end:
            started = time.perf_counter()
            mask = constraint.mask()
            spent.append(time.perf_counter() - started)
            token = int(lexicon.ids[int(rng.choice(np.flatnonzero(mask)))])
            constraint.advance(token)
    assert float(np.mean(spent)) <= MASK_SECONDS
