"""What is done about a message: something is written, or a poem is checked. And what is remembered of it."""

from __future__ import annotations

from dataclasses import dataclass

from backend.chat.commission import Commission
from backend.chat.intent import Intent
from backend.chat.options import Options
from backend.errors import RequestError
from backend.prosody.verdict import Verdict
from backend.types import GenerationRequest, Style


@dataclass(frozen=True, slots=True)
class Turn:
    """A message and its answer, as the writer saw them."""

    id: str
    text: str
    answer: str
    intent: Intent
    style: str  # id
    poem: Commission | None = None  # what the answer was to be, where it is a poem
    seed: int | None = None  # of what was written


@dataclass(frozen=True, slots=True, kw_only=True)
class WritePlan:
    """A poem or an answer that is to be written."""

    turn_id: str
    text: str
    intent: Intent
    style: Style
    options: Options
    request: GenerationRequest
    poem: Commission | None = None  # None: an answer to a question
    left_out: int = 0  # earlier turns that the prompt doesn't carry
    newly_left_out: bool = False
    switched: bool = False  # the message named another poet
    attempt: int = 1  # of a poem whose lines were copied
    line: int | None = None  # from 1: the one line that is written anew, all others stay

    @property
    def seed(self) -> int:
        """The seed of this answer."""
        return self.request.seeds[0]

    @property
    def keeps_form(self) -> bool:
        """Whether the form is kept at every character, whatever the model prefers."""
        return self.request.constraint is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPlan:
    """A poem of the writer's, or the last one of the conversation, was held against its form: nothing is written."""

    turn_id: str
    text: str
    intent: Intent
    style: Style
    options: Options
    verdict: Verdict
    answer: str  # the verdict's summary in the writer's language: what the conversation remembers
    switched: bool = False


Plan = WritePlan | CheckPlan


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of the settings did."""

    before: Options
    after: Options
    refused: tuple[RequestError, ...]

    @property
    def switched(self) -> bool:
        """Whether the style is another one now."""
        return self.before.style != self.after.style
