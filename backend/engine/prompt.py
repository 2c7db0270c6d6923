"""From messages to token ids, with the model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backend.types import Message


class PromptRenderer:
    """Renders conversations. What a writer types can't open or close a turn: special tokens in it lose their form."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = sorted(
            (token.content for token in tokenizer.added_tokens_decoder.values() if token.special),
            key=len,
            reverse=True,
        )

    def render(self, messages: Sequence[Message], open_answer: bool = True) -> list[int]:
        """Token ids of a conversation; ``open_answer`` adds the opening of the model's turn."""
        text = self._tokenizer.apply_chat_template(
            [{"role": message.role, "content": self.clean(message.content)} for message in messages],
            add_generation_prompt=open_answer,
            tokenize=False,
        )
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def clean(self, text: str) -> str:
        """Valid Unicode without special tokens: ``<|im_end|>`` becomes ``＜|im_end|>``."""
        text = text.encode("utf-8", "replace").decode("utf-8")
        for special in self._special:
            text = text.replace(special, "＜" + special[1:])
        return text
