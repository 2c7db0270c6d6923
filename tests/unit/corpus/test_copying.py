"""Copied lines: found with their source, and only those."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.corpus import store
from backend.corpus.copying import copies
from backend.corpus.report import Report
from backend.corpus.store import Poem

OLD = [
    "国破山河在，城春草木深。\n感时花溅泪，恨别鸟惊心。",
    "远上寒山石径斜，白云生处有人家。\n停车坐爱枫林晚，霜叶红于二月花。",
]


@pytest.fixture(scope="module")
def old_poems(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    """A corpus of two poems and a version of the first under another name."""
    cache = tmp_path_factory.mktemp("copying")
    poems = [
        Poem(1, "春望", "杜甫", "唐", "五绝", None, OLD[0], None, 0),
        Poem(2, "山行", "杜牧", "唐", "七绝", None, OLD[1], None, 0),
        Poem(3, "春望", "某甲", "宋", "五绝", None, OLD[0], None, 0, twin=1),
    ]
    store.write(store.corpus_path(cache), poems, Report(), {})
    with store.opened(cache) as database:
        yield database


def test_a_copied_line_is_found_with_its_source(old_poems: sqlite3.Connection) -> None:
    [copy] = copies(old_poems, "秋来无一事，城春草木深。")
    assert (copy.line, copy.run, copy.verbatim, copy.title, copy.author) == (2, "城春草木深", True, "春望", "杜甫")


def test_five_characters_of_a_line_are_a_copy_but_not_a_verbatim_one(old_poems: sqlite3.Connection) -> None:
    [copy] = copies(old_poems, "明日寒山石径斜，故人千里未还家。")
    assert (copy.line, copy.run, copy.verbatim, copy.author) == (1, "寒山石径斜", False, "杜牧")


def test_script_and_punctuation_do_not_hide_a_copy(old_poems: sqlite3.Connection) -> None:
    assert copies(old_poems, "國破山河、在！")[0].verbatim


@pytest.mark.parametrize(
    "text",
    ["秋来无一事，闲看白云飞。", "寒山石径", "山河在城春，草木深感时。", "", "hello", "斜白云生处，有人家停车。"],
)
def test_what_is_new_or_short_or_runs_over_a_lines_end_is_no_copy(text: str, old_poems: sqlite3.Connection) -> None:
    assert copies(old_poems, text) == []


def test_authors_and_dynasties_narrow_the_sources(old_poems: sqlite3.Connection) -> None:
    line = "国破山河在。"
    assert copies(old_poems, line, author="杜甫")[0].author == "杜甫"
    assert copies(old_poems, line, author="杜牧") == []
    assert copies(old_poems, line, dynasty="宋")[0].author == "某甲"
    assert copies(old_poems, line, not_author="杜牧")
    # The other version of the poem is his own poem, too.
    assert copies(old_poems, line, not_author="杜甫") == []


@given(data=st.data())
def test_every_line_of_an_old_poem_is_a_verbatim_copy(data: st.DataObject, old_poems: sqlite3.Connection) -> None:
    text = data.draw(st.sampled_from(OLD))
    kept = data.draw(st.sets(st.integers(0, 3), min_size=1))
    lines = [
        line for number, line in enumerate(text.replace("\n", "").replace("。", "，").split("，")[:4]) if number in kept
    ]
    assert [copy.verbatim for copy in copies(old_poems, "，".join(lines))] == [True] * len(lines)


@given(text=st.text(max_size=80))
def test_any_text_can_be_asked_about(text: str, old_poems: sqlite3.Connection) -> None:
    assert all(len(copy.run) >= 5 for copy in copies(old_poems, text))
