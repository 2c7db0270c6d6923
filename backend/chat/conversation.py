"""One writer's conversation: the choices, the turns, and what of them the next prompt carries."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from backend.chat.intent import Intent, read_intent
from backend.chat.options import MAX_SEED, Options, OptionSchema
from backend.chat.prompts import opening, poem_messages, question_messages
from backend.errors import Language, RequestError, TooLongError
from backend.types import GenerationRequest, Message, Style, TextGenerator

REFILL = 0.75  # when old turns must go, keep this share of the budget, so that the next turns can reuse the prefix


@dataclass(frozen=True, slots=True)
class Limits:
    """What the process allows."""

    max_new_tokens: int = 1024
    max_message_chars: int = 20000


@dataclass(frozen=True, slots=True)
class Turn:
    """A message and its answer, as the writer saw them."""

    id: str
    text: str
    answer: str
    intent: Intent


@dataclass(frozen=True, slots=True)
class Plan:
    """What a message will be answered with."""

    turn_id: str
    text: str
    intent: Intent
    style: Style
    options: Options
    request: GenerationRequest
    left_out: int  # earlier turns that the prompt doesn't carry
    newly_left_out: bool
    switched: bool  # the message named another poet

    @property
    def seed(self) -> int:
        """The seed of this answer."""
        return self.request.seeds[0]


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


class Conversation:
    """State of one session; no other session sees it. Not thread-safe: one task at a time."""

    def __init__(
        self,
        generator: TextGenerator,
        styles: Mapping[str, Style],
        schema: OptionSchema,
        *,
        session: str,
        language: Language = "zh",
        limits: Limits | None = None,
    ) -> None:
        self.generator = generator
        self.styles = styles
        self.schema = schema
        self.session = session
        self.language: Language = language
        self.limits = limits or Limits()
        self.options = schema.defaults(list(styles))
        self.options = self._clamped({})[0]
        self.turns: list[Turn] = []
        self._first_kept = 0  # index of the oldest turn that prompts still carry

    @property
    def style(self) -> Style:
        """The style that the next message uses."""
        return self.styles[self.options.style]

    @property
    def poets(self) -> dict[str, tuple[str, ...]]:
        """The names that each style's poet goes by."""
        return {
            style.id: tuple({name for name in (style.poet, *style.name.values()) if name})
            for style in self.styles.values()
            if style.poet
        }

    def change(self, values: Mapping[str, object]) -> Change:
        """Take what a client sent: clamped, whitelisted, in force from the next message on."""
        before = self.options
        self.options, refused = self._clamped(values)
        return Change(before, self.options, tuple(refused))

    def _clamped(self, values: Mapping[str, object]) -> tuple[Options, list[RequestError]]:
        return self.schema.apply(self.options, values, self.styles.keys(), max_new_tokens=self.limits.max_new_tokens)

    def plan(self, text: str, *, turn_id: str, command: str | None = None) -> Plan:
        """Decide how ``text`` is answered.

        Raises:
            TooLongError: the message can't fit, whatever older turns are left out.
            RequestError: the message is empty.
        """
        text = text.strip()
        if not text:
            raise RequestError(
                "The message is empty; write a topic or a question.", "消息是空的；写个题目，或问点什么。"
            )
        if len(text) > self.limits.max_message_chars:
            raise TooLongError(
                f"The message has {len(text):,} characters; at most {self.limits.max_message_chars:,} fit. Shorten it.",
                f"这条消息有 {len(text)} 字，最多 {self.limits.max_message_chars} 字；请缩短后再发。",
            )
        intent = read_intent(text, command=command, poets=self.poets)
        switched = intent.style is not None and intent.style != self.options.style
        options = replace(self.options, style=intent.style) if intent.style else self.options
        style = self.styles[options.style]
        answer_tokens = min(options.max_new_tokens, self.generator.context_length // 2)
        budget = self.generator.context_length - answer_tokens
        if intent.kind == "poem":
            intent = intent.following(self._last_poem())
            assert intent.form is not None
            assert intent.topic is not None
            messages = poem_messages(style, intent.form, intent.topic)
            self._check_size(messages, budget)
            first = self._first_kept
            left_out = 0
        else:
            first, messages = self._fit(style, options, text, budget)
            left_out = first
        newly = left_out > self._first_kept
        self._first_kept = first
        self.options = options
        request = GenerationRequest(
            messages=messages,
            adapter=style.id if intent.kind == "poem" and style.adapter is not None else None,
            samplings=(options.sampling,),
            seeds=(options.seed if options.seed is not None else secrets.randbelow(MAX_SEED + 1),),
            max_new_tokens=answer_tokens,
            session=self.session,
        )
        return Plan(turn_id, text, intent, style, options, request, left_out, newly, switched)

    def keep(self, plan: Plan, answer: str) -> None:
        """Remember an answer, or the part of it that was written before Stop."""
        if answer.strip():
            self.turns.append(Turn(plan.turn_id, plan.text, answer.strip(), plan.intent))

    def knows(self, turn_id: str) -> bool:
        """Whether there is a turn with this id."""
        return any(turn.id == turn_id for turn in self.turns)

    def rewind(self, turn_id: str) -> bool:
        """Forget the turn with this id and all after it, for a message that was edited. Whether there was one."""
        for index, turn in enumerate(self.turns):
            if turn.id == turn_id:
                del self.turns[index:]
                self._first_kept = min(self._first_kept, index)
                return True
        return False

    def upcoming(self) -> tuple[Message, ...]:
        """How the next question's prompt will begin."""
        begin = opening(self.style, self.language, self.options.system_prompt)
        return (begin, *self._history(self._first_kept))

    def _last_poem(self) -> Intent | None:
        return next((turn.intent for turn in reversed(self.turns) if turn.intent.kind == "poem"), None)

    def _history(self, first: int) -> tuple[Message, ...]:
        return tuple(
            message
            for turn in self.turns[first:]
            for message in (Message("user", turn.text), Message("assistant", turn.answer))
        )

    def _fit(self, style: Style, options: Options, text: str, budget: int) -> tuple[int, tuple[Message, ...]]:
        """The oldest turn that fits and the messages from there; the system prompt and ``text`` always stay."""

        def messages_from(first: int) -> tuple[Message, ...]:
            return question_messages(style, self.language, options.system_prompt, self._history(first), text)

        def fits(first: int, tokens: float) -> bool:
            return self.generator.count_tokens(messages_from(first)) <= tokens

        first = min(self._first_kept, len(self.turns))
        if fits(first, budget):
            return first, messages_from(first)
        self._check_size(messages_from(len(self.turns)), budget)
        low, high = first + 1, len(self.turns)  # the count shrinks as turns go: the least that is enough
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if fits(middle, budget * REFILL) else (middle + 1, high)
        return low, messages_from(low)

    def _check_size(self, messages: tuple[Message, ...], budget: int) -> None:
        size = self.generator.count_tokens(messages)
        if size > budget:
            raise TooLongError(
                f"The message takes {size:,} tokens and only {budget:,} fit beside an answer of this length; "
                "shorten it or lower the longest answer.",
                f"这条消息共 {size} 词元，按现在的篇幅上限最多容 {budget} 词元；请缩短消息，或调低篇幅上限。",
            )
