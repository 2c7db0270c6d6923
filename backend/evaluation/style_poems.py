"""The poems that a style is judged by: written through the engine as the page would.

A voice is a style with its adapter, which takes no line from its training poems, or the base model that is asked for
the same poet.
"""

from __future__ import annotations

import random
import sqlite3
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.chat.options import load_schema
from backend.errors import CorpusError
from backend.evaluation.poems import Order, PoemFile, Written, write_poems
from backend.settings import ROOT
from backend.types import Style

if TYPE_CHECKING:
    from backend.startup import Studio

FORMS = ("五绝", "七绝", "五律", "七律")
TITLES = 0.2  # share of the poems that are asked for by the title of a real one
BASE = "_base"  # what is added to a style's id to name the voice without its adapter
FIRST_FREE = 1000  # seed of the first poem on an unseen topic, so that more poems are the fewer ones and others


@cache
def topics() -> dict[str, Any]:
    """``unseen`` topics, and ``titles`` by style."""
    return tomllib.loads(Path(__file__).with_name("style_topics.toml").read_text(encoding="utf-8"))


def make_orders(style: Style, number: int, database: sqlite3.Connection) -> list[Order]:
    """``number`` poems to write in a style: a fifth by titles of the poet's own poems and in their form, the others on
    unseen topics in the four forms in turn, all at the page's default settings.

    Raises:
        CorpusError: a title is not the poet's.
    """
    titled = _titles(style, round(number * TITLES), database)
    unseen = topics()["unseen"]
    free = [(unseen[at % len(unseen)], FORMS[at % len(FORMS)]) for at in range(number - len(titled))]
    defaults = load_schema(ROOT / "chainlit.config.toml").defaults([style.id])

    def order(topic: str, form: str, seed: int, titled: bool) -> Order:
        return Order(
            form=form,
            style=style.id,
            temperature=defaults.temperature,
            topic=topic,
            seed=seed,
            constrained=True,
            titled=titled,
            min_p=defaults.min_p,
            repetition_penalty=defaults.repetition_penalty,
        )

    return [order(topic, form, seed, True) for seed, (topic, form) in enumerate(titled)] + [
        order(topic, form, seed, False) for seed, (topic, form) in enumerate(free, FIRST_FREE)
    ]


def _titles(style: Style, number: int, database: sqlite3.Connection) -> list[tuple[str, str]]:
    """Titles with their forms: those that are listed for the style, or short ones drawn from its poet's."""
    marks = ",".join("?" * len(FORMS))
    rows = database.execute(
        f"SELECT title, form FROM poem WHERE author = ? AND form IN ({marks}) AND twin IS NULL ORDER BY id DESC",
        (style.poet, *FORMS),
    )
    forms = dict(rows.fetchall())
    listed = topics()["titles"].get(style.id)
    short = sorted(title for title in forms if len(title) <= 5)
    chosen = listed[:number] if listed else random.Random(0).sample(short, min(number, len(short)))
    missing = [title for title in chosen if title not in forms]
    if missing:
        raise CorpusError(
            f"The corpus has no poem {missing[0]!r} by {style.poet}; build it anew: moyun corpus build --force.",
            f"语料库中没有{style.poet}的《{missing[0]}》；请重新生成：moyun corpus build --force。",
        )
    return [(title, forms[title]) for title in chosen]


def add_voices(studio: Studio, style: Style) -> tuple[Style, ...]:
    """The style itself, and the base model that is asked in its words; both are known to the studio then."""
    bare = replace(style, id=style.id + BASE, adapter=None, known_lines=None)
    studio.styles.styles[bare.id] = bare
    return style, bare


async def write(
    studio: Studio, voice: Style, orders: Sequence[Order], file: PoemFile, rows: int, note: Callable[[int, int], None]
) -> list[Written]:
    """Every order in one voice."""
    return await write_poems(studio, [replace(order, style=voice.id) for order in orders], file, rows, note)
