"""How often a poem has used each character, and which tokens that rules out."""

from __future__ import annotations

from collections import Counter

import numpy as np

from backend.prosody.lexicon import Lexicon, Mask


class Usage:
    """Counts of characters. ``banned`` (V,) are the tokens that would use one too often."""

    def __init__(self, lexicon: Lexicon, limit: int) -> None:
        """
        Args:
            limit: how often a character may come; side by side counts once.
        """
        self._lexicon = lexicon
        self._limit = limit
        self._counts: Counter[int] = Counter()
        self.banned: Mask = np.zeros(len(lexicon.ids), dtype=np.bool_)

    def copy(self) -> Usage:
        """An independent copy."""
        other = Usage.__new__(Usage)
        other._lexicon, other._limit = self._lexicon, self._limit
        other._counts, other.banned = self._counts.copy(), self.banned.copy()
        return other

    def add(self, character: int, times: int = 1) -> bool:
        """Notes a use; whether the character is used up now."""
        self._counts[character] += times
        if self._counts[character] >= self._limit - 1:
            self.banned[self._lexicon.twice[character]] = True
        if self._counts[character] < self._limit:
            return False
        self.banned[self._lexicon.holding[character]] = True
        return True
