"""Repeated poems: the same text again, and nearly the same text, often under another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from backend.corpus.shape import FRAGMENT

SHORTEST = 4  # a shared line of fewer characters says nothing
MOST = 40  # a line that more poems share is a set phrase
ALIKE = 0.6  # shared bigrams over all bigrams of two versions of one poem
CONTAINED = 0.8  # shared bigrams over those of a fragment that was taken from a poem


def twin_groups(lines: Sequence[Sequence[str]], forms: Sequence[str], authors: Sequence[str]) -> list[list[int]]:
    """Groups of two or more poems that are versions of one, as indices into ``lines`` in rising order.

    Args:
        lines: the lines of verse of each poem, simplified, without punctuation.
        forms: the form of each poem; a 残句 also belongs to the poem of the same author that contains it (in
            another's poem it may be a quotation: 集句诗 are made of them).
        authors: the author of each poem.
    """
    parent = list(range(len(lines)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in _candidates(lines):
        one, other = root(first), root(second)
        quoted = authors[first] == authors[second] and FRAGMENT in (forms[first], forms[second])
        if one != other and _alike(lines[first], lines[second], quoted):
            parent[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for index in range(len(lines)):
        groups.setdefault(root(index), []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _candidates(lines: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Pairs of poems that share a line, each pair once."""
    hashes, owners = _line_hashes(lines)
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]])
    ends = np.r_[starts[1:], len(hashes)]
    pairs: set[tuple[int, int]] = set()
    for start, end in zip(starts, ends, strict=True):
        if 2 <= end - start <= MOST:
            poems = sorted(set(owners[start:end].tolist()))
            pairs.update((a, b) for place, a in enumerate(poems) for b in poems[place + 1 :])
    yield from sorted(pairs)


def _line_hashes(lines: Sequence[Sequence[str]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hash and poem of every line that is long enough, both of shape (lines,)."""
    hashes, owners = [], []
    for owner, poem in enumerate(lines):
        for line in poem:
            if len(line) >= SHORTEST and "□" not in line:
                hashes.append(hash(line))
                owners.append(owner)
    return np.array(hashes, dtype=np.int64), np.array(owners, dtype=np.int64)


def _alike(first: Sequence[str], second: Sequence[str], quoted: bool) -> bool:
    one, other = _bigrams(first), _bigrams(second)
    shared = len(one & other)
    if quoted and shared >= CONTAINED * min(len(one), len(other)):
        return True
    return shared >= ALIKE * len(one | other)


def _bigrams(lines: Sequence[str]) -> set[str]:
    text = "".join(lines)
    return {text[at : at + 2] for at in range(len(text) - 1)}
