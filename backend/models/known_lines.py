"""The lines that an adapter was trained on, as hashes beside it: copied ones are found without the corpus.

``known_lines.npy`` holds one sorted array of uint64: the hashes of every run of five characters in those lines. In 64
bits a new run is mistaken for one of 100,000 known ones once in 10^14.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.errors import AdapterError
from backend.prosody.tables import to_simplified

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "known_lines.npy"
RUN = 5  # characters; shorter lines and runs are common property
_NOT_HAN = re.compile("[^〇㐀-䶿一-鿿豈-龎\\U00020000-\\U0003ffff]")


@dataclass(frozen=True, slots=True)
class KnownLines:
    """What an adapter has read."""

    hashes: NDArray[np.uint64]  # sorted

    @classmethod
    def of(cls, lines: Iterable[str]) -> KnownLines:
        """The hashes of these lines of verse; those of fewer than five characters are common property."""
        found = {key for line in lines for key in _runs(_bare(line))}
        return cls(np.array(sorted(found), dtype=np.uint64))

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
        return tuple(n for n, line in enumerate(lines, 1) if any(map(self._has, _runs(_bare(line)))))

    def _has(self, key: int) -> bool:
        at = int(np.searchsorted(self.hashes, np.uint64(key)))
        return at < len(self.hashes) and int(self.hashes[at]) == key


def _bare(line: str) -> str:
    return _NOT_HAN.sub("", to_simplified(line))


def _runs(line: str) -> Iterator[int]:
    return (_hash(line[at : at + RUN]) for at in range(len(line) - RUN + 1))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _broken(folder: Path, reason: str) -> AdapterError:
    return AdapterError(
        f"{folder / NAME} can't be used ({reason}); train the adapter again or delete that file.",
        f"{folder / NAME} 不能用（{reason}）；请重新训练适配器，或删除该文件。",
    )
