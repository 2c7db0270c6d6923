"""Who computes what in the next step. Plain Python: no torch, no clock, no I/O.

Rules, in this order:

1. Requests are admitted first come, first served, while their candidates fit the slots.
2. Every sequence that writes gets its pending tokens (one, or a few after forced ones).
3. Prompts are computed in chunks of a fixed size. While anybody writes, one chunk a step, so that the gap between
   their tokens stays short; the prompt that has had the fewest chunks comes first, so that a short prompt overtakes a
   long one. With nobody writing, a step takes several chunks, because the weights are then unpacked only once.
4. Background prefills run only when there is nothing else to do, one chunk a step, to be out of the way soon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from backend.engine.sequence import Phase, Sequence
from backend.errors import QueueFullError


@dataclass(frozen=True, slots=True)
class Segment:
    """``num_tokens`` tokens of one sequence, from ``start`` (its number of computed tokens) on."""

    sequence: Sequence
    start: int
    num_tokens: int

    @property
    def completes(self) -> bool:
        """Whether the next token can be drawn after this segment."""
        return self.start + self.num_tokens == len(self.sequence.tokens)


@dataclass(frozen=True, slots=True)
class Plan:
    """One step: ``rows`` are computed row by row (decoding, very short prompts), ``chunks`` as matrices."""

    rows: list[Segment] = field(default_factory=list)
    chunks: list[Segment] = field(default_factory=list)

    @property
    def segments(self) -> list[Segment]:
        """Every segment, rows first."""
        return self.rows + self.chunks

    def __bool__(self) -> bool:
        return bool(self.rows or self.chunks)


class Scheduler:
    """Queues of sequences and the rules above.

    Args:
        slots: candidates that may run at the same time.
        queue: requests that may wait.
        chunk: tokens of a prefill chunk.
        few: a prompt with at most this many tokens left is computed as rows.
        idle_chunks: chunks in a step while nobody writes.
    """

    def __init__(self, slots: int, queue: int, chunk: int, few: int, idle_chunks: int = 8) -> None:
        self.slots = slots
        self.queue = queue
        self.chunk = chunk
        self.few = few
        self.idle_chunks = idle_chunks
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.background: deque[Sequence] = deque()
        self.on_admit: Callable[[Sequence], None] = lambda sequence: None

    def add(self, sequence: Sequence) -> None:
        """Let a request's first candidate wait (its siblings come with it).

        Raises:
            QueueFullError: too many wait already.
        """
        if sequence.background:
            self.background.append(sequence)
            return
        self.waiting.append(sequence)
        if self._num_left_waiting() > self.queue:
            self.waiting.pop()
            raise QueueFullError(
                f"{self.queue} requests are waiting already; try again in a moment.",
                f"已有 {self.queue} 个请求在排队，请稍后再试。",
            )

    def schedule(self) -> Plan:
        """The next step's plan; admits whoever fits."""
        while self.waiting and self._fits(self.waiting[0]):
            sequence = self.waiting.popleft()
            if self._admit(sequence):
                self.running.append(sequence)
        rows = [self._segment(s) for s in self.running if s.phase is Phase.DECODE]
        prompts = [s for s in self.running if s.phase is Phase.PREFILL]
        most = 1 if rows else self.idle_chunks
        if not rows and not prompts and self.background and self._admit(self.background[0]):
            prompts, most = [self.background[0]], 1
        rows += [self._segment(s) for s in prompts if s.num_pending <= self.few]
        long = [s for s in prompts if s.num_pending > self.few]
        return Plan(rows, self._chunks(long, most))

    def start_siblings(self, leader: Sequence) -> list[Sequence]:
        """The leader's prompt is computed: it and its siblings write from now on. Returns all of them."""
        family = [leader, *leader.siblings]
        leader.siblings = []
        self.running.extend(family[1:])
        for sequence in family:
            sequence.phase = Phase.DECODE
        return family

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out, wherever it is; a slot is free again at once."""
        sequence.phase = Phase.DONE
        for queue in (self.waiting, self.running, self.background):
            if sequence in queue:
                queue.remove(sequence)

    def all(self) -> list[Sequence]:
        """Every sequence that isn't done, siblings that wait for their leader's prefill included."""
        listed = [*self.running, *self.waiting, *self.background]
        return listed + [sibling for sequence in listed for sibling in sequence.siblings]

    def __bool__(self) -> bool:
        return bool(self.running or self.waiting or self.background)

    def _admit(self, sequence: Sequence) -> bool:
        """Let a sequence begin, once; False where it was ended instead."""
        if sequence.phase is Phase.WAITING:
            sequence.phase = Phase.PREFILL
            self.on_admit(sequence)
        return sequence.phase is Phase.PREFILL

    def _fits(self, sequence: Sequence) -> bool:
        return self._width(self.running) + self._width([sequence]) <= self.slots

    def _num_left_waiting(self) -> int:
        """Requests that the next step will not admit."""
        free = self.slots - self._width(self.running)
        for index, sequence in enumerate(self.waiting):
            free -= self._width([sequence])
            if free < 0:
                return len(self.waiting) - index
        return 0

    @staticmethod
    def _width(sequences: list[Sequence]) -> int:
        """Slots that these and their siblings take."""
        return sum(1 + len(sequence.siblings) for sequence in sequences)

    def _segment(self, sequence: Sequence) -> Segment:
        return Segment(sequence, sequence.num_computed, sequence.num_pending)

    def _chunks(self, prompts: list[Sequence], most: int) -> list[Segment]:
        """Up to ``most`` chunks; one prompt's follow each other.

        A prompt is always cut at the same places, and a rest of at most ``few`` tokens is left to be computed as rows,
        so that its numbers don't depend on what else runs.
        """
        chunks: list[Segment] = []
        for sequence in sorted(prompts, key=lambda prompt: prompt.num_chunks):
            start = sequence.num_computed
            while len(chunks) < most and len(sequence.tokens) - start > self.few:
                size = min(self.chunk, len(sequence.tokens) - start)
                chunks.append(Segment(sequence, start, size))
                start += size
                sequence.num_chunks += 1
        return chunks
