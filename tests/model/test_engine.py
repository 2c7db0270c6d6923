"""The engine with the embedded model and the two poets: equal to PEFT, to itself alone, and within its memory."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.engine.detokenizer import Detokenizer, TokenBytes
from backend.engine.engine import Engine
from backend.engine.generator import return_free_memory
from backend.engine.scheduler import Plan, Segment
from backend.engine.sequence import Sequence
from backend.settings import load_settings
from backend.types import GenerationRequest, Message, Sampling, TokenEvent
from tests.unit.engine.oracle import Oracle

if TYPE_CHECKING:
    from backend.engine.generator import LocalGenerator
    from backend.models.sources import PreparedModel
    from backend.startup import Studio

POETS = {"du_fu": "杜甫", "su_shi": "苏轼"}
MIXED = ["du_fu", "su_shi", None, "du_fu"]
# bfloat16 computations in another order: measured 0.16 at most, where logits span 24 and an adapter moves them by 7.
TOLERANCE = 0.5


@pytest.fixture(scope="module")
def studio(prepared_model: PreparedModel) -> Iterator[Studio]:
    from backend.startup import start

    studio = start(load_settings().model_copy(update={"model": "embedded", "record": None}))
    yield studio
    asyncio.run(studio.close())


@pytest.fixture(scope="module")
def generator(studio: Studio) -> LocalGenerator:
    from backend.engine.generator import LocalGenerator

    assert isinstance(studio.generator, LocalGenerator)
    return studio.generator


def poem(adapter: str | None, topic: str, **options: Any) -> GenerationRequest:
    system = f"你是诗人{POETS[adapter]}。" if adapter else "你是一位诗人。"
    options = {"samplings": (Sampling(temperature=0.8, top_p=0.95),), "seeds": (7,), "max_new_tokens": 24} | options
    messages = (Message("system", system), Message("user", f"以《{topic}》为题写一首五言绝句"))
    return GenerationRequest(messages=messages, adapter=adapter, **options)


async def written(generator: LocalGenerator, request: GenerationRequest) -> dict[int, str]:
    texts: dict[int, str] = dict.fromkeys(range(len(request.samplings)), "")
    async for event in generator.stream(request):
        if isinstance(event, TokenEvent):
            texts[event.candidate] += event.text
    return texts


def forward(
    generator: LocalGenerator, prompts: list[list[int]], adapters: list[str | None], chunks: bool, cut: int = 0
) -> Any:
    """Logits (prompts, vocabulary) of one forward over whole prompts, or of two with the prompts cut in between."""

    def job(engine: Engine) -> torch.Tensor:
        rows = [
            Sequence(
                request=GenerationRequest(messages=(), adapter=adapter),
                candidate=0,
                tokens=prompt,
                num_prompt=len(prompt),
                max_new_tokens=1,
                deadline=0.0,
                emit=lambda event: None,
                detokenizer=Detokenizer(TokenBytes(generator.tokenizer)),
                cache=engine.runner.new_cache(len(prompt)),
            )
            for prompt, adapter in zip(prompts, adapters, strict=True)
        ]
        if cut:
            first = [Segment(row, 0, cut) for row in rows]
            engine.runner.run(Plan([], first) if chunks else Plan(first, []), [])
        segments = [Segment(row, cut, len(row.tokens) - cut) for row in rows]
        plan = Plan([], segments) if chunks else Plan(segments, [])
        return torch.stack(engine.runner.run(plan, segments)).float()

    return generator.worker.submit(job).result()


@pytest.fixture(scope="module")
def prompts(generator: LocalGenerator) -> list[list[int]]:
    """Four prompts of one length. After 春雨 the two best tokens stand 0.25 apart or more in bfloat16; after 江村 they
    are equal to the bit under PEFT, and which one is the greatest is nobody's to say."""
    ids = [generator._prompts.render(poem(a, "春雨").messages) for a in MIXED]
    return [tokens[-16:] for tokens in ids]


@pytest.mark.parametrize("chunks", [False, True])
def test_a_mixed_batch_equals_peft(
    generator: LocalGenerator, prompts: list[list[int]], prepared_model: PreparedModel, studio: Studio, chunks: bool
) -> None:
    from backend.models.loading import load

    folders = {name: studio.styles.styles[name].adapter for name in POETS}
    oracle = Oracle(load(prepared_model, 0).model, folders)  # type: ignore[arg-type]
    theirs = oracle.logits(prompts, MIXED).float()
    ours = forward(generator, prompts, MIXED, chunks)
    assert (ours - theirs).abs().max() < TOLERANCE
    assert torch.equal(ours.argmax(-1), theirs.argmax(-1))
    base = forward(generator, prompts, [None] * 4, chunks)
    assert (ours - base).abs().max() > 4 * TOLERANCE, "the adapters must matter for this test to mean anything"


def test_a_row_in_a_mixed_batch_is_equal_to_the_bit_to_the_row_alone(
    generator: LocalGenerator, prompts: list[list[int]]
) -> None:
    mixed = forward(generator, prompts, MIXED, chunks=False)
    for row, prompt, adapter in zip(mixed, prompts, MIXED, strict=True):
        assert torch.equal(row, forward(generator, [prompt], [adapter], chunks=False)[0])


def test_without_the_own_kernels_the_logits_agree(
    generator: LocalGenerator, prompts: list[list[int]], prepared_model: PreparedModel
) -> None:
    from backend.engine.generator import LocalGenerator
    from backend.models.adapters import StyleRegistry, read_weights
    from backend.models.loading import load

    loaded = load(prepared_model, 0)
    styles = StyleRegistry.discover(load_settings().adapters, loaded.name, loaded.digest, loaded.model.config).styles
    other = LocalGenerator(loaded, load_settings().model_copy(update={"native_kernels": False}))
    try:
        for name in POETS:
            other.add_adapter(name, read_weights(styles[name])).result()
        for chunks in (False, True):
            theirs = forward(other, prompts, MIXED, chunks)
            assert (forward(generator, prompts, MIXED, chunks) - theirs).abs().max() < TOLERANCE
    finally:
        asyncio.run(other.close())


def test_rows_and_chunks_agree(generator: LocalGenerator, prompts: list[list[int]]) -> None:
    rows, chunks = (forward(generator, prompts, MIXED, chunks) for chunks in (False, True))
    assert (rows - chunks).abs().max() < TOLERANCE


def test_a_prompt_may_be_cut_anywhere(generator: LocalGenerator, prompts: list[list[int]]) -> None:
    whole = forward(generator, prompts[:1], ["du_fu"], chunks=True)
    for cut in (1, 7, 15):
        assert torch.equal(forward(generator, prompts[:1], ["du_fu"], chunks=True, cut=cut), whole)


async def test_what_is_written_together_equals_what_is_written_alone(generator: LocalGenerator) -> None:
    requests = [
        poem("du_fu", "江村"),
        poem("su_shi", "赤壁", samplings=(Sampling(temperature=1.1),) * 2, seeds=(3, 4)),
        poem(None, "秋思", samplings=(Sampling(temperature=0.0),)),
        poem("du_fu", "夜雨", samplings=(Sampling(temperature=0.0),)),
    ]
    alone = [await written(generator, request) for request in requests]
    together = await asyncio.gather(*(written(generator, request) for request in requests))
    assert together == alone
    assert len({text for answer in alone for text in answer.values()}) == 5


async def test_a_second_turn_computes_only_what_is_new(generator: LocalGenerator) -> None:
    system = Message("system", "你以杜甫的口吻作答。")
    first = (system, Message("user", "何谓沉郁顿挫？" * 20))
    usage = []
    for messages in (first, (*first, Message("assistant", "沉郁是情深。"), Message("user", "再说一句。"))):
        request = GenerationRequest(messages=messages, max_new_tokens=2, session="turns", samplings=(Sampling(),))
        async for event in generator.stream(request):
            if hasattr(event, "usage"):
                usage.append(event.usage)
    assert usage[0].cached_tokens == 0
    assert usage[1].prompt_tokens - usage[1].cached_tokens < 40
    generator.forget("turns")


async def test_a_hundred_departures_leave_the_memory_within_one_percent(generator: LocalGenerator) -> None:
    rng = random.Random(0)
    memory = psutil.Process().memory_info

    async def leave(index: int) -> None:
        tokens = rng.randrange(4)
        request = poem(rng.choice(MIXED), f"其{index}", session=f"leaving {index % 3}", max_new_tokens=64)
        async with aclosing(generator.stream(request)) as events:
            async for event in events:
                tokens -= isinstance(event, TokenEvent)
                if tokens < 0:
                    return

    async def measure() -> int:
        await asyncio.wrap_future(generator.worker.submit(lambda engine: None))
        for index in range(3):
            generator.forget(f"leaving {index}")
        await asyncio.wrap_future(generator.worker.submit(lambda engine: return_free_memory()))
        held = memory()
        return int(held.rss - getattr(held, "shared", 0))  # pages of the mapped weights come as their tokens are read

    for index in range(10):
        await leave(index)
    before = await measure()
    for index in range(100):
        await leave(index)
    assert await measure() <= 1.01 * before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=30), st.lists(st.integers(0, 151_664), max_size=30))
def test_streamed_text_equals_the_full_decode(generator: LocalGenerator, text: str, ids: list[int]) -> None:
    tokenizer = generator.tokenizer
    for tokens in (tokenizer.encode(text, add_special_tokens=False), ids):
        detokenizer = Detokenizer(generator._bytes)
        pieces = [*(detokenizer.push(token) for token in tokens), detokenizer.flush()]
        whole = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert "".join(pieces) == whole


MEASURE = """
import asyncio, json, time, psutil
begin = time.perf_counter()
from backend.settings import load_settings
from backend.startup import start
from backend.types import GenerationRequest, Message, Sampling
studio = start(load_settings().model_copy(update={"model": "embedded", "record": None}))
ready = time.perf_counter() - begin

async def main():
    for adapter in ("du_fu", "su_shi", None):
        text = "春江潮水连海平。" * (10 if adapter else 260)
        request = GenerationRequest(messages=(Message("user", text),), adapter=adapter, max_new_tokens=4, session="s")
        tokens = studio.generator.count_tokens(request.messages)
        async for _ in studio.generator.stream(request):
            pass
    print(json.dumps({"ready": ready, "tokens": tokens, "rss": psutil.Process().memory_info().rss}))
    await studio.close()

asyncio.run(main())
"""


def test_the_model_two_adapters_and_a_long_session_fit_in_three_and_a_half_gigabytes() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    assert measured["tokens"] >= 2000
    assert measured["rss"] <= 3.5e9
