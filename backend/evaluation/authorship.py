"""Who wrote this? A classifier that learns authors from the characters of their poems, for a second opinion on style.

Linear, on TF-IDF of single characters, pairs and triples: the usual strong baseline for authorship of short texts.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from backend.corpus.script import only_han, simplify
from backend.corpus.shape import clauses
from backend.errors import SettingsError

# Poets with enough poems in the four forms, of both dynasties, some of them near to the two in time and manner.
DISTRACTORS = ("白居易", "刘禹锡", "李商隐", "杜牧", "许浑", "陆游", "杨万里", "黄庭坚", "王安石", "梅尧臣")
MOST = 1500  # poems of one author; the large collections would drown the others


@dataclass(frozen=True, slots=True)
class Example:
    """A poem and who wrote it."""

    author: str
    text: str


class AuthorClassifier:
    """Names the author of a poem, one of those that it has learned.

    Args:
        examples: poems of two authors or more.

    Raises:
        SettingsError: scikit-learn isn't installed, or there are too few authors.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        if len({example.author for example in examples}) < 2:
            raise SettingsError(
                "The author classifier needs poems of two authors or more.", "作者分类器至少需要两位作者的诗。"
            )
        self._model = _make_model()
        self._model.fit([plain(example.text) for example in examples], [example.author for example in examples])

    def authors_of(self, texts: Sequence[str]) -> list[str]:
        """The author of each poem, as the classifier sees it."""
        return [str(name) for name in self._model.predict([plain(text) for text in texts])] if texts else []


def accuracy(classifier: AuthorClassifier, examples: Sequence[Example]) -> float | None:
    """Share of poems whose author is named; None where there is no poem."""
    named = classifier.authors_of([example.text for example in examples])
    hits = [name == example.author for name, example in zip(named, examples, strict=True)]
    return sum(hits) / len(hits) if hits else None


def named_counts(classifier: AuthorClassifier, texts: Sequence[str]) -> dict[str, int]:
    """How many of the poems are ascribed to whom, the most frequent first."""
    return dict(Counter(classifier.authors_of(texts)).most_common())


def plain(text: str) -> str:
    """Characters alone, one line of verse a line: what punctuation an edition or a model prefers must not tell."""
    return "\n".join(only_han(line) for line in clauses(simplify(text)))


def poems_of(
    database: sqlite3.Connection, author: str, forms: Collection[str], leave_out: Collection[int] = (), most: int = MOST
) -> list[Example]:
    """An author's whole poems in these forms, each once, at most ``most`` of them, drawn at random but always the same.

    Args:
        leave_out: the corpus' numbers of poems that are kept for testing.
    """
    marks = ",".join("?" * len(forms))
    rows = database.execute(
        f"SELECT id, text FROM poem WHERE author = ? AND form IN ({marks}) AND twin IS NULL AND gaps = 0 ORDER BY id",
        (author, *sorted(forms)),
    )
    kept = set(leave_out)
    poems = [Example(author, text) for number, text in rows if number not in kept]
    return random.Random(author).sample(poems, min(most, len(poems)))


def _make_model() -> Any:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC
    except ImportError as error:
        raise SettingsError(
            "The author classifier needs scikit-learn; install it with: pip install 'moyun[eval]'.",
            "作者分类器需要 scikit-learn；请安装：pip install 'moyun[eval]'。",
        ) from error
    features = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True, lowercase=False)
    return make_pipeline(features, LinearSVC(C=0.5, class_weight="balanced", random_state=0))
