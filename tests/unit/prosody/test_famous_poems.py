"""Poems that everyone knows, with the verdicts that handbooks give."""

from __future__ import annotations

import pytest

from backend.prosody.checker import check
from tests.unit.prosody.famous_poems import POEMS, Poem


def test_there_are_fifty_of_them_of_every_kind() -> None:
    assert len(POEMS) >= 50
    assert {poem.form for poem in POEMS} >= {"五绝", "七绝", "五律", "七律", "五古"}
    assert sum(not poem.fits for poem in POEMS) >= 10


@pytest.mark.parametrize("poem", POEMS, ids=lambda poem: poem.title)
def test_the_verdict_on_a_famous_poem(poem: Poem) -> None:
    verdict = check(poem.text)
    assert verdict.form == poem.form, poem.why
    assert verdict.fits == poem.fits, poem.why
    assert verdict.variant == poem.variant
    assert verdict.rhymes.get("A", "") == poem.rhyme
    assert tuple(f"{finding.code}:{finding.line}" for finding in verdict.findings) == poem.codes, poem.why


@pytest.mark.parametrize("poem", POEMS, ids=lambda poem: poem.title)
def test_title_author_and_punctuation_do_not_change_the_verdict(poem: Poem) -> None:
    author, title = poem.title.rstrip("》").split("《")
    plain = check(poem.text)
    for text in (
        f"《{title}》\n{author}\n\n{poem.text}",
        f"# {title}\n\n{poem.text}",
        poem.text.replace("，", "\n").replace("。", ""),
        poem.text.replace("，", ", ").replace("。", ". "),
        poem.text.replace("。\n", "；"),
        f"{title}\n{poem.text}（{author}作）",
    ):
        verdict = check(text)
        assert verdict.findings == plain.findings, text
        assert verdict.form == plain.form, text
