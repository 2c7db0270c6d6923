"""Instruction pairs from a poet's poems, by the very sentences that the chat asks with.

The starting weights were asked by title alone, and a topic that is a title brought the poem of that title back. So
most poems are asked for by key words of their own here, a poem is asked for differently in each pass, and only some
of the prompts name its title. There are no pairs that put plain words into verse: the corpus has no prose versions,
and ones that a model writes would teach its misreadings.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from backend.chat.prompts import poem_sentence
from backend.errors import TrainingError
from backend.training import poets
from backend.training.held_out import Part
from backend.training.recipe import Mix
from backend.training.themes import Words
from backend.training.verse import Verse
from backend.types import Style

Kind = Literal["title", "theme", "form", "continue"]
_MOST_WORDS = 3  # key words in one prompt
_LONGEST_TITLE = 16  # characters; a longer one is a preface


@dataclass(frozen=True, slots=True)
class Pair:
    """What is asked and what is answered. The system prompt is the style's."""

    kind: Kind
    instruction: str
    output: str
    source: int  # of the poem


def make_pairs(verses: Sequence[Verse], words: Words, mix: Mix, seed: int, number: int) -> list[Pair]:
    """Each poem once, in pass ``number``, with a prompt drawn by seed, pass and poem."""
    return [_pair(verse, words, mix, random.Random(f"{seed} {number} {verse.digest}")) for verse in verses]


def _pair(verse: Verse, words: Words, mix: Mix, chance: random.Random) -> Pair:
    found = words.of(verse.lines)
    open_to: dict[Kind, float] = {"form": mix.form}
    if _is_topic(verse):
        open_to["title"] = mix.title
    if found:
        open_to["theme"] = mix.theme
    if verse.form[0] in "五七" and len(verse.lines) >= 4:
        open_to["continue"] = mix.couplet
    kind = chance.choices(list(open_to), list(open_to.values()))[0]
    rhyme = verse.rhyme if chance.random() < mix.rhyme else None
    if kind == "title":
        return Pair(kind, poem_sentence(verse.form, title=verse.title, rhyme=rhyme), verse.text, verse.source)
    if kind == "theme":
        chosen = chance.sample(found, min(len(found), chance.randint(1, _MOST_WORDS)))
        return Pair(kind, poem_sentence(verse.form, theme="、".join(chosen), rhyme=rhyme), verse.text, verse.source)
    if kind == "continue":
        opening, _, rest = verse.text.partition("\n")
        return Pair(kind, f"{poem_sentence(verse.form, rhyme=rhyme)}，首联是“{opening}”", rest, verse.source)
    return Pair(kind, poem_sentence(verse.form, rhyme=rhyme), verse.text, verse.source)


def _is_topic(verse: Verse) -> bool:
    """Whether the title is one to ask by: a tune's name says nothing, 失题 neither."""
    return 1 < len(verse.title) <= _LONGEST_TITLE and verse.title != verse.form and "□" not in verse.title


def held_out_poems(style: Style, corpus: sqlite3.Connection, part: Part = "proof") -> tuple[Verse, ...]:
    """The poems that a style's adapter was never trained on, as the corpus has them.

    Raises:
        TrainingError: the style has no poet or no list, or the corpus lacks the poems.
    """
    if style.poet is None or style.adapter is None:
        raise TrainingError(
            f"Style {style.id} has no poet with an adapter, so no held-out poems.",
            f"风格 {style.id} 没有诗人的适配器，也就没有留出的诗。",
        )
    return poets.held_out_poems(style.adapter, corpus, style.poet, part)


def alpaca(pairs: Sequence[Pair], system: str) -> Iterator[dict[str, str]]:
    """Rows of LLaMA-Factory's Alpaca form."""
    for pair in pairs:
        yield {"instruction": pair.instruction, "input": "", "output": pair.output, "system": system}


def sharegpt(pairs: Sequence[Pair], system: str) -> Iterator[dict[str, object]]:
    """Rows of LLaMA-Factory's ShareGPT form."""
    for pair in pairs:
        turns = [{"from": "human", "value": pair.instruction}, {"from": "gpt", "value": pair.output}]
        yield {"conversations": turns, "system": system}
