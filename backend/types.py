"""What the parts of Moyun say to each other: a request, its events, a style, and the protocols between them.

Plain data, importable without torch or Chainlit.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "cancelled"]

GREEDY_BELOW = 0.01  # temperatures below this take the most probable token


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is drawn. The neutral value of each filter is its default."""

    temperature: float = 0.7
    top_p: float = 1.0  # keep the smallest set of tokens with at least this probability
    top_k: int = 0  # keep this many tokens; 0 keeps all
    min_p: float = 0.0  # drop tokens below this share of the best one's probability
    repetition_penalty: float = 1.0  # divides the logits of tokens already written (Keskar et al. 2019)


class Constraint(Protocol):
    """Which tokens may come next. Stateful: one object a candidate, advanced by each token that was appended."""

    @property
    def vocabulary(self) -> NDArray[np.int64]:
        """Sorted ids of every token that may ever be allowed, the end of the answer included.

        Constraints of one kind share one array object, so that an engine can prepare the output rows once.
        """

    def mask(self) -> NDArray[np.bool_]:
        """Which entries of ``vocabulary`` may come next, shape (len(vocabulary),); at least one is true."""

    def advance(self, token_id: int) -> None:
        """Take note of an appended token."""

    def fork(self) -> Constraint:
        """An independent copy in the same state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One prompt and how to answer it. ``samplings`` has one entry a candidate; all share one prefill."""

    messages: tuple[Message, ...]
    adapter: str | None = None  # a registered style's id; None is the base model
    samplings: tuple[Sampling, ...] = (Sampling(),)
    seeds: tuple[int, ...] = (0,)  # one a candidate
    max_new_tokens: int = 256
    constraint: Constraint | None = None  # forked for each candidate
    session: str | None = None  # whose keys and values to reuse and keep
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one candidate cost."""

    prompt_tokens: int
    cached_tokens: int  # of the prompt, not computed again
    completion_tokens: int
    first_token_seconds: float  # from the request's arrival
    seconds: float  # from the request's arrival to its end

    @property
    def tokens_per_second(self) -> float:
        """Decoding rate after the first token; 0 where there is only one."""
        elapsed = self.seconds - self.first_token_seconds
        return (self.completion_tokens - 1) / elapsed if self.completion_tokens > 1 and elapsed > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; ``position`` 1 is next."""

    position: int


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """A piece of text in whole characters (possibly several tokens' worth)."""

    text: str
    candidate: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """A candidate is complete."""

    reason: FinishReason
    usage: Usage
    candidate: int = 0


Event = Queued | TokenEvent | Finished


class TextGenerator(Protocol):
    """Whatever answers a request: the engine in this process, a remote server, a script for tests."""

    @property
    def model_name(self) -> str:
        """The base model, as a person would name it."""

    @property
    def context_length(self) -> int:
        """Tokens that a prompt and its answer may have together."""

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the rendered prompt, the answer's opening included."""

    def stream(self, request: GenerationRequest) -> AsyncIterator[Event]:
        """Events until every candidate is finished. Closing the iterator cancels the request within a token.

        Raises:
            GenerationError: the request was refused or failed.
        """

    def prepare(self, messages: Sequence[Message], adapter: str | None, session: str) -> None:
        """Hint: the session's next prompt will begin with ``messages`` under ``adapter``. Returns at once."""

    def forget(self, session: str) -> None:
        """The session has ended: drop what is kept for it. Returns at once."""

    async def close(self) -> None:
        """Cancel everything and free the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A voice that a writer can choose: an adapter of the loaded base, or a prompt alone."""

    id: str
    name: dict[str, str]  # by interface language, "zh" and "en"
    poem_prompt: str  # the system prompt that poems are asked with; an adapter was trained with it
    persona: dict[str, str]  # the system prompt for questions, by interface language
    poet: str | None = None
    dynasty: str | None = None
    adapter: Path | None = None  # folder of PEFT weights that fit the loaded base; None: a prompt alone
    note: str | None = None  # why a style that has weights is offered without them
    known_lines: Path | None = None  # folder with the hashes of its training lines, for copied ones
