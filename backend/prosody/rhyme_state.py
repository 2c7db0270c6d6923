"""Which rhymes a poem can still have, and which words are left for them.

The rule that keeps dead ends away: for each rhyme letter, at least one rhyme has as many unused words as there are
slots to fill. A word is unused while no slot has it and the poem may still use the character.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from backend.prosody.lexicon import Lexicon, Mask


class RhymeState:
    """The rhymes open to one letter. Arrays over rhymes have shape (R,)."""

    def __init__(self, lexicon: Lexicon, tones: Iterable[str]) -> None:
        """
        Args:
            tones: P, Z or x of each slot that is free, one a slot.
        """
        self._lexicon = lexicon
        self.remaining: Counter[str] = Counter(tones)
        self.open = np.ones(len(lexicon.rhymes), dtype=np.bool_)  # (R,)
        self.is_settled = False
        usable = lexicon.singles
        self.left: dict[str, NDArray[np.int64]] = {  # tone -> (R,): unused words
            tone: (lexicon.rhyming[tone] & usable).sum(axis=1) for tone in self.remaining
        }

    def copy(self) -> RhymeState:
        """An independent copy."""
        other = object.__new__(RhymeState)
        other._lexicon = self._lexicon
        other.remaining = self.remaining.copy()
        other.open, other.is_settled = self.open.copy(), self.is_settled
        other.left = {tone: counts.copy() for tone, counts in self.left.items()}
        return other

    def narrow(self, rhymes: Iterable[str]) -> None:
        """The writer's choice, or what fixed rhyme words leave: keeps those rhymes only."""
        wanted = set(rhymes)
        self.open &= np.array([name in wanted for name in self._lexicon.rhymes])
        self.is_settled = True

    def spend(self, character: int) -> None:
        """A character can no longer be a rhyme word."""
        if not self._lexicon.singles[character]:
            return
        for tone, counts in self.left.items():
            counts -= self._lexicon.rhyming[tone][:, character]

    def feasible(self, margin: int) -> Mask:
        """(R,): open rhymes with ``margin`` words more than there are slots."""
        enough = self.open.copy()
        for tone, slots in self.remaining.items():
            if slots:
                enough &= self.left[tone] >= slots + margin
        return enough

    def close(self, rhymes: Mask) -> None:
        """Another letter of the same tone has taken those rhymes (R,): a change of rhyme is a change."""
        if not self.is_settled:
            self.open &= ~rhymes

    def _choice(self, margin: int) -> Mask:
        """(R,): what the next slot may have. While the rhyme is free, rhymes with words to spare are offered, so
        that what the poem spends elsewhere can't exhaust them."""
        roomy = self.feasible(margin)
        return roomy if not self.is_settled and bool(roomy.any()) else self.feasible(0)

    def words(self, tone: str, margin: int) -> Mask:
        """(C + 1,): characters that may fill the next slot."""
        rows, table = np.flatnonzero(self._choice(margin)), self._lexicon.rhyming[tone]
        found: Mask = np.logical_or.reduce(table[rows], axis=0)
        return found

    def fill(self, character: int, tone: str, margin: int) -> None:
        """A slot got its word: the rhymes that it doesn't have are closed."""
        self.open = self._choice(margin) & self._lexicon.rhyming[tone][:, character]
        self.is_settled = True
        self.remaining[tone] -= 1

    def scarce(self, margin: int) -> Mask | None:
        """(C + 1,): words that other places must not spend, or None where there are plenty."""
        if not any(self.remaining.values()) or self.feasible(margin).any():
            return None
        rows = np.flatnonzero(self.feasible(0))
        words = np.zeros(len(self._lexicon.characters) + 1, dtype=np.bool_)
        for tone, slots in self.remaining.items():
            if slots:
                words |= self._lexicon.rhyming[tone][rows].any(axis=0)
        return words
