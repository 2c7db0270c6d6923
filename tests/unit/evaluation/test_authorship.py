"""The author classifier, on poets who are easy to tell apart."""

from __future__ import annotations

import sqlite3
import sys

import pytest

from backend.errors import SettingsError
from backend.evaluation.authorship import AuthorClassifier, Example, accuracy, named_counts, plain, poems_of
from tests.unit.evaluation.conftest import WORDS, verse


def examples(first: int, last: int) -> list[Example]:
    return [Example(author, verse(author, seed)) for author in WORDS for seed in range(first, last)]


def test_unseen_poems_are_ascribed_to_their_authors() -> None:
    assert accuracy(AuthorClassifier(examples(0, 20)), examples(100, 110)) == 1.0


def test_the_accuracy_falls_where_poems_are_somebody_elses() -> None:
    classifier = AuthorClassifier(examples(0, 20))
    borrowed = [Example("杜甫", verse("苏轼", 100)), Example("杜甫", verse("杜甫", 100))]
    assert accuracy(classifier, borrowed) == 0.5
    assert named_counts(classifier, [one.text for one in borrowed]) == {"苏轼": 1, "杜甫": 1}
    assert accuracy(classifier, []) is None


def test_punctuation_and_script_tell_nothing() -> None:
    assert plain("國破山河在，城春草木深。") == plain("国破山河在。\n城春草木深") == "国破山河在\n城春草木深"


def test_poems_that_are_kept_for_testing_are_left_out(corpus: sqlite3.Connection) -> None:
    numbers = [row[0] for row in corpus.execute("SELECT id FROM poem WHERE author = '杜甫'")]
    left = poems_of(corpus, "杜甫", ("五绝",), numbers[:10])
    assert len(left) == len(numbers) - 10
    held = {verse("杜甫", number) for number in numbers[:10]}
    assert not held & {example.text for example in left}


def test_a_large_collection_is_cut_to_the_same_poems_every_time(corpus: sqlite3.Connection) -> None:
    drawn = poems_of(corpus, "苏轼", ("五绝",), most=7)
    assert len({example.text for example in drawn}) == 7
    assert drawn == poems_of(corpus, "苏轼", ("五绝",), most=7)
    assert poems_of(corpus, "苏轼", ("七律",)) == []


def test_one_author_is_none_to_choose_from() -> None:
    with pytest.raises(SettingsError, match="two authors"):
        AuthorClassifier([Example("杜甫", "国破山河在")])


def test_without_scikit_learn_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(SettingsError, match="scikit-learn"):
        AuthorClassifier(examples(0, 2))
