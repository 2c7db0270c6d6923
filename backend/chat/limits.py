"""What the process allows, and the sentence for what goes beyond."""

from __future__ import annotations

from dataclasses import dataclass

from backend.chat.metre import tokens_of
from backend.errors import RequestError, TooLongError
from backend.prosody.forms import Form


@dataclass(frozen=True, slots=True)
class Limits:
    """What the process allows."""

    max_new_tokens: int = 1024
    max_message_chars: int = 20000

    def admit(self, text: str, *, may_be_empty: bool = False) -> str:
        """The message without the space around it.

        Raises:
            RequestError: it is empty.
            TooLongError: it has too many characters, whatever they are.
        """
        text = text.strip()
        if not text and not may_be_empty:
            raise RequestError(
                "The message is empty; write a topic or a question.", "消息是空的；写个题目，或问点什么。"
            )
        if len(text) > self.max_message_chars:
            raise TooLongError(
                f"The message has {len(text):,} characters; at most {self.max_message_chars:,} fit. Shorten it.",
                f"这条消息有 {len(text)} 字，最多 {self.max_message_chars} 字；请缩短后再发。",
            )
        return text

    def room_for(self, form: Form, context: int) -> int:
        """Tokens that a poem of this form takes: known beforehand, so that one is never cut, whatever the setting.

        Args:
            context: tokens that the prompt and the poem may have together.

        Raises:
            RequestError: the process doesn't allow so many.
        """
        needed, allowed = tokens_of(form), min(self.max_new_tokens, context)
        if needed > allowed:
            raise RequestError(
                f"{form.name} takes up to {needed:,} tokens here and {allowed:,} are allowed; choose a shorter form.",
                f"这首{form.name}约需 {needed} 词元，这里最多 {allowed} 词元；请换短一些的体裁。",
            )
        return needed


def admit_prompt(size: int, budget: int) -> None:
    """Refuse a prompt of ``size`` tokens where ``budget`` fit.

    Raises:
        TooLongError: it doesn't fit, whatever older turns are left out.
    """
    if size > budget:
        raise TooLongError(
            f"The message takes {size:,} tokens and only {budget:,} fit beside an answer of this length; "
            "shorten it or lower the longest answer.",
            f"这条消息共 {size} 词元，按现在的篇幅上限最多容 {budget} 词元；请缩短消息，或调低篇幅上限。",
        )
