"""A text generator that answers from a script, for tests and for work on the page without a model.

The script is a JSON file::

    {"model": "scripted", "context_length": 4096,
     "answers": [{"when": "秋", "adapter": "du_fu", "text": "…", "delay": 0.03}, …]}

The first answer that fits is given: ``when`` is a regular expression for the last message, ``adapter`` the adapter
asked for (null is the base model). ``pieces`` may stand in the place of ``text``, which is streamed by the character.
``{adapter}``, ``{temperature}`` and ``{seed}`` in the text are filled in from the request. ``wait`` seconds pass before
the first piece and ``delay`` before each further one; ``queue`` lists positions that are shown, ``queue_delay`` seconds
each; ``error`` names a class of :mod:`backend.errors` that is raised after the pieces. With ``"metre": true`` poems
keep their form: whatever the script says, their characters are drawn by lot among those that may stand.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend import errors
from backend.types import (
    Constraint,
    Event,
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    Queued,
    TokenEvent,
    Usage,
)

ANY = "*"  # an adapter that fits every request


class Answer(BaseModel):
    """One answer of a script; times are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: str = ""
    adapter: str | None = ANY
    text: str = ""
    pieces: tuple[str, ...] = ()
    wait: float = 0.0
    delay: float = 0.0
    queue: tuple[int, ...] = ()
    queue_delay: float = 0.1
    error: str | None = None
    finish: FinishReason = "stop"

    def fits(self, request: GenerationRequest) -> bool:
        """Whether this is the answer to ``request``."""
        return self.adapter in (ANY, request.adapter) and bool(re.search(self.when, request.messages[-1].content))

    def filled(self, request: GenerationRequest, candidate: int) -> tuple[str, ...]:
        """The pieces for one candidate."""
        values = {
            "{adapter}": str(request.adapter),
            "{temperature}": f"{request.samplings[candidate].temperature:g}",
            "{seed}": str(request.seeds[candidate]),
        }

        def fill(text: str) -> str:
            for mark, value in values.items():
                text = text.replace(mark, value)
            return text

        return tuple(fill(piece) for piece in self.pieces) or tuple(fill(self.text))


class Script(BaseModel):
    """A script file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "scripted"
    context_length: int = Field(4096, ge=16)
    metre: bool = False
    answers: tuple[Answer, ...] = (Answer(text="……"),)

    @classmethod
    def read(cls, path: Path) -> Script:
        """The script in ``path``.

        Raises:
            SettingsError: the file is missing or isn't a script.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise errors.SettingsError(
                f"The script {path} can't be used: {error}.", f"脚本 {path} 不能用：{error}。"
            ) from error


END_TOKEN = 0
_LINES = ("，", "。", "、", "\n", "。\n", "。\n\n", "\n\n")
_COMMON = tuple(
    bytes((row, cell)).decode("gb2312")
    for row in range(0xB0, 0xD8)
    for cell in range(0xA1, 0xFF)
    if (row, cell) < (0xD7, 0xFA)
)  # the 3,755 characters of GB 2312's first level
_TOKENS = ("", *_LINES, *_COMMON)


def character_vocabulary() -> dict[str, int]:
    """A token for each common character and each mark of verse, spelled in bytes as byte-level BPE spells them."""
    spelled = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in spelled]
    letters = {byte: chr(byte) for byte in spelled} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return {
        "".join(letters[byte] for byte in token.encode()): id for id, token in enumerate(_TOKENS) if id != END_TOKEN
    }


def _draw(constraint: Constraint, seed: int) -> tuple[str, ...]:
    """A text by lot among what ``constraint`` allows."""
    constraint, lot, pieces = constraint.fork(), random.Random(seed), list[str]()
    while True:
        token = int(lot.choice(constraint.vocabulary[constraint.mask()]))
        if token == END_TOKEN:
            return tuple(pieces)
        constraint.advance(token)
        pieces.append(_TOKENS[token])


class ScriptedGenerator:
    """A :class:`backend.types.TextGenerator` without a model: a token is a character."""

    def __init__(self, script: Script | Path, record: Path | None = None) -> None:
        self._script = Script.read(script) if isinstance(script, Path) else script
        self._record = record
        self.requests: list[GenerationRequest] = []
        self.prepared: list[tuple[tuple[Message, ...], str | None, str]] = []
        self.forgotten: list[str] = []

    @property
    def model_name(self) -> str:
        """The script's name for itself."""
        return self._script.model

    @property
    def keeps_metre(self) -> bool:
        """Whether the script wants poems in their form."""
        return self._script.metre

    @property
    def context_length(self) -> int:
        """Characters of a prompt and its answer together."""
        return self._script.context_length

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Characters, and four for the frame of each message."""
        return sum(len(message.content) + 4 for message in messages)

    async def stream(self, request: GenerationRequest) -> AsyncIterator[Event]:
        """The events of the answer that fits; see :class:`backend.types.TextGenerator`."""
        self.requests.append(request)
        answer = next((answer for answer in self._script.answers if answer.fits(request)), None)
        if answer is None:
            raise errors.RequestError("The script has no answer to this.", "脚本里没有对应的回答。")
        arrival = time.perf_counter()
        for position in answer.queue:
            yield Queued(position)
            await asyncio.sleep(answer.queue_delay)
        await asyncio.sleep(answer.wait)
        for candidate in range(len(request.samplings)):
            written: list[str] = []
            first = 0.0
            reason: FinishReason = "cancelled"
            try:
                seed, constraint = request.seeds[candidate], request.constraint
                pieces = _draw(constraint, seed) if constraint else answer.filled(request, candidate)
                for piece in pieces[: request.max_new_tokens]:
                    first = first or time.perf_counter() - arrival
                    written.append(piece)
                    yield TokenEvent(piece, candidate)
                    await asyncio.sleep(answer.delay)
                if answer.error:
                    raise _error(answer.error)
                reason = "length" if len(written) == request.max_new_tokens else answer.finish
            finally:
                usage = Usage(
                    prompt_tokens=self.count_tokens(request.messages),
                    cached_tokens=0,
                    completion_tokens=len(written),
                    first_token_seconds=first,
                    seconds=time.perf_counter() - arrival,
                )
                self._note(request, candidate, reason, usage, "".join(written))
            yield Finished(reason, usage, candidate)

    def prepare(self, messages: Sequence[Message], adapter: str | None, session: str) -> None:
        """Take note of the hint."""
        self.prepared.append((tuple(messages), adapter, session))
        self._write({"prepared": session, "messages": [[message.role, message.content] for message in messages]})

    def forget(self, session: str) -> None:
        """Take note that the session has ended."""
        self.forgotten.append(session)
        self._write({"forgotten": session})

    async def close(self) -> None:
        """There is nothing to free."""

    def _note(self, request: GenerationRequest, candidate: int, reason: FinishReason, usage: Usage, text: str) -> None:
        sampling = request.samplings[candidate]
        self._write(
            {
                "id": request.id,
                "session": request.session,
                "adapter": request.adapter,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
                "min_p": sampling.min_p,
                "repetition_penalty": sampling.repetition_penalty,
                "seed": request.seeds[candidate],
                "prompt_tokens": usage.prompt_tokens,
                "cached_tokens": usage.cached_tokens,
                "completion_tokens": usage.completion_tokens,
                "reason": reason,
                "first_token_seconds": round(usage.first_token_seconds, 4),
                "seconds": round(usage.seconds, 4),
                "text": text,
                "messages": [[message.role, message.content] for message in request.messages],
            }
        )

    def _write(self, line: dict[str, Any]) -> None:
        if self._record is not None:
            with self._record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _error(name: str) -> errors.GenerationError:
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, errors.GenerationError)):
        raise errors.SettingsError(f"{name} is not a generation error.", f"{name} 不是生成错误。")
    return kind(f"The script says {name}; try again.", f"脚本要求报错 {name}；请重试。")
