"""An engine without its thread, and requests whose events are collected: tests step it by hand."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.engine.detokenizer import Detokenizer, TokenBytes
from backend.engine.engine import Engine
from backend.engine.kv_cache import SessionCaches
from backend.engine.record import Record
from backend.engine.runner import Runner
from backend.engine.scheduler import Scheduler
from backend.engine.sequence import Sequence
from backend.models.adapters import StyleRegistry, read_weights
from backend.types import Constraint, Event, Finished, GenerationRequest, Message, Sampling, TokenEvent
from tests import tiny

END = 2  # the tiny tokenizer's <|im_end|>
CHUNK, FEW = 16, 4
GREEDY = Sampling(temperature=0.0)


@dataclass
class Answer:
    """What one request's listener heard."""

    rows: list[Sequence] = field(default_factory=list)
    events: list[Event | Exception] = field(default_factory=list)

    @property
    def tokens(self) -> list[list[int]]:
        """The ids that each candidate wrote."""
        return [row.written for row in self.rows]

    @property
    def text(self) -> str:
        """The streamed text of the first candidate."""
        return "".join(e.text for e in self.events if isinstance(e, TokenEvent) and e.candidate == 0)

    @property
    def finished(self) -> list[Finished]:
        return [event for event in self.events if isinstance(event, Finished)]

    @property
    def error(self) -> Exception | None:
        return next((event for event in self.events if isinstance(event, Exception)), None)


def make_engine(
    loaded: Any,
    adapters: Path | None = None,
    *,
    slots: int = 16,
    queue: int = 16,
    budget: int = 1 << 30,
    keep_plain: bool = True,
    record: Path | None = None,
) -> Engine:
    """An engine over a loaded model with every adapter of a folder."""
    engine = Engine(
        Runner(loaded, CHUNK, keep_plain),
        Scheduler(slots, queue, CHUNK, FEW),
        SessionCaches(budget),
        frozenset({END}),
        Record(record),
    )
    if adapters is not None:
        for style in StyleRegistry.discover(adapters, tiny.NAME, None).styles.values():
            if style.adapter is not None:
                engine.runner.lora.add(style.id, read_weights(style))
    return engine


def ask(
    engine: Engine,
    tokens: list[int],
    *,
    adapter: str | None = None,
    samplings: tuple[Sampling, ...] = (GREEDY,),
    seeds: tuple[int, ...] | None = None,
    max_new_tokens: int = 8,
    session: str | None = None,
    constraint: Constraint | None = None,
    background: bool = False,
    seconds: float = 60.0,
) -> Answer:
    """Queue a request; step the engine to have it answered."""
    answer = Answer()
    request = GenerationRequest(
        messages=(Message("user", "-"),),
        adapter=adapter,
        samplings=samplings,
        seeds=seeds or tuple(range(len(samplings))),
        max_new_tokens=max_new_tokens,
        session=session,
    )
    token_bytes = TokenBytes(tiny.make_tokenizer())
    answer.rows = [
        Sequence(
            request=request,
            candidate=index,
            tokens=list(tokens),
            num_prompt=len(tokens),
            max_new_tokens=max_new_tokens,
            deadline=time.monotonic() + seconds,
            emit=answer.events.append,
            detokenizer=Detokenizer(token_bytes),
            constraint=constraint.fork() if constraint is not None else None,
            background=background,
        )
        for index in range(len(samplings))
    ]
    answer.rows[0].siblings = answer.rows[1:]
    engine.add(answer.rows[0])
    return answer


def run(engine: Engine, most: int = 10_000) -> int:
    """Step until nothing is left to do; the number of steps."""
    steps = 0
    while engine.step():
        steps += 1
        assert steps < most, "the engine never comes to rest"
    return steps


def answer_alone(engine: Engine, tokens: list[int], **options: Any) -> Answer:
    """Ask and wait."""
    answer = ask(engine, tokens, **options)
    run(engine)
    return answer
