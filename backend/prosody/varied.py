"""A constraint under which one place of a poem is not the character that it was: a line that is written anew begins
otherwise, also where the model is cool and sure of itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.prosody.constraint import MetreConstraint
from backend.prosody.lexicon import Lexicon, Mask


class Varied:
    """Implements :class:`backend.types.Constraint` over another one. Where nothing else fits, the character may stay:
    there are no dead ends.

    Args:
        place: characters of the poem before the place.
        character: what stood there.
    """

    def __init__(self, inner: MetreConstraint, lexicon: Lexicon, place: int, character: str) -> None:
        self._inner, self._lexicon = inner, lexicon
        self._place, self._character = place, lexicon.character_index.get(character)
        self._written = 0

    @property
    def vocabulary(self) -> NDArray[np.int64]:
        """The other constraint's."""
        return self._inner.vocabulary

    def mask(self) -> Mask:
        """Which entries of ``vocabulary`` may come next, shape (len(vocabulary),). Not to be written to."""
        allowed = self._inner.mask()
        if self._written != self._place or self._character is None:
            return allowed
        other = allowed.copy()
        other[self._lexicon.starting[self._character]] = False
        return other if other.any() else allowed

    def advance(self, token_id: int) -> None:
        """Take note of an appended token.

        Raises:
            ProsodyError: the metre forbids it.
        """
        self._inner.advance(token_id)
        self._written += int(self._lexicon.length[self._lexicon.index_of(token_id)])

    def fork(self) -> Varied:
        """An independent copy in the same state."""
        other = object.__new__(Varied)
        other.__dict__.update(self.__dict__)
        other._inner = self._inner.fork()
        return other
