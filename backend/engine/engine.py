"""The engine's step: schedule, run, postprocess. Everything here runs on the model thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.engine.kv_cache import SessionCaches
from backend.engine.record import Record
from backend.engine.runner import Runner
from backend.engine.sampling import Rng, sample
from backend.engine.scheduler import Plan, Scheduler, Segment
from backend.engine.sequence import Phase, Sequence
from backend.errors import EngineStoppedError, GenerationError, MemoryLimitError, TimeLimitError
from backend.types import Finished, FinishReason, Queued

log = logging.getLogger(__name__)


class Engine:
    """Continuous batching over one model.

    Args:
        runner: owns the model.
        scheduler: decides who computes what.
        sessions: keys and values kept between turns.
        end_tokens: ids that end an answer.
        record: where finished candidates are noted.
    """

    def __init__(
        self,
        runner: Runner,
        scheduler: Scheduler,
        sessions: SessionCaches,
        end_tokens: frozenset[int],
        record: Record,
    ) -> None:
        self.runner = runner
        self.scheduler = scheduler
        self.sessions = sessions
        self.end_tokens = end_tokens
        self.record = record
        self.num_steps = 0
        scheduler.on_admit = self._admit

    # --- the step

    @torch.inference_mode()
    def step(self) -> bool:
        """Advance everybody by one forward; False where there was nothing to do."""
        self._expire()
        plan = self.scheduler.schedule()
        self._announce()
        if not plan:
            return False
        self.num_steps += 1
        wanted = [segment for segment in plan.segments if self._wants_logits(segment)]
        for segment, logits in self._run(plan, wanted):
            self._postprocess(segment, logits)
        return True

    def _run(self, plan: Plan, wanted: list[Segment]) -> list[tuple[Segment, Tensor | None]]:
        """Each computed segment with its logits; segments whose forward fails are ended and left out."""
        try:
            logits = dict(zip(map(id, wanted), self.runner.run(plan, wanted), strict=True))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end one request and no other
            return self._run_apart(plan, wanted, error)
        return [(segment, logits.get(id(segment))) for segment in plan.segments]

    def _run_apart(self, plan: Plan, wanted: list[Segment], error: Exception) -> list[tuple[Segment, Tensor | None]]:
        """A forward failed: find out whose fault it is by computing every segment alone."""
        if len(plan.segments) == 1:
            self.fail(plan.segments[0].sequence, error)
            return []
        done: list[tuple[Segment, Tensor | None]] = []
        for rows, chunks in [([s], []) for s in plan.rows] + [([], [s]) for s in plan.chunks]:
            segment = (rows or chunks)[0]
            if segment.sequence.phase is not Phase.DONE:
                done += self._run(Plan(rows, chunks), [segment] if segment in wanted else [])
        return done

    def _postprocess(self, segment: Segment, logits: Tensor | None) -> None:
        """Take note of what was computed, and append the next token where a sequence is complete up to here."""
        leader = segment.sequence
        if leader.phase is Phase.DONE:
            return
        leader.num_computed += segment.num_tokens
        if not segment.completes:
            return
        if leader.background:
            self._retire(leader)
            return
        family = [leader] if leader.phase is Phase.DECODE else self._start_family(leader)
        for sequence in family:
            if sequence.phase is not Phase.DONE:
                self._guarded(sequence, self._extend, logits)

    def _guarded(self, sequence: Sequence, act: Callable[..., None], *arguments: Any) -> None:
        """One sequence's trouble is its own."""
        try:
            act(sequence, *arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.fail(sequence, error)

    def _extend(self, sequence: Sequence, logits: Tensor | None) -> None:
        """Append one drawn token and every token that is forced after it."""
        if logits is not None:
            sequence.append(self._draw(sequence, logits))
        while (reason := sequence.reached_end(self.end_tokens)) is None:
            forced = self._forced(sequence)
            if forced is None:
                return
            sequence.append(forced)
        self.finish(sequence, reason)

    def _draw(self, sequence: Sequence, logits: Tensor) -> int:
        constraint = sequence.constraint
        if constraint is None:
            return sample(logits, sequence.sampling, sequence.rng, sequence.written)
        vocabulary = constraint.vocabulary
        seen = np.searchsorted(vocabulary, sequence.written).tolist()  # all written tokens are in the vocabulary
        mask = torch.from_numpy(constraint.mask()).to(logits.device)
        return int(vocabulary[sample(logits, sequence.sampling, sequence.rng, seen, mask)])

    def _forced(self, sequence: Sequence) -> int | None:
        """The only token that may come next, or None where there is a choice."""
        if sequence.constraint is None:
            return None
        allowed = np.flatnonzero(sequence.constraint.mask())
        return int(sequence.constraint.vocabulary[allowed[0]]) if len(allowed) == 1 else None

    def _wants_logits(self, segment: Segment) -> bool:
        sequence = segment.sequence
        return segment.completes and not sequence.background and self._forced(sequence) is None

    # --- a sequence's life

    def add(self, sequence: Sequence) -> None:
        """Queue a request's first candidate with its siblings, or a background prefill.

        Raises:
            QueueFullError: too many wait already.
        """
        for other in list(self.scheduler.background):
            if (other.request.session, other.adapter) == (sequence.request.session, sequence.adapter):
                self._retire(other)
        self.scheduler.add(sequence)

    def finish(self, sequence: Sequence, reason: FinishReason) -> None:
        """End a sequence: its last characters, its usage, its record; its keys and values stay for the session."""
        sequence.stream(sequence.detokenizer.flush())
        usage = sequence.usage()
        self.record.add(sequence.request, sequence.candidate, reason, usage, "".join(sequence.text))
        self._retire(sequence)
        sequence.emit(Finished(reason, usage, sequence.candidate))

    def fail(self, sequence: Sequence, error: Exception) -> None:
        """End the whole request of a sequence with one error, and nobody else's; nothing where it has ended already."""
        if sequence.phase is Phase.DONE:
            return
        if not isinstance(error, GenerationError):
            log.error("request %s failed", sequence.request.id, exc_info=error)
        for member in [s for s in self.scheduler.all() if s.request.id == sequence.request.id]:
            self.scheduler.remove(member)
            member.cache = None
        sequence.emit(as_generation_error(error))

    def cancel(self, request_id: str) -> None:
        """End a request within the current step; unknown ids (it was just finished) are ignored."""
        for sequence in [s for s in self.scheduler.all() if s.request.id == request_id]:
            sequence.siblings = []
            self.finish(sequence, "cancelled")

    def fail_all(self, error: Exception) -> None:
        """End everything that runs or waits."""
        for sequence in self.scheduler.all():
            self.fail(sequence, error)

    def forget(self, session: str) -> None:
        """Drop what is kept for a session."""
        for sequence in [s for s in self.scheduler.background if s.request.session == session]:
            self.scheduler.remove(sequence)
        self.sessions.forget(session=session)

    def _admit(self, sequence: Sequence) -> None:
        self._guarded(sequence, self._open)

    def _open(self, sequence: Sequence) -> None:
        """Give a sequence its keys and values: the session's, or new room."""
        kept = self.sessions.take(sequence.request.session, sequence.adapter, sequence.tokens)
        if kept is not None:
            sequence.cache, sequence.num_computed = kept
        else:
            sequence.cache = self.runner.new_cache(len(sequence.tokens))
        sequence.num_cached = sequence.num_computed
        sequence.cache.reserve(len(sequence.tokens) + sequence.max_new_tokens)
        sequence.rng = Rng(sequence.seed)

    def _start_family(self, leader: Sequence) -> list[Sequence]:
        """The prompt is computed: its siblings get copies of its keys and values, and all write from now on."""
        for sibling in leader.siblings:
            sibling.num_computed, sibling.num_cached = leader.num_computed, leader.num_computed
            sibling.cache = leader.cache.fork(leader.num_computed)
            sibling.cache.reserve(len(sibling.tokens) + sibling.max_new_tokens)
            sibling.rng = Rng(sibling.seed)
        return self.scheduler.start_siblings(leader)

    def _retire(self, sequence: Sequence) -> None:
        """Free the slot; the first candidate's keys and values are kept for the session."""
        self.scheduler.remove(sequence)
        if sequence.cache is not None and sequence.candidate == 0:
            tokens = sequence.tokens[: sequence.num_computed]
            self.sessions.put(sequence.request.session, sequence.adapter, tokens, sequence.cache)
        sequence.cache = None

    def _expire(self) -> None:
        now = time.monotonic()
        for sequence in [s for s in self.scheduler.all() if now > s.deadline]:
            self.fail(
                sequence,
                TimeLimitError(
                    "The request took longer than allowed and was ended; ask for less text or try again later.",
                    "请求超过了时间上限，已结束；请减少字数或稍后再试。",
                ),
            )

    def _announce(self) -> None:
        """Tell those who wait where they stand, once a place."""
        for position, sequence in enumerate(self.scheduler.waiting, start=1):
            if sequence.last_position != position:
                sequence.last_position = position
                sequence.emit(Queued(position))


def as_generation_error(error: Exception) -> GenerationError:
    """The sentence that a writer sees for an exception of the forward."""
    if isinstance(error, GenerationError):
        return error
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return MemoryLimitError(
            "There was not enough memory for this request; ask for less text or fewer candidates.",
            "内存不足，无法完成这个请求；请减少字数或候选数量。",
        )
    return EngineStoppedError(
        "The model could not answer this request; try again. The log has the details.",
        "模型未能完成这个请求，请再试一次；详情见日志。",
    )
