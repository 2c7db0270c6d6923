"""``moyun eval drafts``: is the best of four drafts better than one?

For each topic five poems are written: one stands alone, the other four are the search, of which the best is kept. All
keep their form, so they are ranked by what is left: no line of an old poem, then nats a character under the base and
words that come again. The pairs go to a file without labels, shuffled, for a person to read; the labels are in
another file, which ``--verdicts`` compares with what the reader wrote.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from backend.errors import SettingsError
from backend.evaluation.blind import LABELS, PAIRS, BlindPair, count_verdicts, write_pairs
from backend.evaluation.metre import STYLES
from backend.evaluation.poems import Order, PoemFile, Written, messages_of, progress, write_poems
from backend.evaluation.topics import TOPICS
from backend.settings import Settings, load_settings

if TYPE_CHECKING:
    from backend.types import Style

FORMS = ("七律", "五律", "七绝", "浣溪沙", "五绝")
CANDIDATES = 4
TEMPERATURE = 0.7  # the page's default
REPEATS = 2.0  # nats a character that a poem full of repeated characters would be put back by
_LINE = re.compile("[㐀-䶿一-鿿]+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--topics", type=int, default=40, help="topics, one pair each (40)")
    parser.add_argument("--rows", type=int, default=10, help="poems that are written at the same time (10)")
    parser.add_argument("--out", type=Path, help="folder of the poems and the pairs (default: in the cache)")
    parser.add_argument("--verdicts", type=Path, help="a reader's verdicts, lines such as 7 A, 8 B or 9 =")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")


def run(options: argparse.Namespace) -> int:
    """Write the drafts, rank them, print both sides; with verdicts, count them."""
    settings = load_settings()
    folder: Path = options.out or settings.cache / "evaluation" / "drafts"
    if not 1 <= options.topics <= len(TOPICS):
        raise SettingsError(f"--topics must be 1 to {len(TOPICS)}.", f"--topics 须为 1 到 {len(TOPICS)}。")
    if options.verdicts is not None:
        print(json.dumps(count_verdicts(options.verdicts, folder / LABELS, "best", "single"), ensure_ascii=False))
        return 0
    poems, styles = asyncio.run(_write(options, PoemFile(folder / "poems.jsonl")))
    drafts = judge(poems, styles, folder, settings)
    pairs = make_pairs(drafts)
    write_pairs([pair.blind() for pair in pairs], folder)
    rows = {side: shares([getattr(pair, side) for pair in pairs]) for side in ("single", "best")}
    print(f"{len(pairs)} topics; {folder / PAIRS} has the pairs without labels")
    for name in rows["single"]:
        print(f"{name:<48}{rows['single'][name]:>8}{rows['best'][name]:>8}")
    better = sum(pair.best.nats < pair.single.nats for pair in pairs)
    print(f"the best of {CANDIDATES} has fewer nats a character in {better} of {len(pairs)} pairs")
    if options.json:
        print(json.dumps(rows | {"pairs": len(pairs), "fewer_nats": better}, ensure_ascii=False))
    return 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A poem and what it is ranked by."""

    poem: Written
    nats: float  # a character, under the base without an adapter
    repeated: float  # share of characters that stood in the poem before
    words: int  # pairs of characters that stood in the poem before
    copied: int  # lines that stand in an old poem; 0 where there is no corpus

    @property
    def rank(self) -> tuple[int, float]:
        """Smaller is better."""
        return self.copied, self.nats + REPEATS * self.repeated


@dataclass(frozen=True, slots=True)
class Pair:
    """One draft, and the best of several."""

    single: Draft
    best: Draft

    def blind(self) -> BlindPair:
        """For the reader."""
        order = self.single.poem.order
        return BlindPair(order.topic, order.form, {"single": self.single.poem.text, "best": self.best.poem.text})


def make_orders(topics: int) -> list[Order]:
    """One poem that stands alone and the candidates, topic by topic."""
    return [
        Order(FORMS[index % len(FORMS)], STYLES[index % len(STYLES)], TEMPERATURE, TOPICS[index], seed, True)
        for index in range(topics)
        for seed in range(1000 * index, 1000 * index + 1 + CANDIDATES)
    ]


async def _write(options: argparse.Namespace, file: PoemFile) -> tuple[list[Written], dict[str, Style]]:
    from backend.startup import start

    studio = start(load_settings())
    try:
        poems = await write_poems(studio, make_orders(options.topics), file, options.rows, progress("written"))
        return poems, studio.styles.styles
    finally:
        await studio.close()


def judge(poems: Sequence[Written], styles: dict[str, Style], folder: Path, settings: Settings) -> list[Draft]:
    """Every draft with its figures."""
    from backend.evaluation.scoring import score

    tasks = [(messages_of(poem.order, styles[poem.order.style]), poem.text) for poem in poems]
    nats = score(tasks, folder / "scores.jsonl", progress("scored"))
    copied = _copied_lines([poem.text for poem in poems], settings)
    return [
        Draft(poem, value or 0.0, *repetition(poem.text), lines)
        for poem, value, lines in zip(poems, nats, copied, strict=True)
    ]


def _copied_lines(texts: Sequence[str], settings: Settings) -> list[int]:
    from backend.corpus import store
    from backend.corpus.copying import copies

    with store.opened(settings.cache) as database:
        return [sum(copy.verbatim for copy in copies(database, text)) for text in texts]


def repetition(text: str) -> tuple[float, int]:
    """(share of characters that stood in the poem before, pairs of neighbours that did); 萧萧 is one use."""
    lines = _LINE.findall(text)
    uses = Counter(
        character for line in lines for place, character in enumerate(line) if line[place - 1 : place] != character
    )
    pairs = Counter(line[place : place + 2] for line in lines for place in range(len(line) - 1))
    total = uses.total()
    return (total - len(uses)) / total if total else 0.0, pairs.total() - len(pairs)


def make_pairs(drafts: Sequence[Draft]) -> list[Pair]:
    """Each topic's single draft against the best of its candidates."""
    size = 1 + CANDIDATES
    groups = [drafts[start : start + size] for start in range(0, len(drafts), size)]
    return [Pair(group[0], min(group[1:], key=lambda draft: draft.rank)) for group in groups]


def shares(drafts: Sequence[Draft]) -> dict[str, float]:
    """Means over the drafts of one side."""
    return {
        "nats a character under the base": round(mean(draft.nats for draft in drafts), 3),
        "characters that come again, percent": round(100 * mean(draft.repeated for draft in drafts), 2),
        "words of two characters that come again, a poem": round(mean(draft.words for draft in drafts), 2),
        "copied lines, a poem": round(mean(draft.copied for draft in drafts), 3),
    }
