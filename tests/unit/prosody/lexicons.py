"""A small vocabulary for tests: single characters, words of two and more, marks, and tokens that verse can't use."""

from __future__ import annotations

from functools import cache

import numpy as np

from backend.prosody.constraint import MetreConstraint
from backend.prosody.lexicon import Fitting, Lexicon
from backend.prosody.original import Original
from backend.prosody.tables import BookName, load_book
from tests.unit.prosody.famous_poems import POEMS

END = 7
MARKS = ("，", "。", "\n", "。\n", "\n\n", "、")
JUNK = ("hello", "，在", "的，", "\x80", "春风，", "龘龘龘", "發", " ", "1")


@cache
def small_lexicon(book: BookName = "pingshui", fitting: Fitting = "all") -> Lexicon:
    """About 3,000 characters and 2,000 words under a rhyme book; the end of the answer is token 7."""
    known = load_book("pingshui").own
    common = [character for character in known if "一" <= character <= "鿿"][::4]
    verse = "".join(character for poem in POEMS for character in poem.text if character in known)
    pairs = {verse[place : place + 2] for place in range(len(verse) - 1)}
    triples = {verse[place : place + 3] for place in range(0, len(verse) - 2, 5)}
    rare = "江双窗邦缸降腔撞幢桩龙庞"
    doubled = ("萋萋", "悠悠", "日复日", "一对一", "萧萧")
    texts = [*sorted({*common, *verse, *rare, *pairs, *triples, *doubled}), *MARKS, *JUNK]
    return Lexicon(dict(enumerate(texts, 10)), END, load_book(book), fitting=fitting)


def walk(constraint: MetreConstraint | Original, lexicon: Lexicon, rng: np.random.Generator) -> str:
    """A poem written by choosing among the allowed tokens by chance."""
    written: list[str] = []
    while True:
        places = np.flatnonzero(constraint.mask())
        assert len(places), "".join(written)
        place = int(rng.choice(places))
        constraint.advance(int(lexicon.ids[place]))
        if int(lexicon.ids[place]) == lexicon.end:
            return "".join(written)
        written.append(lexicon.texts[place])
