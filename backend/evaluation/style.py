"""``moyun eval style``: are the adapters styles? Held-out poems, an author classifier, copied lines, variety, answers.

Everything that takes the model is kept in the cache, by the digest of the weights, so that a second run takes seconds
and a broken one goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.chat.prompts import poem_messages
from backend.corpus import store
from backend.errors import SettingsError
from backend.evaluation import nats, style_poems
from backend.evaluation.blind import LABELS, BlindPair, count_verdicts, write_pairs
from backend.evaluation.poems import PoemFile, Written, progress, weights_of
from backend.settings import Settings, load_settings
from backend.types import Style

if TYPE_CHECKING:
    import sqlite3

    from backend.models.sources import PreparedModel
    from backend.training.verse import Verse

BEFORE = "_before"  # what is added to a style's id to name the column of its earlier adapter
SIDES = ("adapter", "base")
PAIRS_TO_READ = 30
PARTS = ("matrix", "poems", "answers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--adapters", type=Path, metavar="FOLDER", help="folder of styles (default: the app's)")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="styles with earlier adapters, to compare with")
    parser.add_argument("--poems", type=int, default=100, help="poems to write in each style (100)")
    parser.add_argument("--held-out", type=int, default=30, help="held-out shi and ci of each poet (30)")
    parser.add_argument("--rows", type=int, default=8, help="poems that are written at the same time (8)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (all)")
    parser.add_argument("--verdicts", type=Path, help="a reader's verdicts on the pairs, lines such as 7 A, 8 B or 9 =")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")


def run(options: argparse.Namespace) -> int:
    """Measure and print."""
    from backend.evaluation.style_scores import judge
    from backend.evaluation.style_table import print_table
    from backend.models.progress import Bars
    from backend.models.sources import resolve

    if min(options.poems, options.held_out, options.rows) < 1:
        raise SettingsError(
            "--poems, --held-out and --rows must be 1 or more.", "--poems、--held-out、--rows 至少为 1。"
        )
    began = time.perf_counter()
    settings = load_settings()
    blind_folder = settings.cache / "evaluation" / "style-pairs"
    if options.verdicts is not None:
        print(json.dumps(count_verdicts(options.verdicts, blind_folder / LABELS, *SIDES), ensure_ascii=False))
        return 0
    if options.adapters is not None:
        settings = settings.model_copy(update={"adapters": options.adapters})
    with Bars() as bars:
        prepared = resolve(settings, bars)
    styles = trained_styles(settings.adapters, prepared)
    before = trained_styles(options.against, prepared) if options.against else {}
    with store.opened(settings.cache) as database:
        held_out = {name: _held_out(style, database) for name, style in styles.items()}
        report: dict[str, Any] = {
            "model": prepared.name,
            "adapters": {name: weights_of(style) for name, style in styles.items()},
            "against": {name: weights_of(style) for name, style in before.items()},
        }
        if "matrix" in options.parts:
            report["matrix"] = _matrix(settings, prepared, styles, before, nats.grouped(held_out, options.held_out))
        if "poems" in options.parts or "answers" in options.parts:
            poems, answers = asyncio.run(_with_engine(options, settings, identity(prepared), styles, database))
            report |= {"answers": answers} if answers else {}
            if poems:
                report["poems"] = judge(database, styles, held_out, poems)
                write_pairs(make_pairs(poems, PAIRS_TO_READ), blind_folder)
    report["seconds"] = round(time.perf_counter() - began)
    print_table(report)
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
    return 0


def trained_styles(folder: Path, prepared: PreparedModel) -> dict[str, Style]:
    """The styles in a folder that have a poet and an adapter for the model.

    Raises:
        SettingsError: there is none.
    """
    from backend.models.adapters import StyleRegistry

    found = StyleRegistry.discover(folder, prepared.name, prepared.digest).styles
    styles = {name: style for name, style in found.items() if style.adapter is not None and style.poet is not None}
    if not styles:
        raise SettingsError(
            f"{folder} has no style with a poet and an adapter for {prepared.name}.",
            f"{folder} 里没有为 {prepared.name} 训练的诗人风格。",
        )
    return styles


def _held_out(style: Style, database: sqlite3.Connection) -> Sequence[Verse]:
    from backend.training.poets import held_out_poems

    assert style.adapter is not None
    assert style.poet is not None
    return held_out_poems(style.adapter, database, style.poet)


def _matrix(
    settings: Settings,
    prepared: PreparedModel,
    styles: Mapping[str, Style],
    before: Mapping[str, Style],
    groups: Mapping[nats.Group, Sequence[Verse]],
) -> list[dict[str, Any]]:
    import torch

    from backend.models.dense import load_dense
    from backend.models.machine import physical_cores

    def load(adapters: Mapping[str, Path]) -> nats.AdapterScorers:
        torch.set_num_threads(settings.threads or physical_cores())
        return nats.AdapterScorers(load_dense(prepared, torch.bfloat16), adapters)

    columns: dict[str, Style | None] = {nats.BASE: None, **styles}
    columns |= {name + BEFORE: style for name, style in before.items() if name in styles}
    cache = settings.cache / "evaluation" / f"nats-{identity(prepared)}"
    return nats.describe(nats.rows(groups, styles, columns, cache, load), BEFORE)


def make_pairs(poems: Mapping[str, Mapping[str, Sequence[Written]]], number: int) -> list[BlindPair]:
    """Poems on unseen topics, the adapter's beside the base model's: as many of each style, spread over the topics."""
    pairs = []
    for at, voices in enumerate(poems.values()):
        both = [pair for pair in zip(*voices.values(), strict=True) if not pair[0].order.titled]
        share = number // len(poems) + (at < number % len(poems))
        for own, base in random.Random(at).sample(both, min(share, len(both))):
            order = own.order
            pairs.append(BlindPair(order.topic, order.form, dict(zip(SIDES, (own.text, base.text), strict=True))))
    return pairs


async def _with_engine(
    options: argparse.Namespace,
    settings: Settings,
    key: str,
    styles: Mapping[str, Style],
    database: sqlite3.Connection,
) -> tuple[dict[str, dict[str, list[Written]]], dict[str, Any]]:
    """The poems by style and voice, and how the answers compare; either is empty where it isn't wanted."""
    from backend.evaluation import answers
    from backend.startup import start

    poems: dict[str, dict[str, list[Written]]] = {}
    compared: dict[str, Any] = {}
    studio = start(settings)
    try:
        if "poems" in options.parts:
            file = PoemFile(settings.cache / "evaluation" / f"style-{key}-{prompt_digest(styles)}.jsonl")
            for name, style in styles.items():
                orders = style_poems.make_orders(style, options.poems, database)
                poems[name] = {
                    voice.id: await style_poems.write(studio, voice, orders, file, options.rows, progress(voice.id))
                    for voice in style_poems.add_voices(studio, style)
                }
        if "answers" in options.parts:
            compared = await answers.compare(studio, list(styles.values())[:2], answers.questions())
    finally:
        await studio.close()
    return poems, compared


def identity(prepared: PreparedModel) -> str:
    """The model's part in the names of cached files."""
    return f"{prepared.path.name}-{(prepared.digest or 'unknown')[:12]}"


def prompt_digest(styles: Mapping[str, Style]) -> str:
    """Tells poems apart that were asked for in other words."""
    asked = [
        message.content
        for style in styles.values()
        for message in (*poem_messages(style, "七律", title="江村"), *poem_messages(style, "七律", theme="秋思"))
    ]
    return hashlib.sha256("\n".join(asked).encode()).hexdigest()[:12]
