"""The step: batched equals single, cached equals recomputed, and one request's trouble is its own."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.engine.engine import Engine
from backend.errors import EngineStoppedError, MemoryLimitError, NumericsError, TimeLimitError
from backend.types import Queued, Sampling
from tests.unit.engine.harness import END, GREEDY, Answer, answer_alone, ask, make_engine, run
from tests.unit.engine.oracle import Oracle

NAMES = [None, "east", "west"]
WARM = Sampling(temperature=0.8, top_p=0.95)


@pytest.fixture(scope="module")
def shared(make_tiny_model: Callable[..., Any], tiny_adapters: Path) -> Engine:
    """An engine that tests leave as they found it: without kept sessions."""
    return make_engine(make_tiny_model(), tiny_adapters)


@pytest.fixture
def engine(tiny_model: Any, tiny_adapters: Path) -> Engine:
    return make_engine(tiny_model, tiny_adapters)


@pytest.fixture(scope="module")
def oracle(make_tiny_model: Callable[..., Any], tiny_adapters: Path) -> Oracle:
    return Oracle(make_tiny_model().model, {name: tiny_adapters / name for name in ("east", "west")})


def prompt(length: int, seed: int = 0) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(3, 400) for _ in range(length)]


# Equal to what transformers and PEFT compute


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 3, 16, 17, 50, 90])
def test_a_greedy_answer_equals_transformers_and_peft(
    shared: Engine, oracle: Oracle, name: str | None, length: int
) -> None:
    tokens = prompt(length, seed=length)
    answer = answer_alone(shared, tokens, adapter=name, max_new_tokens=12)
    assert answer.tokens == [oracle.greedy(tokens, name, 12, END)]


# Batched equals single


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    sampling = Sampling(
        temperature=draw(st.sampled_from([0.0, 0.5, 1.0])),
        top_p=draw(st.sampled_from([0.9, 1.0])),
        repetition_penalty=draw(st.sampled_from([1.0, 1.2])),
    )
    return {
        "tokens": prompt(draw(st.integers(1, 70)), seed=draw(st.integers(0, 9))),
        "adapter": draw(st.sampled_from(NAMES)),
        "samplings": (sampling,) * draw(st.integers(1, 3)),
        "max_new_tokens": draw(st.integers(1, 12)),
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(requests(), st.integers(0, 4)), min_size=2, max_size=5))
def test_requests_that_join_and_leave_write_what_they_write_alone(
    shared: Engine, script: list[tuple[dict[str, Any], int]]
) -> None:
    together: list[Answer] = []
    for request, steps in script:
        together.append(ask(shared, **request))
        for _ in range(steps):
            shared.step()
    run(shared)
    for (request, _), answer in zip(script, together, strict=True):
        assert answer.error is None
        assert answer.tokens == answer_alone(shared, **request).tokens


def test_candidates_share_one_prefill_and_each_has_its_own_seed_and_temperature(engine: Engine) -> None:
    tokens = prompt(60)
    samplings = (GREEDY, WARM, Sampling(temperature=1.5))
    answer = ask(engine, tokens, samplings=samplings, seeds=(1, 2, 3), max_new_tokens=6)
    run(engine)
    assert [event.usage.cached_tokens for event in sorted(answer.finished, key=lambda e: e.candidate)] == [0, 60, 60]
    for index, sampling in enumerate(samplings):
        alone = answer_alone(engine, tokens, samplings=(sampling,), seeds=(index + 1,), max_new_tokens=6)
        assert answer.tokens[index] == alone.tokens[0]


# Sessions


def test_a_second_turn_computes_only_what_is_new_and_writes_the_same(engine: Engine) -> None:
    tokens = prompt(50)
    first = answer_alone(engine, tokens, session="a", adapter="east", max_new_tokens=10)
    longer = tokens + first.tokens[0] + prompt(20, seed=5)
    second = answer_alone(engine, longer, session="a", adapter="east", max_new_tokens=10)
    fresh = answer_alone(engine, longer, adapter="east", max_new_tokens=10)
    assert second.tokens == fresh.tokens
    assert second.finished[0].usage.cached_tokens >= 50
    assert fresh.finished[0].usage.cached_tokens == 0


def test_an_edited_turn_reuses_what_stayed(engine: Engine) -> None:
    tokens = prompt(50)
    answer_alone(engine, tokens, session="a", max_new_tokens=5)
    edited = tokens[:30] + prompt(25, seed=9)
    again = answer_alone(engine, edited, session="a", max_new_tokens=5)
    assert again.finished[0].usage.cached_tokens == 30
    assert again.tokens == answer_alone(engine, edited, max_new_tokens=5).tokens


def test_another_adapter_never_sees_a_sessions_cache(engine: Engine) -> None:
    tokens = prompt(50)
    answer_alone(engine, tokens, session="a", adapter="east")
    other = answer_alone(engine, [*tokens, 7], session="a", adapter="west")
    assert other.finished[0].usage.cached_tokens == 0
    assert other.tokens == answer_alone(engine, [*tokens, 7], adapter="west").tokens


def test_a_background_prefill_leaves_one_row_for_the_next_turn(engine: Engine) -> None:
    tokens = prompt(60)
    ask(engine, tokens, session="a", adapter="west", background=True)
    run(engine)
    answer = answer_alone(engine, [*tokens, 9], session="a", adapter="west")
    assert answer.finished[0].usage.cached_tokens == 60
    assert answer.tokens == answer_alone(engine, [*tokens, 9], adapter="west").tokens


def test_a_request_takes_over_the_background_prefill_of_its_session(engine: Engine) -> None:
    tokens = prompt(60)
    ask(engine, tokens, session="a", background=True)
    engine.step()
    answer = answer_alone(engine, [*tokens, 9], session="a")
    assert answer.finished[0].usage.cached_tokens == 16, "the one chunk that was done"
    assert not engine.scheduler.background


def test_forgetting_a_session_frees_what_it_held(engine: Engine) -> None:
    answer_alone(engine, prompt(50), session="a")
    ask(engine, prompt(60), session="a", background=True)
    engine.forget("a")
    assert len(engine.sessions) == 0
    assert not engine.scheduler


# Ends


def test_cancelling_ends_every_candidate_within_the_step(engine: Engine) -> None:
    answer = ask(engine, prompt(20), samplings=(WARM, WARM), max_new_tokens=100)
    for _ in range(5):
        engine.step()
    written = [len(tokens) for tokens in answer.tokens]
    engine.cancel(answer.rows[0].request.id)
    assert not engine.step()
    assert [len(tokens) for tokens in answer.tokens] == written
    assert [event.reason for event in answer.finished] == ["cancelled", "cancelled"]


def test_cancelling_while_the_prompt_is_computed_ends_the_candidates_too(engine: Engine) -> None:
    answer = ask(engine, prompt(200), samplings=(WARM, WARM))
    engine.step()
    engine.cancel(answer.rows[0].request.id)
    assert len(answer.finished) == 2
    assert not engine.step()


def test_past_its_wall_time_a_request_ends_and_the_next_is_served(engine: Engine) -> None:
    late = ask(engine, prompt(5), samplings=(WARM, WARM), seconds=-1.0)
    fine = ask(engine, prompt(5))
    run(engine)
    assert isinstance(late.error, TimeLimitError)
    assert len(late.events) == 1, "one error for the request, not one for each candidate"
    assert len(fine.finished) == 1


def test_those_who_wait_are_told_their_place_once_each(make_tiny_model: Callable[..., Any]) -> None:
    engine = make_engine(make_tiny_model(), slots=1)
    answers = [ask(engine, prompt(5), max_new_tokens=4) for _ in range(3)]
    run(engine)
    places = [[event.position for event in answer.events if isinstance(event, Queued)] for answer in answers]
    assert places == [[], [1], [2, 1]]


def test_the_record_holds_what_really_ran(tiny_model: Any, tiny_adapters: Path, tmp_path: Path) -> None:
    engine = make_engine(tiny_model, tiny_adapters, record=tmp_path / "record.jsonl")
    answer = answer_alone(engine, prompt(5), adapter="east", samplings=(WARM,), seeds=(11,), session="s")
    (line,) = map(json.loads, (tmp_path / "record.jsonl").read_text("utf-8").splitlines())
    assert (line["adapter"], line["temperature"], line["top_p"], line["seed"]) == ("east", 0.8, 0.95, 11)
    assert (line["session"], line["text"]) == ("s", answer.text)
    assert line["completion_tokens"] == len(answer.tokens[0])


# Trouble


def break_logits(engine: Engine, victim: Answer, value: float | Exception) -> None:
    """From now on the victim's logits are broken, or its forward raises."""
    original = engine.runner.run

    def run_broken(plan: Any, wanted: Any) -> list[torch.Tensor]:
        rows = {id(row) for row in victim.rows}
        if isinstance(value, Exception) and any(id(s.sequence) in rows for s in plan.segments):
            raise value
        found = original(plan, wanted)
        if isinstance(value, Exception):
            return found
        return [
            torch.full_like(logits, value) if id(segment.sequence) in rows else logits
            for segment, logits in zip(wanted, found, strict=True)
        ]

    engine.runner.run = run_broken  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), NumericsError),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), MemoryLimitError),
        (MemoryError(), MemoryLimitError),
        (ValueError("something else"), EngineStoppedError),
    ],
)
def test_one_rows_trouble_ends_that_request_and_no_other(
    engine: Engine, value: float | Exception, error: type[Exception]
) -> None:
    others = [{"tokens": prompt(20, seed=i), "samplings": (WARM,), "adapter": NAMES[i]} for i in range(3)]
    expected = [answer_alone(engine, **other).tokens for other in others]
    answers = [ask(engine, **other) for other in others]
    victim = ask(engine, prompt(20, seed=8), samplings=(WARM, WARM), max_new_tokens=50, session="v")
    engine.step()
    break_logits(engine, victim, value)
    run(engine)
    assert isinstance(victim.error, error)
    assert sum(isinstance(event, Exception) for event in victim.events) == 1
    assert [answer.tokens for answer in answers] == expected
    assert not engine.scheduler
    assert len(engine.sessions) == 0, "what a failed request computed is not kept"
    assert answer_alone(engine, **others[0]).tokens == expected[0]


# Constraints


class Cycle:
    """Lets ``wide`` tokens at even places and exactly one at odd places, then the end."""

    def __init__(self, length: int, place: int = 0) -> None:
        self.vocabulary: NDArray[np.int64] = VOCABULARY
        self.length, self.place = length, place

    def mask(self) -> NDArray[np.bool_]:
        if self.place == self.length:
            return self.vocabulary == END
        if self.place % 2:
            return self.vocabulary == 50
        return np.isin(self.vocabulary, [60, 70, 80])

    def advance(self, token_id: int) -> None:
        assert self.mask()[np.searchsorted(self.vocabulary, token_id)]
        self.place += 1

    def fork(self) -> Cycle:
        return Cycle(self.length, self.place)


VOCABULARY = np.array([END, 50, 60, 70, 80], dtype=np.int64)


def test_under_a_constraint_only_allowed_tokens_are_written_and_forced_ones_cost_no_step(engine: Engine) -> None:
    answer = ask(engine, prompt(10), samplings=(WARM, WARM), constraint=Cycle(8), max_new_tokens=50, adapter="east")
    steps = run(engine)
    for tokens in answer.tokens:
        assert tokens[1::2] == [50] * 4
        assert set(tokens[::2]) <= {60, 70, 80, END}
        assert tokens[-1] == END
    assert steps == 4, "one for each choice, all candidates together; the end is forced"


@pytest.mark.parametrize("name", NAMES)
def test_a_constrained_row_takes_the_best_of_the_allowed_tokens(
    engine: Engine, oracle: Oracle, name: str | None
) -> None:
    tokens = prompt(10)
    answer = answer_alone(engine, tokens, adapter=name, constraint=Cycle(1))
    logits = oracle.logits([tokens], [name])[0]
    assert answer.tokens == [[max((60, 70, 80), key=lambda token: float(logits[token])), END]]


def test_constrained_and_free_rows_share_a_step(engine: Engine) -> None:
    alone = answer_alone(engine, prompt(12, seed=3), samplings=(WARM,)).tokens
    bound = ask(engine, prompt(10), samplings=(WARM,), constraint=Cycle(6), max_new_tokens=50)
    free = ask(engine, prompt(12, seed=3), samplings=(WARM,))
    run(engine)
    assert free.tokens == alone
    assert bound.tokens[0][-1] == END
