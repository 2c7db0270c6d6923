"""The local generator: the engine behind the ``TextGenerator`` protocol, for asyncio callers."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import torch

from backend.engine.detokenizer import Detokenizer, TokenBytes
from backend.engine.engine import Engine
from backend.engine.kv_cache import SessionCaches
from backend.engine.mailbox import Mailbox
from backend.engine.native import load_kernels
from backend.engine.prompt import PromptRenderer
from backend.engine.record import Record
from backend.engine.runner import Runner
from backend.engine.scheduler import Scheduler
from backend.engine.sequence import Emit
from backend.engine.sequence import Sequence as Row
from backend.engine.worker import Worker, stopped_error
from backend.errors import RequestError, TooLongError
from backend.settings import Settings
from backend.types import Event, GenerationRequest, Message

if TYPE_CHECKING:
    from backend.models.adapters import AdapterWeights
    from backend.models.loading import LoadedModel

# Tokens of a prefill chunk, and chunks in a step while nobody writes: docs/engine.md has the measurements.
CHUNK, IDLE_CHUNKS = 32, 8
NATIVE_CHUNK, NATIVE_IDLE_CHUNKS = 8, 8  # with our own kernels
FEW = 12  # prompts with at most this many tokens left are cheaper as rows


class LocalGenerator:
    """Serves requests with the model in this process.

    Args:
        loaded: the model, which has not run yet.
        settings: the limits.
    """

    def __init__(self, loaded: LoadedModel, settings: Settings) -> None:
        self._settings = settings
        self._name = loaded.name
        self._prompts = PromptRenderer(loaded.tokenizer)
        self._bytes = TokenBytes(loaded.tokenizer)
        self._adapters: set[str] = set()
        self.tokenizer = loaded.tokenizer
        self.context_length = min(settings.context, loaded.model.config.max_position_embeddings)
        self.worker = Worker(lambda: make_engine(loaded, settings))

    @property
    def model_name(self) -> str:
        """The base model, as a person would name it."""
        return self._name

    @property
    def running(self) -> bool:
        """Whether requests are served."""
        return self.worker.alive

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt, the answer's opening included."""
        return len(self._prompts.render(messages))

    def add_adapter(self, name: str, weights: AdapterWeights) -> Future[None]:
        """Make an adapter resident while requests run.

        The future raises AdapterError where it doesn't fit; nothing has changed then.
        """

        def job(engine: Engine) -> None:
            engine.runner.lora.add(name, weights)
            engine.sessions.forget(adapter=name)
            self._adapters.add(name)

        return self.worker.submit(job)

    def remove_adapter(self, name: str) -> Future[None]:
        """Drop an adapter; requests that still use it end with an error."""

        def job(engine: Engine) -> None:
            self._adapters.discard(name)
            for row in [row for row in engine.scheduler.all() if row.adapter == name]:
                engine.fail(row, unknown_adapter(name))
            engine.runner.lora.remove(name)
            engine.sessions.forget(adapter=name)

        return self.worker.submit(job)

    async def stream(self, request: GenerationRequest) -> AsyncIterator[Event]:
        """Events until every candidate is finished. Closing the iterator cancels the request within a token.

        Raises:
            GenerationError: the request was refused or failed.
        """
        self._check(request)
        mailbox = Mailbox(len(request.samplings))
        first = self._rows(request, self._prompts.render(request.messages), mailbox.put)

        def add(engine: Engine) -> None:
            try:
                engine.add(first)
            except Exception as error:  # noqa: BLE001 - the reader raises it
                mailbox.put(error)

        self.worker.submit(add)
        try:
            async for event in mailbox.events():
                yield event
        finally:
            if not mailbox.complete and self.worker.alive:
                self.worker.submit(lambda engine: engine.cancel(request.id))

    def prepare(self, messages: Sequence[Message], adapter: str | None, session: str) -> None:
        """Compute the session's keys and values for ``messages`` under ``adapter`` when nothing else is to do."""
        if not self.worker.alive or (adapter is not None and adapter not in self._adapters):
            return
        request = GenerationRequest(messages=tuple(messages), adapter=adapter, session=session)
        tokens = self._prompts.render(messages, open_answer=False)
        if len(tokens) < self.context_length:
            row = self._row(request, 0, tokens, lambda event: None)
            row.background = True
            self.worker.submit(lambda engine: engine.add(row))

    def forget(self, session: str) -> None:
        """Drop what is kept for a session."""
        if self.worker.alive:
            self.worker.submit(lambda engine: engine.forget(session))

    async def close(self) -> None:
        """Cancel everything and end the model thread."""
        await asyncio.to_thread(self.worker.close)

    def _rows(self, request: GenerationRequest, tokens: list[int], emit: Emit) -> Row:
        """The request's first candidate with the others as its siblings.

        Raises:
            TooLongError: the prompt leaves no room for an answer.
        """
        if len(tokens) >= self.context_length:
            raise TooLongError(
                f"The message takes {len(tokens)} tokens; the limit is {self.context_length - 1}. Shorten it.",
                f"这段话有 {len(tokens)} 个词元，上限是 {self.context_length - 1}，请缩短后再发。",
            )
        rows = [self._row(request, index, list(tokens), emit) for index in range(len(request.samplings))]
        rows[0].siblings = rows[1:]
        return rows[0]

    def _row(self, request: GenerationRequest, candidate: int, tokens: list[int], emit: Emit) -> Row:
        return Row(
            request=request,
            candidate=candidate,
            tokens=tokens,
            num_prompt=len(tokens),
            max_new_tokens=min(request.max_new_tokens, self.context_length - len(tokens)),
            deadline=time.monotonic() + self._settings.request_seconds,
            emit=emit,
            detokenizer=Detokenizer(self._bytes),
            constraint=request.constraint.fork() if request.constraint is not None else None,
        )

    def _check(self, request: GenerationRequest) -> None:
        """Refuse what the server doesn't allow.

        Raises:
            RequestError: with the offending value and the limit.
        """
        limits = self._settings
        if not self.worker.alive:
            raise stopped_error()
        if request.adapter is not None and request.adapter not in self._adapters:
            raise unknown_adapter(request.adapter)
        most = min(limits.max_candidates, limits.slots)
        if not 1 <= len(request.samplings) <= most or len(request.samplings) != len(request.seeds):
            raise RequestError(
                f"{len(request.samplings)} candidates were asked for; 1 to {most} are allowed, each with its seed.",
                f"一次要了 {len(request.samplings)} 份候选；允许 1 到 {most} 份，每份一个种子。",
            )
        if not 1 <= request.max_new_tokens <= limits.max_new_tokens:
            raise RequestError(
                f"max_new_tokens={request.max_new_tokens} is out of range; 1 to {limits.max_new_tokens} is allowed.",
                f"最多新词元数 {request.max_new_tokens} 超出范围；允许 1 到 {limits.max_new_tokens}。",
            )
        for message in request.messages:
            if len(message.content) > limits.max_message_chars:
                raise TooLongError(
                    f"A message has {len(message.content)} characters; the limit is {limits.max_message_chars}.",
                    f"一条消息有 {len(message.content)} 个字，上限是 {limits.max_message_chars}。",
                )


def unknown_adapter(name: str) -> RequestError:
    """The sentence for an adapter that isn't resident."""
    return RequestError(
        f"There is no style {name!r} on this server; choose another one.",
        f"没有 {name!r} 这个风格，请另选一个。",
    )


def make_engine(loaded: LoadedModel, settings: Settings) -> Engine:
    """Fuse the model, build its engine and warm both kinds of forward. Call it on the model thread."""
    kernels = None
    if settings.native_kernels and (loaded.weights, loaded.device) == ("nf4", "cpu"):
        kernels = load_kernels(settings.cache / "kernels", torch.get_num_threads())
    chunk, idle_chunks = (CHUNK, IDLE_CHUNKS) if kernels is None else (NATIVE_CHUNK, NATIVE_IDLE_CHUNKS)
    few = min(FEW, chunk)
    runner = Runner(loaded, chunk, settings.fast_prefill, kernels)
    scheduler = Scheduler(settings.slots, settings.queue, chunk, few, idle_chunks)
    end_tokens = end_token_ids(loaded)
    runner.warm_up()
    return_free_memory()
    return Engine(runner, scheduler, SessionCaches(settings.cache_bytes), end_tokens, Record(settings.record))


def end_token_ids(loaded: LoadedModel) -> frozenset[int]:
    """What ends an answer: the model's own ends and the tokenizer's, and a document's end, which some models prefer."""
    ends = loaded.model.generation_config.eos_token_id
    document = loaded.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    named = [*(ends if isinstance(ends, list) else [ends]), loaded.tokenizer.eos_token_id, document]
    return frozenset(token for token in named if token is not None)


def return_free_memory() -> None:
    """Hand freed memory back to the system where the C library can (glibc keeps it otherwise)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
