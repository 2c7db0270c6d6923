"""The style evaluation: what it orders, when a poem is written again, and which goals it calls missed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backend.errors import CorpusError
from backend.evaluation import answers, style_poems
from backend.evaluation.poems import Order, PoemFile, Written
from backend.evaluation.style import make_pairs, prompt_digest
from backend.evaluation.style_poems import FORMS, make_orders, write
from backend.evaluation.style_scores import judge
from backend.evaluation.style_table import goals, print_table
from backend.training.verse import read_verse
from backend.types import Event, Finished, GenerationRequest, Style, TokenEvent, Usage
from tests.unit.evaluation.conftest import verse

DU_FU = Style(id="someone", name={}, poem_prompt="你是诗人杜甫。", persona={"zh": "甲", "en": "A"}, poet="杜甫")


def test_a_fifth_of_the_poems_has_titles_of_the_poet_and_the_rest_topics_that_are_unseen(
    corpus: sqlite3.Connection,
) -> None:
    orders = make_orders(DU_FU, 100, corpus)
    titled = [order for order in orders if order.titled]
    theirs = {row[0] for row in corpus.execute("SELECT title FROM poem WHERE author = '杜甫'")}
    assert len(orders) == 100
    assert len(titled) == 20
    assert {order.topic for order in titled} <= theirs
    assert {order.form for order in titled} == {"五绝"}  # the only form that this 杜甫 wrote
    free = [order for order in orders if not order.titled]
    assert len({order.topic for order in free}) == 80
    assert {form: sum(order.form == form for order in free) for form in FORMS} == dict.fromkeys(FORMS, 20)
    assert len({order.seed for order in orders}) == 100
    assert all(order.constrained and order.temperature == 0.7 for order in orders)
    assert set(make_orders(DU_FU, 40, corpus)) < set(orders)


def test_listed_titles_must_be_the_poet_s(corpus: sqlite3.Connection) -> None:
    with pytest.raises(CorpusError, match="江村"):
        make_orders(replace(DU_FU, id="du_fu"), 10, corpus)


def test_no_unseen_topic_stands_twice_or_among_the_titles() -> None:
    unseen = style_poems.topics()["unseen"]
    listed = [title for titles in style_poems.topics()["titles"].values() for title in titles]
    assert len(unseen) == len(set(unseen)) == 80
    assert not set(unseen) & set(listed)
    assert [len(titles) for titles in style_poems.topics()["titles"].values()] == [20, 20]


USAGE = Usage(prompt_tokens=1, cached_tokens=0, completion_tokens=1, first_token_seconds=0.0, seconds=0.0)


class Scripted:
    """A generator that answers every request by what ``say`` makes of it and of the adapters that were removed."""

    def __init__(self, say: Callable[[GenerationRequest, list[str]], str]) -> None:
        self.say = say
        self.removed: list[str] = []

    def remove_adapter(self, name: str) -> Any:
        self.removed.append(name)
        return SimpleNamespace(result=lambda: None)

    async def stream(self, request: GenerationRequest) -> AsyncIterator[Event]:
        yield TokenEvent(self.say(request, self.removed))
        yield Finished("stop", USAGE)


def studio(say: Callable[[GenerationRequest, list[str]], str], voice: Style) -> Any:
    """What a studio is to the evaluation."""
    registry = SimpleNamespace(styles={voice.id: voice})
    return SimpleNamespace(styles=registry, metre=None, generator=Scripted(say))


def order(seed: int) -> Order:
    return Order("五绝", "someone", 0.7, "秋", seed, constrained=True)


def test_a_voice_writes_every_order_under_its_own_name(tmp_path: Path) -> None:
    file, seen = PoemFile(tmp_path / "poems.jsonl"), []

    def say(request: GenerationRequest, removed: list[str]) -> str:
        seen.append(request.seeds)
        return f"诗{request.seeds[0]}"

    voice = replace(DU_FU, id="someone_base")
    poems = asyncio.run(write(studio(say, voice), voice, [order(0), order(1)], file, 2, lambda done, of: None))
    assert [(poem.order.style, poem.order.seed, poem.text) for poem in poems] == [
        ("someone_base", 0, "诗0"),
        ("someone_base", 1, "诗1"),
    ]
    assert sorted(seen) == [(0,), (1,)]


def test_other_prompts_are_other_poems() -> None:
    assert prompt_digest({"a": DU_FU}) == prompt_digest({"b": DU_FU})
    assert prompt_digest({"a": DU_FU}) != prompt_digest({"a": replace(DU_FU, poem_prompt="你是诗人李白。")})


def written(text: str, seed: int, titled: bool = False) -> Written:
    return Written(replace(order(seed), titled=titled), "base", text, 24)


def judged(corpus: sqlite3.Connection, text_of: Any) -> dict[str, Any]:
    held = [read_verse("题", verse("杜甫", number), source=number, group=number) for number in (1, 4, 7)]
    poems = {"someone": {"someone": [written(text_of(seed), seed, seed < 2) for seed in range(10)]}}
    return judge(corpus, {"someone": DU_FU}, {"someone": [v for v in held if v is not None]}, poems)


def test_poems_in_the_poet_s_words_are_named_and_not_copied(corpus: sqlite3.Connection) -> None:
    found = judged(corpus, lambda seed: verse("杜甫", 1000 + seed))["styles"]["someone"]["someone"]
    assert set(found) == {"all", "unseen", "titles"}
    assert (found["all"]["poems"], found["unseen"]["poems"], found["titles"]["poems"]) == (10, 8, 2)
    assert found["all"]["own_author"] == 1.0
    assert found["all"]["copied_from_poet"]["verbatim"] == 0


def test_poems_that_are_copies_of_somebody_else_are_found_out(corpus: sqlite3.Connection) -> None:
    number = corpus.execute("SELECT min(id) FROM poem WHERE author = '白居易'").fetchone()[0]
    found = judged(corpus, lambda seed: verse("白居易", number))["styles"]["someone"]["someone"]["all"]
    assert found["own_author"] == 0.0
    assert next(iter(found["named"])) == "白居易"
    assert found["copied_from_poet"]["verbatim"] == 0
    assert found["copied_from_anyone"]["verbatim_percent"] == 100
    assert found["self_bleu_3"] == pytest.approx(1.0)


def test_pairs_to_read_are_on_unseen_topics_from_every_style_alike() -> None:
    poems = {
        style: {
            name: [written(f"{name}{seed}", seed, seed < 4) for seed in range(20)] for name in (style, f"{style}_base")
        }
        for style in ("one", "two")
    }
    pairs = make_pairs(poems, 15)
    assert len(pairs) == len({pair.texts["adapter"] for pair in pairs}) == 15
    assert sum(pair.texts["adapter"].startswith("one") for pair in pairs) == 8
    assert all(
        pair.texts["base"] == pair.texts["adapter"].replace("one", "one_base").replace("two", "two_base")
        for pair in pairs
    )
    assert not {pair.texts["adapter"] for pair in pairs} & {f"{style}{seed}" for style in poems for seed in range(4)}


def report(**changes: Any) -> dict[str, Any]:
    """A report in which every goal is met, but for the changes."""
    own = {
        "poems": 100,
        "own_author": 0.7,
        "metre_percent": 100.0,
        "copied_from_poet": {"verbatim_percent": 0.1, "shared_percent": 0.4},
        "copied_from_anyone": {"verbatim_percent": 0.2, "shared_percent": 0.9},
        "distinct_1": 0.3,
        "distinct_2": 0.9,
        "self_bleu_2": 0.01,
        "topic_share": 0.5,
    } | changes
    real = own | {"copied_from_tang": own["copied_from_poet"]}
    gains = {"base": [0.7, 0.6, 0.8], "su_shi": [0.2, 0.1, 0.3], "before": [0.05, 0.01, 0.1]}
    matrix = {"style": "du_fu", "kind": "shi", "poems": 30, "nats": {"base": 5.0}, "best": "du_fu", "gain_over": gains}
    return {
        "model": "m",
        "adapters": {},
        "against": {},
        "matrix": [matrix],
        "poems": {"authors": 12, "distractors_named": 0.6, "styles": {"du_fu": {"du_fu": {"all": own}, "real": real}}},
        "answers": {"questions": 40, "identical": 40},
        "seconds": 1,
    }


def missed(told: dict[str, Any]) -> list[str]:
    return [goal.what for goal in goals(told) if not goal.met]


def test_goals_that_are_met_are_called_so() -> None:
    assert len(list(goals(report()))) == 8
    assert missed(report()) == []


LINES = "du_fu: percent of lines copied"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"own_author": 0.59}, "du_fu: own poet named"),
        ({"metre_percent": 99.0}, "du_fu: percent of poems in metre"),
        ({"copied_from_poet": {"verbatim_percent": 0.51, "shared_percent": 0.6}}, f"{LINES}, verbatim"),
        ({"copied_from_poet": {"verbatim_percent": 0.5, "shared_percent": 1.01}}, f"{LINES}, shared"),
    ],
)  # fmt: skip
def test_a_figure_beyond_its_bound_is_missed(changes: dict[str, Any], what: str) -> None:
    assert missed(report(**changes)) == [what]


@pytest.mark.parametrize(("over", "gain"), [("base", 0.59), ("su_shi", 0.14), ("before", 0.0)])
def test_a_gain_below_its_bound_is_missed(over: str, gain: float) -> None:
    told = report()
    told["matrix"][0]["gain_over"][over] = [gain, 0.0, 1.0]
    assert missed(told) == [f"du_fu shi: nats a character below {over}"]


def test_one_changed_answer_is_missed() -> None:
    assert missed(report() | {"answers": {"questions": 40, "identical": 39}}) == [
        "answers that the adapters leave as they are"
    ]


def test_the_table_shows_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(report())
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("nats a character", "du_fu all", "du_fu real poems", "goals", "met"))


def test_there_are_forty_questions_and_none_twice() -> None:
    assert len(answers.questions()) == len(set(answers.questions())) == 40


@pytest.mark.parametrize(("leaks", "identical"), [(False, 4), (True, 0)])
def test_answers_that_change_with_the_adapters_are_counted(leaks: bool, identical: int, tmp_path: Path) -> None:
    voice = replace(DU_FU, adapter=tmp_path)
    told = studio(lambda request, removed: f"{request.messages}{removed if leaks else ''}", voice)
    found = asyncio.run(answers.compare(told, [voice], ["一", "二", "三", "four"]))
    assert found == {"questions": 4, "identical": identical, "adapters": ["someone"]}
    assert told.generator.removed == ["someone"]
