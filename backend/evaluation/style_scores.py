"""What is measured about written poems, and beside it about real ones: author, copied lines, metre, variety."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.evaluation.authorship import DISTRACTORS, AuthorClassifier, Example, accuracy, named_counts, poems_of
from backend.evaluation.copied import count_copies, percent, repeated_share
from backend.evaluation.diversity import distinct, on_topic, self_bleu
from backend.evaluation.poems import Written
from backend.evaluation.style_poems import FORMS
from backend.prosody.checker import check
from backend.types import Style

if TYPE_CHECKING:
    from backend.training.verse import Verse

TESTED = 10  # one in so many of a distractor's poems tests the classifier


def judge(
    database: sqlite3.Connection,
    styles: Mapping[str, Style],
    held_out: Mapping[str, Sequence[Verse]],
    poems: Mapping[str, Mapping[str, Sequence[Written]]],
) -> dict[str, Any]:
    """Every figure of the poems, by style.

    Args:
        styles: the styles now.
        held_out: style -> poems of its poet that the classifier must not have seen.
        poems: style -> voice -> its poems.
    """
    classifier, real = _learn(database, styles, held_out)
    found: dict[str, Any] = {}
    for name, voices in poems.items():
        poet = styles[name].poet or ""
        found[name] = {voice: _of_voice(database, classifier, poet, written) for voice, written in voices.items()}
        forms = Counter(poem.order.form for poem in next(iter(voices.values())))
        found[name]["real"] = _of_real(database, poet, forms) | {"own_author": real[poet]}
    return {"styles": found, "distractors_named": real["distractors"], "authors": len(DISTRACTORS) + len(styles)}


def _learn(
    database: sqlite3.Connection, styles: Mapping[str, Style], held_out: Mapping[str, Sequence[Verse]]
) -> tuple[AuthorClassifier, dict[str, float | None]]:
    """The classifier, and how often it names the author of real poems that it has not seen."""
    tests: dict[str, list[Example]] = {}
    training: list[Example] = []
    for name, style in styles.items():
        assert style.poet is not None
        held = [verse for verse in held_out[name] if verse.form in FORMS]
        tests[style.poet] = [Example(style.poet, verse.text) for verse in held]
        training += poems_of(database, style.poet, FORMS, {n for verse in held for n in (verse.source, verse.group)})
    others = [author for author in DISTRACTORS if author not in tests]
    tests["distractors"] = []
    for author in others:
        examples = poems_of(database, author, FORMS)
        tests["distractors"] += examples[::TESTED]
        training += [example for at, example in enumerate(examples) if at % TESTED]
    classifier = AuthorClassifier(training)
    return classifier, {author: _rounded(accuracy(classifier, examples)) for author, examples in tests.items()}


def _of_voice(
    database: sqlite3.Connection, classifier: AuthorClassifier, poet: str, written: Sequence[Written]
) -> dict[str, Any]:
    parts = {
        "all": list(written),
        "unseen": [poem for poem in written if not poem.order.titled],
        "titles": [poem for poem in written if poem.order.titled],
    }
    return {part: _of_poems(database, classifier, poet, chosen) for part, chosen in parts.items() if chosen}


def _of_poems(
    database: sqlite3.Connection, classifier: AuthorClassifier, poet: str, written: Sequence[Written]
) -> dict[str, Any]:
    texts = [poem.text for poem in written]
    topics = [poem.order.topic for poem in written]
    kept = sum(check(poem.text, poem.order.form).fits for poem in written)
    return {
        "poems": len(texts),
        "own_author": _rounded(accuracy(classifier, [Example(poet, text) for text in texts])),
        "named": dict(list(named_counts(classifier, texts).items())[:4]),
        "copied_from_poet": count_copies(database, texts, author=poet).to_json(),
        "copied_from_anyone": count_copies(database, texts).to_json(),
        "metre_percent": percent(kept, len(texts)),
        **_variety(texts, topics),
    }


def _of_real(database: sqlite3.Connection, poet: str, forms: Mapping[str, int]) -> dict[str, Any]:
    """The same of real poems by the poet, in equal numbers of equal forms where there are as many."""
    texts, topics = [], []
    for form, number in forms.items():
        rows = database.execute(
            "SELECT title, text FROM poem WHERE author = ? AND form = ? AND twin IS NULL AND gaps = 0 ORDER BY id",
            (poet, form),
        ).fetchall()
        for title, text in random.Random(form).sample(rows, min(number, len(rows))):
            texts.append(text)
            topics.append(title)
    copied = count_copies(database, texts, not_author=poet, dynasty="唐").to_json()  # later poets quote these
    return {"poems": len(texts), "copied_from_tang": copied, **_variety(texts, topics)}


def _variety(texts: Sequence[str], topics: Sequence[str]) -> dict[str, float]:
    return {
        "distinct_1": round(distinct(texts, 1), 3),
        "distinct_2": round(distinct(texts, 2), 3),
        "self_bleu_2": round(self_bleu(texts, 2), 3),
        "self_bleu_3": round(self_bleu(texts, 3), 3),
        "topic_share": round(on_topic(texts, topics), 3),
        "hammered_share": round(repeated_share(texts), 3),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
