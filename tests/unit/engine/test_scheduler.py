"""The scheduler's rules, on sequences that nothing computes."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.engine.detokenizer import Detokenizer
from backend.engine.scheduler import Scheduler
from backend.engine.sequence import Phase, Sequence
from backend.errors import QueueFullError
from backend.types import GenerationRequest, Message

CHUNK, FEW, IDLE_CHUNKS = 16, 4, 8


def sequence(length: int, siblings: int = 0, background: bool = False) -> Sequence:
    request = GenerationRequest(messages=(Message("user", "-"),))
    made = [
        Sequence(
            request=request,
            candidate=index,
            tokens=[1] * length,
            num_prompt=length,
            max_new_tokens=8,
            deadline=time.monotonic() + 60,
            emit=lambda event: None,
            detokenizer=Detokenizer({1: b"a"}),  # type: ignore[arg-type]
            background=background,
        )
        for index in range(siblings + 1)
    ]
    made[0].siblings = made[1:]
    return made[0]


def scheduler(slots: int = 4, queue: int = 2) -> Scheduler:
    return Scheduler(slots, queue, CHUNK, FEW, IDLE_CHUNKS)


def decoding(desk: Scheduler, length: int = 3) -> Sequence:
    """A sequence that writes: its prompt is computed but for the last token."""
    row = sequence(length)
    desk.add(row)
    desk.schedule()
    desk.start_siblings(row)
    row.num_computed = length - 1
    return row


def cuts(desk: Scheduler, row: Sequence) -> list[int]:
    """The segment lengths in which a prompt is computed, whatever else the plans hold."""
    lengths = []
    while row.num_pending:
        for segment in desk.schedule().segments:
            if segment.sequence is row:
                lengths.append(segment.num_tokens)
                row.num_computed += segment.num_tokens
    return lengths


def test_it_never_imports_torch() -> None:
    code = "import backend.engine.scheduler, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_requests_are_admitted_in_order_and_wait_for_slots() -> None:
    desk = scheduler(slots=2)
    first, wide, third = sequence(3), sequence(3, siblings=1), sequence(3)
    for row in (first, wide, third):
        desk.add(row)
    desk.schedule()
    assert list(desk.running) == [first], "two candidates don't fit beside one, and the third must not overtake them"
    assert list(desk.waiting) == [wide, third]
    desk.remove(first)
    desk.schedule()
    assert list(desk.running) == [wide]


def test_past_the_queue_requests_are_refused() -> None:
    desk = scheduler(slots=1, queue=2)
    desk.add(sequence(3))
    desk.schedule()
    desk.add(sequence(3))
    desk.add(sequence(3))
    with pytest.raises(QueueFullError):
        desk.add(sequence(3))


def test_a_request_that_finds_a_free_slot_never_counts_as_waiting() -> None:
    desk = scheduler(slots=4, queue=0)
    for _ in range(4):
        desk.add(sequence(3))
        desk.schedule()
    with pytest.raises(QueueFullError):
        desk.add(sequence(3))


def test_while_somebody_writes_a_step_takes_one_chunk() -> None:
    desk = scheduler()
    writer = decoding(desk)
    desk.add(sequence(100))
    plan = desk.schedule()
    assert [segment.sequence for segment in plan.rows] == [writer]
    assert [segment.num_tokens for segment in plan.chunks] == [CHUNK]


def test_with_nobody_writing_a_step_takes_several_chunks() -> None:
    desk = scheduler()
    desk.add(sequence(1000))
    assert [segment.num_tokens for segment in desk.schedule().chunks] == [CHUNK] * IDLE_CHUNKS


def test_a_short_prompt_overtakes_a_long_one() -> None:
    desk = scheduler()
    decoding(desk)
    long, short = sequence(1000), sequence(CHUNK)
    desk.add(long)
    for _ in range(3):
        for segment in desk.schedule().chunks:
            segment.sequence.num_computed += segment.num_tokens
    desk.add(short)
    assert [segment.sequence for segment in desk.schedule().chunks] == [short]


@given(st.integers(1, 300), st.lists(st.integers(1, 100), max_size=3))
def test_a_prompt_is_cut_at_the_same_places_whatever_else_runs(length: int, others: list[int]) -> None:
    alone = scheduler()
    row = sequence(length)
    alone.add(row)
    busy = scheduler()
    decoding(busy)
    for other in others[:2]:
        busy.add(sequence(other))
    same = sequence(length)
    busy.add(same)
    assert cuts(alone, row) == cuts(busy, same)


def test_background_prefills_wait_until_nothing_else_is_to_do() -> None:
    desk = scheduler()
    writer = decoding(desk)
    idle = sequence(40, background=True)
    desk.add(idle)
    assert idle not in [segment.sequence for segment in desk.schedule().segments]
    desk.remove(writer)
    assert [segment.sequence for segment in desk.schedule().segments] == [idle], "one chunk, to be soon out of the way"


def test_siblings_write_after_their_leader_is_computed() -> None:
    desk = scheduler()
    leader = sequence(3, siblings=2)
    desk.add(leader)
    assert [segment.sequence for segment in desk.schedule().segments] == [leader]
    family = desk.start_siblings(leader)
    assert len(family) == 3
    assert all(row.phase is Phase.DECODE for row in desk.running)
    assert len(desk.all()) == 3
