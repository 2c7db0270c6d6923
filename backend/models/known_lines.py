"""The lines that an adapter was trained on, as hashes beside it: borrowed ones are known without the corpus.

``known_lines.npy`` holds one sorted array of uint64, an entry for every run of five characters in those lines and for
the three characters that a line begins with: 43 bits of a hash of all but the last character, then that character's
code point. So what would complete a run stands together. A new run begins with the hash of one of 100,000 known ones
once in 10^8, and then the last character must be the same too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.errors import AdapterError
from backend.prosody.tables import to_simplified

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.uint64]  # code points

NAME = "known_lines.npy"
RUN = 5  # characters; shorter lines and runs are common property
OPENING = 3  # characters: a poet's lines that are known by heart are known from here on
_BEGIN = ord("^")  # stands before an opening, so that it is no run
_CODE = np.uint64(2**21 - 1)  # the bits of a code point
_FIRST_BITS = 20
_SHIFT = np.uint64(64 - _FIRST_BITS)
_FNV_OFFSET, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_NOT_HAN = re.compile("[^〇㐀-䶿一-鿿豈-龎\\U00020000-\\U0003ffff]")


@dataclass(frozen=True, slots=True)
class KnownLines:
    """What an adapter has read."""

    hashes: NDArray[np.uint64]  # sorted
    _likely: NDArray[np.bool_] = field(init=False, repr=False, compare=False)  # by a hash's first bits: most are not

    def __post_init__(self) -> None:
        likely = np.zeros(1 << _FIRST_BITS, dtype=np.bool_)
        likely[self.hashes >> _SHIFT] = True
        object.__setattr__(self, "_likely", likely)

    @classmethod
    def of(cls, lines: Iterable[str]) -> KnownLines:
        """The hashes of these lines of verse; those of fewer than five characters are common property."""
        keys = [np.zeros(0, dtype=np.uint64)]
        for codes in filter(lambda codes: len(codes) >= RUN, map(_codes, lines)):
            keys += [_runs(codes), _key([_BEGIN, *codes[:OPENING]])]
        return cls(np.unique(np.concatenate(keys)))

    @classmethod
    def open(cls, folder: Path) -> KnownLines | None:
        """What is beside the adapter in ``folder``; None where nothing is.

        Raises:
            AdapterError: the file is broken.
        """
        path = folder / NAME
        if not path.is_file():
            return None
        try:
            hashes = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _broken(folder, str(error)) from error
        if hashes.dtype != np.uint64 or hashes.ndim != 1 or bool((hashes[1:] <= hashes[:-1]).any()):
            raise _broken(folder, "no sorted hashes")
        return cls(hashes)

    def save(self, folder: Path) -> None:
        """Write the file, whole or not at all."""
        partial = folder / f".{NAME}.partial"
        with partial.open("wb") as file:
            np.save(file, self.hashes, allow_pickle=False)
        partial.replace(folder / NAME)

    def copied(self, lines: Sequence[str]) -> tuple[int, ...]:
        """Numbers, from 1, of the lines with five characters in a row that stand in a line of a training poem."""
        return tuple(n for n, line in enumerate(lines, 1) if self._has(_runs(_codes(line))).any())

    def endings(self, line: str) -> str:
        """The characters each of which would begin a line as a training line begins, or give it a run of one.

        Args:
            line: the characters that stand there already, simplified and without marks.
        """
        written = [*map(ord, line)]
        found = ""
        if len(line) == OPENING - 1:
            found += self._after([_BEGIN, *written])
        if len(line) >= RUN - 1:
            found += self._after(written[1 - RUN :])
        return found

    def borrowing(self, line: str, continuations: Codes, columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of some continuations of a line would do so with a character behind their first.

        Args:
            line: as for :meth:`endings`.
            continuations: code points, shape (characters, n), 0 behind the end of a shorter one.
            columns: which of them to look at, shape (m,).

        Returns:
            Shape (m,).
        """
        found = np.zeros(len(columns), dtype=np.bool_)
        written = [*map(ord, line)]
        here = np.arange(len(columns))
        for length in range(2, len(continuations) + 1):
            here = here[continuations[length - 1][columns[here]] > 0]
            end = len(line) + length
            if end == OPENING or end >= RUN:
                whole = [*written, *(codes[columns[here]] for codes in continuations[:length])]
                found[here] |= self._has(_key([_BEGIN, *whole] if end == OPENING else whole[-RUN:]))
        return found

    def _after(self, beginning: Sequence[int]) -> str:
        """The last characters of the known runs that begin so."""
        key = _hash(beginning) & ~_CODE
        first, last = np.searchsorted(self.hashes, np.concatenate([key, key | _CODE]))
        return "".join(map(chr, self.hashes[first:last] & _CODE))

    def _has(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self._likely[keys >> _SHIFT]
        likely = np.flatnonzero(found)
        if len(likely):
            at = np.searchsorted(self.hashes, keys[likely])
            found[likely] = self.hashes[np.minimum(at, len(self.hashes) - 1)] == keys[likely]
        return found


def _codes(line: str) -> Codes:
    return np.array([ord(character) for character in _NOT_HAN.sub("", to_simplified(line))], dtype=np.uint64)


def _runs(codes: Codes) -> NDArray[np.uint64]:
    """The hash of every run, shape (runs,)."""
    number = max(0, len(codes) - RUN + 1)
    return _key([codes[place : place + number] for place in range(RUN)])


def _key(characters: Sequence[int | np.uint64 | Codes]) -> NDArray[np.uint64]:
    """The entry of a run, one for each column."""
    return (_hash(characters[:-1]) & ~_CODE) | np.asarray(characters[-1], dtype=np.uint64)


def _hash(characters: Sequence[int | np.uint64 | Codes]) -> NDArray[np.uint64]:
    """FNV-1a (Fowler, Noll, Vo) over code points in the place of bytes, one for each column."""
    key = np.full(1, _FNV_OFFSET)
    for codes in characters:
        key = (key ^ np.asarray(codes, dtype=np.uint64)) * _FNV_PRIME
    return key


def _broken(folder: Path, reason: str) -> AdapterError:
    return AdapterError(
        f"{folder / NAME} can't be used ({reason}); train the adapter again or delete that file.",
        f"{folder / NAME} 不能用（{reason}）；请重新训练适配器，或删除该文件。",
    )
