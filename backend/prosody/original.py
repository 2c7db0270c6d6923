"""A constraint under which no line is borrowed: none begins as a known line begins, or has a run of one.

A model recites from the head of a line on. Where only a whole run is kept from it, 国破山河在 comes back as 国破山河落;
where it must begin otherwise, it writes a line of its own.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from backend.prosody.constraint import MetreConstraint
from backend.prosody.lexicon import Lexicon, Mask
from backend.prosody.varied import Varied


class Known(Protocol):
    """Lines that are not to come again."""

    def endings(self, line: str) -> str:
        """The characters each of which would borrow, next in a line."""

    def borrowing(self, line: str, continuations: NDArray[np.uint64], columns: NDArray[np.intp]) -> Mask:
        """Which of the ``columns`` of ``continuations`` (code points, shape (characters, n), 0 behind the end of a
        shorter one) would borrow with a character behind their first."""


class Original:
    """Implements :class:`backend.types.Constraint` over another one. Where nothing else fits, a known line may come:
    there are no dead ends. Lines that the writer fixed stay as they are.

    Args:
        known: the lines that are not to come again.
    """

    def __init__(self, inner: MetreConstraint | Varied, lexicon: Lexicon, known: Known) -> None:
        self._inner, self._lexicon, self._known = inner, lexicon, known
        self._line = ""  # what stands in the line that is being written
        self._mask: Mask | None = None

    @property
    def vocabulary(self) -> NDArray[np.int64]:
        """The other constraint's."""
        return self._inner.vocabulary

    def mask(self) -> Mask:
        """Which entries of ``vocabulary`` may come next, shape (len(vocabulary),). Not to be written to."""
        if self._mask is None:
            self._mask = self._without_known(self._inner.mask())
        return self._mask

    def advance(self, token_id: int) -> None:
        """Take note of an appended token.

        Raises:
            ProsodyError: the metre forbids it.
        """
        self._inner.advance(token_id)
        index = self._lexicon.index_of(token_id)
        self._line = self._line + self._lexicon.texts[index] if self._lexicon.length[index] else ""
        self._mask = None

    def fork(self) -> Original:
        """An independent copy in the same state."""
        other = object.__new__(Original)
        other.__dict__.update(self.__dict__)
        other._inner = self._inner.fork()
        return other

    def _without_known(self, allowed: Mask) -> Mask:
        lexicon = self._lexicon
        other = allowed.copy()
        for character in self._known.endings(self._line):
            if character in lexicon.character_index:
                other[lexicon.starting[lexicon.character_index[character]]] = False
        longer = np.flatnonzero(other & (lexicon.length > 1))
        other[longer[self._known.borrowing(self._line, lexicon.codes, longer)]] = False
        return other if other.any() else allowed
