"""``moyun eval metre``: do poems keep their form, with the constraint and without it, and what does it cost?

Poems are written through the engine that serves, over every form and tune, three styles and four temperatures. They
go to a file as they are finished, so that a broken run goes on where it was; delete the file to begin anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from backend.errors import SettingsError
from backend.evaluation.poems import Order, PoemFile, Written, messages_of, progress, share, write_poems
from backend.evaluation.topics import TOPICS
from backend.prosody.catalog import all_forms, find_form
from backend.prosody.checker import check
from backend.prosody.verdict import Verdict
from backend.settings import load_settings

if TYPE_CHECKING:
    from backend.startup import Studio
    from backend.types import Style

STYLES = ("general", "du_fu", "su_shi")
TEMPERATURES = (0.3, 0.7, 1.0, 1.5)
SHAPES = {"绝": "绝句", "律": "律诗", "排": "排律", "古": "古风"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    cells = len(all_forms()) * len(STYLES) * len(TEMPERATURES)
    parser.add_argument("--poems", type=int, default=cells, help=f"poems under the constraint ({cells}: one a cell)")
    parser.add_argument("--free", type=int, help="poems without it (as many)")
    parser.add_argument("--rows", type=int, default=8, help="poems that are written at the same time (8)")
    parser.add_argument("--pairs", type=int, default=12, help="pairs of poems that decoding is timed with (12)")
    parser.add_argument("--scores", type=int, help="poems of each kind that get nats a character (as many as are free)")
    parser.add_argument("--out", type=Path, help="file of the poems (default: in the cache)")
    parser.add_argument("--json", action="store_true", help="end with one JSON line")


def run(options: argparse.Namespace) -> int:
    """Write, check, print. Exit code 1 where a poem under the constraint breaks its form."""
    settings = load_settings()
    path = options.out or settings.cache / "evaluation" / "metre.jsonl"
    free = options.poems if options.free is None else options.free
    scored = free if options.scores is None else options.scores
    if min(options.poems, options.rows) < 1 or min(free, scored, options.pairs) < 0:
        raise SettingsError(
            "--poems and --rows must be 1 or more, --free, --scores and --pairs 0 or more.",
            "--poems 和 --rows 至少为 1，--free、--scores 和 --pairs 不能为负。",
        )
    poems, styles, figures = asyncio.run(_write(options, free, PoemFile(path)))
    chosen = poems[:scored] + poems[options.poems : options.poems + scored]  # the same orders, kept and free
    nats = dict(zip((poem.order for poem in chosen), _score(chosen, styles, path), strict=True))
    judged = [Judged(poem, check(poem.text, poem.order.form), nats.get(poem.order)) for poem in poems]
    rows = table(judged)
    broken = [item for item in judged if item.poem.order.constrained and not item.verdict.fits]
    _print(rows, figures, broken)
    if options.json:
        weights = {poem.order.style: poem.weights for poem in poems}
        named = {"weights": weights, "rows": rows, "broken": [describe(item) for item in broken]}
        print(json.dumps(figures | named, ensure_ascii=False))
    return 1 if broken else 0


def _score(poems: list[Written], styles: dict[str, Style], path: Path) -> list[float | None]:
    from backend.evaluation.scoring import score

    tasks = [(messages_of(poem.order, styles[poem.order.style]), poem.text) for poem in poems]
    return score(tasks, path.with_suffix(".scores.jsonl"), progress("scored"))


async def _write(
    options: argparse.Namespace, free: int, file: PoemFile
) -> tuple[list[Written], dict[str, Style], dict[str, Any]]:
    """Everything that needs the engine."""
    from backend.evaluation.constraint_cost import STYLE, time_masks, time_tokens
    from backend.startup import start

    studio: Studio = start(load_settings())
    try:
        lacking = [style for style in STYLES if style not in studio.styles.styles]
        if lacking or studio.metre is None:
            raise SettingsError(
                f"The styles {', '.join(STYLES)} and a model are needed; lacking: {', '.join(lacking) or 'a model'}.",
                f"需要 {'、'.join(STYLES)} 三个风格和一个模型；缺少：{'、'.join(lacking) or '模型'}。",
            )
        orders = make_orders(options.poems, constrained=True) + make_orders(free, constrained=False)
        poems = await write_poems(studio, orders, file, options.rows, progress("written"))
        figures: dict[str, Any] = {"model": studio.generator.model_name}
        end = studio.generator.tokenizer.eos_token_id  # type: ignore[attr-defined]
        figures["mask"] = time_masks(studio.metre, end, studio.known_lines(studio.styles.styles[STYLE]))
        if options.pairs:
            figures["decode"] = [await time_tokens(studio, options.pairs, rows) for rows in (1, 4)]
        return poems, studio.styles.styles, figures
    finally:
        await studio.close()


def make_orders(number: int, *, constrained: bool) -> list[Order]:
    """The first orders of an endless list that has every form, style and temperature once before any comes again.

    The list without the constraint is the same, poem for poem.
    """
    cells = list(product([form.name for form in all_forms()], STYLES, TEMPERATURES))
    random.Random(0).shuffle(cells)
    orders = []
    for index in range(number):
        form, style, temperature = cells[index % len(cells)]
        topic = TOPICS[index % len(TOPICS)]
        orders.append(Order(form, style, temperature, topic, seed=index, constrained=constrained))
    return orders


@dataclass(frozen=True, slots=True)
class Judged:
    """A poem, its verdict, and nats a character under the base."""

    poem: Written
    verdict: Verdict
    nats: float | None


def group_of(form: str) -> str:
    """绝句, 律诗, 排律, 古风 or 词."""
    return "词" if find_form(form).kind == "ci" else SHAPES[form[-1]]


def table(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """A row for all poems, each group of forms, each style and each temperature, with and without the constraint."""
    keys: list[tuple[str, Callable[[Order], object]]] = [
        ("all", lambda order: "all"),
        ("form", lambda order: group_of(order.form)),
        ("style", lambda order: order.style),
        ("temperature", lambda order: order.temperature),
    ]
    rows = []
    for by, key in keys:
        for value in dict.fromkeys(sorted((key(item.poem.order) for item in judged), key=str)):
            for constrained in (True, False):
                part = [
                    item
                    for item in judged
                    if item.poem.order.constrained == constrained and key(item.poem.order) == value
                ]
                if part:
                    rows.append({"by": by, "value": value, "constrained": constrained} | shares(part))
    return rows


def shares(part: Sequence[Judged]) -> dict[str, Any]:
    """Percent of poems that keep length, tones, rhyme and all three, and mean nats a character."""
    nats = [item.nats for item in part if item.nats is not None]
    return {
        "poems": len(part),
        "length": share(item.verdict.length_fits for item in part),
        "tones": share(item.verdict.tones_fit for item in part),
        "rhyme": share(item.verdict.rhyme_fits for item in part),
        "fits": share(item.verdict.fits for item in part),
        "nats": round(mean(nats), 2) if nats else None,
    }


def describe(item: Judged) -> dict[str, Any]:
    """Which poem broke its form, and how."""
    order = item.poem.order
    faults = [finding.en for finding in item.verdict.findings if finding.severity == "fault"]
    return {
        "form": order.form,
        "style": order.style,
        "temperature": order.temperature,
        "topic": order.topic,
        "seed": order.seed,
        "faults": faults,
    }


def _print(rows: list[dict[str, Any]], figures: dict[str, Any], broken: list[Judged]) -> None:
    print(f"{figures['model']}; percent of poems; nats a character under the base without an adapter")
    print(f"{'':24}{'poems':>7}{'length':>8}{'tones':>8}{'rhyme':>8}{'all 3':>8}{'nats':>7}")
    for row in rows:
        name = f"{row['value']} {'kept' if row['constrained'] else 'free'}"
        wide = sum(ord(letter) > 0x2E80 for letter in name)
        nats = "-" if row["nats"] is None else f"{row['nats']:.2f}"
        numbers = "".join(f"{row[column]:>8}" for column in ("length", "tones", "rhyme", "fits"))
        print(f"{name:<{24 - wide}}{row['poems']:>7}{numbers}{nats:>7}")
    mask = figures["mask"]
    print(f"one mask: {mask['mask_ms']} ms (99 in 100 under {mask['mask_p99_ms']}), its update {mask['advance_ms']} ms")
    for decode in figures.get("decode", ()):
        print(
            f"decode time a token, kept over free, {decode['rows']} at a time: {decode['ratio']} "
            f"({decode['lowest']} to {decode['highest']}, {decode['pairs']} pairs)"
        )
    for item in broken:
        print("broken:", json.dumps(describe(item), ensure_ascii=False))
