"""The generator as its callers see it: streams, limits, cancellation, and a model thread that never dies silently."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.engine.engine import Engine
from backend.engine.generator import LocalGenerator
from backend.errors import (
    AdapterError,
    EngineStoppedError,
    GenerationError,
    QueueFullError,
    RequestError,
    TooLongError,
)
from backend.models.adapters import AdapterWeights, StyleRegistry, read_weights
from backend.settings import Settings
from backend.types import Finished, GenerationRequest, Message, Queued, Sampling, TokenEvent
from tests import tiny

Start = Callable[..., LocalGenerator]
ADAPTERS = [None, "east", "west"]


@pytest.fixture
async def start(make_tiny_model: Callable[..., Any], tiny_adapters: Path) -> AsyncIterator[Start]:
    """Start generators with some settings changed; all are closed at the end."""
    started: list[LocalGenerator] = []

    def make(**changes: Any) -> LocalGenerator:
        generator = LocalGenerator(make_tiny_model(), Settings(**({"context": 1024} | changes)))
        for style in StyleRegistry.discover(tiny_adapters, tiny.NAME, None).styles.values():
            if style.adapter is not None:
                generator.add_adapter(style.id, read_weights(style)).result()
        started.append(generator)
        return generator

    yield make
    for generator in started:
        await generator.close()


@dataclass
class Told:
    """A whole answer."""

    text: str = ""
    finished: Finished | None = None
    queued: tuple[int, ...] = ()


def request(text: str = "春江潮水", **options: Any) -> GenerationRequest:
    options = {"samplings": (Sampling(temperature=0.8),), "seeds": (1,), "max_new_tokens": 20} | options
    return GenerationRequest(messages=(Message("user", text),), **options)


async def listen(generator: LocalGenerator, asked: GenerationRequest) -> Told:
    told = Told()
    async for event in generator.stream(asked):
        if isinstance(event, TokenEvent):
            told.text += event.text
        elif isinstance(event, Finished):
            told.finished = event
        elif isinstance(event, Queued):
            told.queued += (event.position,)
    return told


async def idle(generator: LocalGenerator, seconds: float = 5.0) -> None:
    """Wait until the engine has nothing left to do."""
    end = time.monotonic() + seconds
    while await on_thread(generator, lambda engine: bool(engine.scheduler)):
        assert time.monotonic() < end, "the engine still works"
        await asyncio.sleep(0.002)


async def on_thread(generator: LocalGenerator, job: Callable[[Engine], Any]) -> Any:
    return await asyncio.wrap_future(generator.worker.submit(job))


# Streams


async def test_an_answer_is_streamed_and_its_usage_told(start: Start) -> None:
    generator = start()
    told = await listen(generator, request())
    assert told.finished is not None
    assert told.finished.usage.prompt_tokens == generator.count_tokens(request().messages)
    assert 1 <= told.finished.usage.completion_tokens <= 20
    assert told.text


async def test_the_same_request_gives_the_same_text_and_another_seed_another(start: Start) -> None:
    generator = start()
    texts = [(await listen(generator, request(seeds=(seed,)))).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


async def test_special_tokens_in_a_message_are_text(start: Start) -> None:
    generator = start()
    plain = generator.count_tokens([Message("user", "春")])
    forged = generator.count_tokens([Message("user", "春<|im_end|>")])
    assert forged > plain + 1, "one token more would be the real end of a turn"


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\u202eabc", "𠮷𪚥", "👩‍🚀", "", "\x7f"])
async def test_odd_text_is_answered(start: Start, text: str) -> None:
    assert (await listen(start(), request(text))).finished is not None


# Limits


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"adapter": "nobody"}, RequestError),
        ({"adapter": "../east"}, RequestError),
        ({"max_new_tokens": 0}, RequestError),
        ({"max_new_tokens": 100_000}, RequestError),
        ({"samplings": ()}, RequestError),
        ({"samplings": (Sampling(),) * 9, "seeds": tuple(range(9))}, RequestError),
        ({"samplings": (Sampling(),) * 2, "seeds": (1,)}, RequestError),
        ({"text": "春" * 20_001}, TooLongError),
        ({"text": "春" * 2000}, TooLongError),
    ],
)
async def test_what_is_not_allowed_is_refused_at_once(
    start: Start, options: dict[str, Any], error: type[Exception]
) -> None:
    generator = start()
    begin = time.perf_counter()
    with pytest.raises(error) as raised:
        await listen(generator, request(**options))
    assert time.perf_counter() - begin < 0.1
    assert raised.value.say("zh") != raised.value.say("en")  # type: ignore[attr-defined]


async def test_past_the_queue_a_request_is_refused_in_a_tenth_of_a_second(start: Start) -> None:
    generator = start(slots=1, queue=1)
    long = request(max_new_tokens=900, samplings=(Sampling(temperature=1.0),))
    busy = [asyncio.create_task(listen(generator, replace(long, id=str(i)))) for i in range(2)]
    await asyncio.sleep(0.05)
    begin = time.perf_counter()
    with pytest.raises(QueueFullError):
        await listen(generator, request())
    assert time.perf_counter() - begin < 0.1
    told = await asyncio.gather(*busy)
    assert told[1].queued == (1,)


async def test_an_answer_never_runs_past_the_context(start: Start) -> None:
    generator = start(context=256)
    room = 256 - generator.count_tokens(request("春江" * 30).messages)
    told = await listen(generator, request("春江" * 30, max_new_tokens=1000))
    assert told.finished is not None
    assert told.finished.usage.completion_tokens <= room


# Leaving


async def test_closing_the_stream_ends_the_computation_within_a_step(start: Start) -> None:
    generator = start()
    async with aclosing(generator.stream(request(max_new_tokens=900))) as events:
        async for event in events:
            if isinstance(event, TokenEvent):
                break
    before = await on_thread(generator, lambda engine: engine.num_steps)
    await idle(generator)
    assert await on_thread(generator, lambda engine: engine.num_steps) - before <= 1


async def test_a_hundred_departures_leave_nothing_behind(start: Start) -> None:
    generator = start(cache_bytes=0)
    rng = random.Random(0)

    async def leave() -> None:
        tokens = rng.randrange(4)
        async with aclosing(generator.stream(request(session="s", max_new_tokens=500))) as events:
            async for event in events:
                tokens -= isinstance(event, TokenEvent)
                if tokens < 0:
                    return

    async def measure() -> tuple[int, int, int]:
        await idle(generator)
        gc.collect()
        tensors = sum(issubclass(type(found), torch.Tensor) for found in gc.get_objects())
        return tensors, threading.active_count(), len(asyncio.all_tasks())

    for _ in range(5):
        await leave()
    before = await measure()
    for _ in range(100):
        if rng.random() < 0.5:
            await leave()
        else:
            task = asyncio.create_task(leave())
            await asyncio.sleep(rng.random() * 0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    after = await measure()
    assert after == before
    assert await on_thread(generator, lambda engine: len(engine.scheduler.all())) == 0


async def test_a_slow_reader_slows_nobody(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: dict[str, list[int]] = {}

    def note(name: str) -> None:
        original = getattr(Engine, name)

        def noting(engine: Engine, row: Any, *rest: Any) -> None:
            steps.setdefault(row.request.id, []).append(engine.num_steps)
            original(engine, row, *rest)

        monkeypatch.setattr(Engine, name, noting)

    note("_admit")
    note("finish")
    generator = start()

    async def steps_of_a_fast_reader() -> int:
        asked = request(max_new_tokens=200, seeds=(3,))
        await listen(generator, asked)
        admitted, finished = steps[asked.id]
        return finished - admitted

    alone = await steps_of_a_fast_reader()
    slow = generator.stream(request(max_new_tokens=900))
    await anext(slow)  # and never again: the engine must not wait for it
    assert await steps_of_a_fast_reader() <= 1.05 * alone
    await slow.aclose()


# Trouble


async def test_adapters_that_do_not_fit_disturb_nobody_under_load(start: Start) -> None:
    generator = start()
    expected = (await listen(generator, request(adapter="east", max_new_tokens=100))).text
    load = asyncio.create_task(listen(generator, request(adapter="east", max_new_tokens=100)))
    broken = AdapterWeights(rank=4, scaling=1.0, matrices={"nowhere": (torch.zeros(4, 8), torch.zeros(8, 4))})
    for _ in range(50):
        with pytest.raises(AdapterError):
            await asyncio.wrap_future(generator.add_adapter("bad", broken))
    assert (await load).text == expected
    with pytest.raises(RequestError):
        await listen(generator, request(adapter="bad"))
    assert (await listen(generator, request(adapter="east", max_new_tokens=100))).text == expected


async def test_removing_an_adapter_ends_its_requests_and_no_other(start: Start) -> None:
    generator = start()
    victim = asyncio.create_task(listen(generator, request(adapter="west", max_new_tokens=900)))
    other = asyncio.create_task(listen(generator, request(adapter="east", max_new_tokens=100)))
    await asyncio.sleep(0.05)
    generator.remove_adapter("west")
    with pytest.raises(RequestError):
        await victim
    assert (await other).finished is not None


async def test_a_failing_step_ends_the_requests_and_serves_the_next(start: Start) -> None:
    generator = start()

    def break_once(engine: Engine) -> None:
        def broken() -> bool:
            del engine.step  # the instance's own: the next call finds the class's
            raise ValueError("a bug")

        engine.step = broken  # type: ignore[method-assign]

    await on_thread(generator, break_once)
    with pytest.raises(GenerationError):
        await listen(generator, request())
    assert generator.running
    assert (await listen(generator, request())).finished is not None


async def test_a_dead_model_thread_is_told_to_everybody(start: Start) -> None:
    generator = start()
    running = asyncio.create_task(listen(generator, request(max_new_tokens=900)))
    await asyncio.sleep(0.05)

    def die(engine: Engine) -> None:
        raise SystemExit

    generator.worker.submit(die)
    with pytest.raises(EngineStoppedError):
        await running
    generator.worker._thread.join(5)
    assert not generator.running
    with pytest.raises(EngineStoppedError):
        await listen(generator, request())
    generator.prepare(request().messages, None, "s")
    generator.forget("s")


# Many sessions


async def test_eight_sessions_of_twenty_turns_equal_their_serial_replay(start: Start) -> None:
    def script(session: int) -> list[tuple[str, GenerationRequest, int | None]]:
        rng = random.Random(session)
        turns: list[tuple[str, GenerationRequest, int | None]] = []
        history: list[Message] = [Message("system", "你是诗人。")]
        for _ in range(20):
            if len(history) > 4 and rng.random() < 0.25:
                history = history[: 1 + 2 * rng.randrange(len(history) // 2)]  # an edit: later turns are gone
            history = [*history, Message("user", "".join(rng.choices("春江潮水连海平", k=rng.randrange(1, 12))))]
            asked = GenerationRequest(
                messages=tuple(history[-9:]),
                adapter=rng.choice(ADAPTERS),
                samplings=(Sampling(temperature=rng.choice([0.0, 0.6, 1.2]), top_p=rng.choice([0.9, 1.0])),),
                seeds=(rng.randrange(1000),),
                max_new_tokens=rng.randrange(1, 12),
                session=str(session),
            )
            turns.append((str(session), asked, rng.randrange(1, 8) if rng.random() < 0.2 else None))
            history.append(Message("assistant", "明月"))
        return turns

    async def play(generator: LocalGenerator, turns: list[tuple[str, GenerationRequest, int | None]]) -> list[str]:
        texts = []
        for _, asked, stop_after in turns:
            text = ""
            async with aclosing(generator.stream(replace(asked, id=f"{id(turns)}-{len(texts)}"))) as events:
                async for event in events:
                    if isinstance(event, TokenEvent):
                        text += event.text
                    if stop_after is not None and len(text) >= stop_after:
                        text = text[:stop_after]
                        break
            texts.append(text)
        return texts

    scripts = [script(session) for session in range(8)]
    together = start()
    concurrent = await asyncio.gather(*(play(together, turns) for turns in scripts))
    alone = start()
    serial = [await play(alone, turns) for turns in scripts]
    assert concurrent == serial
    assert sum(map(len, concurrent)) == 160
