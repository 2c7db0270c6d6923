"""A sequence: all state of one candidate, from its arrival to its last token."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from backend.engine.detokenizer import Detokenizer
from backend.types import Constraint, Event, FinishReason, GenerationRequest, Sampling, TokenEvent, Usage

Emit = Callable[[Event | Exception], None]


class Phase(Enum):
    """Where a sequence stands."""

    WAITING = auto()  # not admitted yet
    PREFILL = auto()  # its prompt is being computed
    DECODE = auto()  # it writes
    DONE = auto()


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence:
    """One candidate of a request.

    ``tokens`` is the prompt and what was written; the keys and values of the first ``num_computed`` of them are in
    ``cache``. The candidates of one request share a prefill: candidate 0 computes it and carries the others as
    ``siblings`` until its prompt is done.
    """

    request: GenerationRequest
    candidate: int
    tokens: list[int]
    num_prompt: int
    max_new_tokens: int
    deadline: float  # time.monotonic() after which the request ends with an error
    emit: Emit
    detokenizer: Detokenizer
    constraint: Constraint | None = None
    siblings: list[Sequence] = field(default_factory=list)
    background: bool = False  # only fills a session's cache; samples nothing
    phase: Phase = Phase.WAITING
    num_computed: int = 0
    num_cached: int = 0
    cache: Any = None  # backend.engine.kv_cache.SequenceCache; opaque here, so that this module needs no torch
    rng: Any = None  # backend.engine.sampling.Rng; likewise
    num_chunks: int = 0  # prefill chunks granted so far: what fairness counts
    last_position: int = 0  # the queue position told last
    text: list[str] = field(default_factory=list)
    arrived: float = field(default_factory=time.monotonic)
    first_token_at: float | None = None

    @property
    def adapter(self) -> str | None:
        """The adapter whose rows this sequence is computed with."""
        return self.request.adapter

    @property
    def sampling(self) -> Sampling:
        """How this candidate's tokens are drawn."""
        return self.request.samplings[self.candidate]

    @property
    def seed(self) -> int:
        """The seed of this candidate's own random numbers."""
        return self.request.seeds[self.candidate]

    @property
    def num_written(self) -> int:
        """Tokens written so far."""
        return len(self.tokens) - self.num_prompt

    @property
    def written(self) -> list[int]:
        """The ids written so far."""
        return self.tokens[self.num_prompt :]

    @property
    def num_pending(self) -> int:
        """Tokens that are known and not computed yet."""
        return len(self.tokens) - self.num_computed

    def append(self, token: int) -> None:
        """Take a sampled or forced token, and stream the characters that it completes."""
        if self.first_token_at is None:
            self.first_token_at = time.monotonic()
        self.tokens.append(token)
        if self.constraint is not None:
            self.constraint.advance(token)
        self.stream(self.detokenizer.push(token))

    def stream(self, piece: str) -> None:
        """Send whole characters to whoever listens."""
        if piece:
            self.text.append(piece)
            self.emit(TokenEvent(piece, self.candidate))

    def usage(self) -> Usage:
        """What this candidate has cost until now."""
        now = time.monotonic()
        first = self.first_token_at if self.first_token_at is not None else now
        return Usage(
            prompt_tokens=self.num_prompt,
            cached_tokens=self.num_cached,
            completion_tokens=self.num_written,
            first_token_seconds=first - self.arrived,
            seconds=now - self.arrived,
        )

    def reached_end(self, end_tokens: frozenset[int]) -> FinishReason | None:
        """Why this sequence is complete, or None where it goes on."""
        if self.num_written and self.tokens[-1] in end_tokens:
            return "stop"
        return "length" if self.num_written >= self.max_new_tokens else None
