"""The turns of a conversation, and how many of them a prompt can carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.chat.plans import Turn
from backend.types import Message

REFILL = 0.75  # when old turns must go, keep this share of the budget, so that the next turns can reuse the prefix

Messages = tuple[Message, ...]


class Memory:
    """What was said, oldest first."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.first_kept = 0  # index of the oldest turn that prompts still carry

    @property
    def last_poem(self) -> Turn | None:
        """The last turn whose answer is a poem."""
        return next((turn for turn in reversed(self.turns) if turn.poem is not None), None)

    def find(self, turn_id: str) -> Turn | None:
        """The turn with this id."""
        return next((turn for turn in self.turns if turn.id == turn_id), None)

    def replace(self, turn: Turn) -> None:
        """Put a turn in the place of the one with its id."""
        self.turns = [turn if old.id == turn.id else old for old in self.turns]

    def rewind(self, turn_id: str) -> bool:
        """Forget the turn with this id and all after it. Whether there was one."""
        for index, turn in enumerate(self.turns):
            if turn.id == turn_id:
                del self.turns[index:]
                self.first_kept = min(self.first_kept, index)
                return True
        return False

    def messages(self, first: int) -> Messages:
        """Questions and answers from a turn on."""
        return tuple(
            message
            for turn in self.turns[first:]
            for message in (Message("user", turn.text), Message("assistant", turn.answer))
        )

    def fit(
        self, budget: int, prompt: Callable[[Messages], Messages], count: Callable[[Sequence[Message]], int]
    ) -> tuple[int, Messages]:
        """The oldest turn that fits into ``budget`` tokens, and the prompt from there.

        Args:
            prompt: makes a prompt of the turns that it is given; without any it must fit.
            count: tokens of a prompt.
        """

        def fits(first: int, tokens: float) -> bool:
            return count(prompt(self.messages(first))) <= tokens

        first = min(self.first_kept, len(self.turns))
        if fits(first, budget):
            return first, prompt(self.messages(first))
        low, high = first + 1, len(self.turns)  # the count shrinks as turns go: the least that is enough
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if fits(middle, budget * REFILL) else (middle + 1, high)
        return low, prompt(self.messages(low))
