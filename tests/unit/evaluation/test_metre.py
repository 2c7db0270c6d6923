"""``moyun eval metre`` and its parts: every cell is ordered, a broken run goes on, the table counts what it says."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from backend.cli import main
from backend.evaluation import metre
from backend.evaluation.metre import STYLES, TEMPERATURES, Judged, describe, group_of, make_orders, shares, table
from backend.evaluation.poems import Order, PoemFile, Written, write_poems
from backend.evaluation.topics import TOPICS
from backend.prosody.catalog import all_forms
from backend.prosody.checker import check
from backend.types import Finished, GenerationRequest, Style, TokenEvent, Usage

GOOD = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
ORDER = Order("五绝", "general", 0.7, "登高", 0, True)


def judged(text: str, order: Order = ORDER, nats: float | None = None) -> Judged:
    """A poem with its verdict."""
    return Judged(Written(order, "base", text, 24), check(text, order.form), nats)


def test_every_form_style_and_temperature_comes_once_before_any_comes_again() -> None:
    number = len(all_forms()) * len(STYLES) * len(TEMPERATURES)
    orders = make_orders(number, constrained=True)
    assert len({(order.form, order.style, order.temperature) for order in orders}) == number >= 600
    assert len({order.topic for order in orders}) == len(TOPICS) >= 60
    assert make_orders(number + 1, constrained=True)[:-1] == orders


def test_free_poems_are_asked_for_exactly_as_those_under_the_constraint() -> None:
    kept, free = make_orders(40, constrained=True), make_orders(40, constrained=False)
    assert [replace(order, constrained=False) for order in kept] == free


def test_the_table_has_a_row_for_each_group_and_counts_faults_by_kind() -> None:
    bad = judged(GOOD.replace("海", "江"), replace(ORDER, constrained=False))
    short = judged("白日依山尽。", replace(ORDER, constrained=False, temperature=1.5))
    rows = table([judged(GOOD, nats=2.0), judged(GOOD, replace(ORDER, form="五绝", seed=1), nats=3.0), bad, short])
    everything = {row["constrained"]: row for row in rows if row["by"] == "all"}
    assert everything[True] | {"by": 0} == {
        "by": 0, "value": "all", "constrained": True, "poems": 2,
        "length": 100.0, "tones": 100.0, "rhyme": 100.0, "fits": 100.0, "nats": 2.5,
    }  # fmt: skip
    assert [everything[False][key] for key in ("poems", "length", "tones", "rhyme", "fits", "nats")] == [
        2, 50.0, 0.0, 50.0, 0.0, None,
    ]  # fmt: skip
    assert {row["value"] for row in rows} == {"all", "绝句", "general", 0.7, 1.5}
    assert {group_of(name) for name in ("七律", "五排", "七古", "浣溪沙")} == {"律诗", "排律", "古风", "词"}


def test_a_broken_poem_is_described_by_its_order_and_its_faults() -> None:
    named = describe(judged(GOOD.replace("海", "江")))
    assert (named["form"], named["seed"], named["topic"]) == ("五绝", 0, "登高")
    assert len(named["faults"]) == 1
    assert shares([judged(GOOD)])["nats"] is None


class Studio:
    """Answers each request with one poem; counts them, and breaks after some."""

    def __init__(self, breaks_after: int = 1000) -> None:
        style = Style(id="general", name={}, poem_prompt="", persona={})
        self.styles = type("Styles", (), {"styles": {"general": style}})()
        self.generator, self.metre = self, None
        self.asked: Counter[int] = Counter()
        self._left = breaks_after

    async def stream(self, request: GenerationRequest):  # type: ignore[no-untyped-def]
        """One poem."""
        self._left -= 1
        if self._left < 0:
            raise KeyError("broken")
        self.asked[request.seeds[0]] += 1
        yield TokenEvent(GOOD)
        yield Finished("stop", Usage(1, 0, 24, 0.1, 0.2))


def test_a_run_that_broke_goes_on_and_writes_no_poem_twice(tmp_path: Path) -> None:
    path = tmp_path / "poems.jsonl"
    orders = [replace(ORDER, seed=seed) for seed in range(6)]
    first, second = Studio(breaks_after=4), Studio()
    with pytest.raises(KeyError):
        asyncio.run(write_poems(first, orders, PoemFile(path), 1, lambda done, of: None))  # type: ignore[arg-type]
    with path.open("a") as file:
        file.write('{"order": {"form": "五')  # cut off in the middle of a line
    told: list[tuple[int, int]] = []
    poems = asyncio.run(
        write_poems(second, orders, PoemFile(path), 2, lambda *progress: told.append(progress))  # type: ignore[arg-type]
    )
    assert [poem.order for poem in poems] == orders
    assert first.asked + second.asked == Counter(range(6))
    assert told == [(5, 6), (6, 6)]
    assert len(PoemFile(path).poems) == 6


def test_a_measurement_without_a_model_or_with_bad_numbers_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "poems.jsonl")]
    assert main(["eval", "metre", "--poems", "0", *out]) == 2
    assert "--poems" in capsys.readouterr().err


def test_the_options_of_a_measurement_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["eval", "metre", "--help"])
    assert "--pairs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["eval", "nonsense"])
    assert metre.STYLES == STYLES
