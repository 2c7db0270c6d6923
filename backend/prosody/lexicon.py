"""The part of a tokenizer's vocabulary that verse is written with, in arrays.

Allowed are tokens of whole Chinese characters that the rhyme book knows, the marks of the layout, and the end of the
answer. Tokens that split a character are left out, and so are tokens that join a mark to a character (in Qwen's
vocabulary seven, such as ``，在``): a mark is forced, and a forced token needs no sampling.

Arrays over the vocabulary have shape (V,), V the number of tokens; over characters (C + 1,), the last entry standing
for "no character".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backend.errors import ProsodyError
from backend.prosody.tables import Book, BookName, load_book, to_simplified, usual_tones

Mask = NDArray[np.bool_]
Fitting = Literal["all", "usual", "any"]

MARKS = ("，", "。", "、", "\n", "。\n", "。\n\n", "\n\n")
_HAN = re.compile("[〇㐀-䶿一-鿿\U00020000-\U0003ffff]+")
_REPEATED_THRICE = re.compile(r"(.)\1\1")


def decode_byte_level(vocabulary: Mapping[str, int]) -> dict[int, str]:
    """Texts by id of a byte-level BPE vocabulary (GPT-2's spelling of bytes, as Qwen uses it).

    Tokens that are not whole characters, and added tokens that are not spelled in bytes, are left out.
    """
    spelled = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in spelled]
    alphabet = {chr(byte): byte for byte in spelled} | {chr(256 + n): byte for n, byte in enumerate(others)}
    texts = {}
    for token, number in vocabulary.items():
        try:
            texts[number] = bytes(alphabet[letter] for letter in token).decode("utf-8")
        except (KeyError, UnicodeDecodeError):
            continue
    return texts


class Lexicon:
    """Tokens for verse under one rhyme book, with the tables that masks are made of."""

    def __init__(self, texts: Mapping[int, str], end: int, book: Book, *, fitting: Fitting = "all") -> None:
        """
        Args:
            texts: token id -> text; see :func:`decode_byte_level`. Traditional forms are left out: a poem is in one
                script, and the models write simplified.
            end: id of the token that ends an answer.
            fitting: which readings of a character must fit: all; the usual ones, so that 家 may be used although
                it has an oblique reading that verse does not use; or any.
        """
        kept = {number: text for number, text in texts.items() if self._is_verse(text, book) or text in MARKS}
        self.book = book
        self.end = end
        self.ids = np.array(sorted({*kept, end}), dtype=np.int64)
        self.texts = [kept.get(int(number), "") if number != end else "" for number in self.ids]
        self._index = {int(number): index for index, number in enumerate(self.ids)}
        self._marks = {text: index for index, text in enumerate(self.texts) if text in MARKS}
        words = ["" if text in MARKS else text for text in self.texts]
        self._single = {word: index for index, word in enumerate(words) if len(word) == 1}
        self._multi = {word: index for index, word in enumerate(words) if len(word) > 1}
        self.characters = sorted(set("".join(words)))
        self.character_index = {character: index for index, character in enumerate(self.characters)}
        self.length = np.array([len(word) for word in words], dtype=np.int8)  # (V,)
        self.longest = int(self.length.max(initial=1))
        none = len(self.characters)
        self.grid = np.full((self.longest, len(words)), none, dtype=np.int32)  # (longest, V): character by place
        for index, word in enumerate(words):
            for place, character in enumerate(word):
                self.grid[place, index] = self.character_index[character]
        self.codes = np.array([*map(ord, self.characters), 0], dtype=np.uint64)[self.grid]  # (longest, V), 0 for none
        self.last = np.array(
            [self.character_index[word[-1]] if word else none for word in words], dtype=np.int32
        )  # (V,): last character
        self._read_classes(fitting)
        self._index_characters()
        self._fitting: dict[str, Mask] = {}
        self._only: dict[int, Mask] = {}
        self._of_length: dict[int, Mask] = {}

    @staticmethod
    def _is_verse(text: str, book: Book) -> bool:
        if not _HAN.fullmatch(text) or _REPEATED_THRICE.search(text) or to_simplified(text) != text:
            return False
        return all(book.readings(character) for character in text)

    def _read_classes(self, fitting: Fitting) -> None:
        """``classes[tone]`` (C + 1,): characters that fit P, Z or x; ``rhyming[tone]`` (rhymes, C + 1): those of
        them that have a reading in the rhyme."""
        self.rhymes = list(self.book.rhymes)
        number = {rhyme: row for row, rhyme in enumerate(self.rhymes)}
        size = len(self.characters) + 1
        self.classes = {tone: np.zeros(size, dtype=np.bool_) for tone in "PZx"}
        self.rhyming = {tone: np.zeros((len(self.rhymes), size), dtype=np.bool_) for tone in "PZx"}
        for column, character in enumerate(self.characters):
            readings = self.book.readings(character)
            tones = {reading.tone_class for reading in readings}
            if fitting == "usual":
                tones = set(usual_tones(self.book.name).get(character, "")) or tones
            for tone in "PZ":
                self.classes[tone][column] = tone in tones if fitting == "any" else tones == {tone}
            self.classes["x"][column] = True
            for reading in readings:
                for tone in ("x", reading.tone_class):
                    if self.classes[tone][column]:
                        self.rhyming[tone][number[reading.rhyme], column] = True
        singles = np.zeros(size, dtype=np.bool_)
        singles[[self.character_index[character] for character in self._single]] = True
        self.singles = singles  # (C + 1,): characters that are a token of their own

    def index_of(self, token_id: int) -> int:
        """Place of a token id in ``ids``.

        Raises:
            ProsodyError: verse is not written with that token.
        """
        try:
            return self._index[token_id]
        except KeyError:
            raise ProsodyError(
                f"Token {token_id} can't stand in a poem.", f"编号为 {token_id} 的词元不能入诗。"
            ) from None

    def only(self, index: int) -> Mask:
        """The mask that allows one token (by its place in ``ids``)."""
        if index not in self._only:
            mask = np.zeros(len(self.ids), dtype=np.bool_)
            mask[index] = True
            self._only[index] = mask
        return self._only[index]

    def fitting(self, tones: str) -> Mask:
        """Tokens whose characters fit the coming ``tones`` and do not reach past them. Not to be written to."""
        if tones not in self._fitting:
            mask = (self.length > 0) & (self.length <= len(tones))
            for place, tone in enumerate(tones[: self.longest]):
                mask &= self.classes[tone][self.grid[place]] | (self.length <= place)
            self._fitting[tones] = mask
        return self._fitting[tones]

    def of_length(self, length: int) -> Mask:
        """Tokens of that many characters. Not to be written to."""
        if length not in self._of_length:
            self._of_length[length] = self.length == length
        return self._of_length[length]

    def _index_characters(self) -> None:
        """Places of tokens by character: ``holding`` it, ``starting`` with it, ``doubling`` it at the start, and
        using it ``twice`` other than side by side."""
        tables: list[list[list[int]]] = [[[] for _ in self.characters] for _ in range(4)]
        holding, starting, doubling, twice = tables
        for index, text in enumerate(self.texts):
            if not self.length[index]:
                continue
            first = self.character_index[text[0]]
            starting[first].append(index)
            if text[:1] == text[1:2]:
                doubling[first].append(index)
            for character, count in uses_of(text).items():
                number = self.character_index[character]
                holding[number].append(index)
                if count > 1:
                    twice[number].append(index)
        self.holding, self.starting, self.doubling, self.twice = (
            [np.array(places, dtype=np.intp) for places in table] for table in tables
        )

    def single(self, character: str) -> int | None:
        """Place of the token that is this character alone."""
        return self._single.get(character)

    def spell(self, text: str) -> list[int]:
        """The text in as few tokens as a longest-match from the left gives.

        Raises:
            ProsodyError: a character has no token.
        """
        places, start = [], 0
        while start < len(text):
            for length in range(min(self.longest, len(text) - start), 0, -1):
                piece = text[start : start + length]
                place = self._multi.get(piece) if length > 1 else self._single.get(piece)
                if place is not None:
                    places.append(place)
                    start += length
                    break
            else:
                raise ProsodyError(
                    f"The model has no token for the character {text[start]!r}; choose another.",
                    f"模型的词表里没有“{text[start]}”字，请换一个。",
                )
        return places

    def spell_mark(self, mark: str) -> list[int]:
        """The tokens of what stands behind a line, as the tokenizer itself would cut them.

        Raises:
            ProsodyError: the vocabulary can't write it.
        """
        if mark in self._marks:
            return [self._marks[mark]]
        pieces = [self._marks.get(letter) for letter in mark]
        if None in pieces:
            raise ProsodyError(f"The vocabulary has no token for {mark!r}.", f"词表里没有 {mark!r}。")
        return [piece for piece in pieces if piece is not None]


class Lexicons:
    """A tokenizer's lexicons by rhyme book, each made when it is first asked for (a fifth of a second)."""

    def __init__(self, vocabulary: Mapping[str, int], end: int) -> None:
        """
        Args:
            vocabulary: a byte-level BPE tokenizer's ``get_vocab()``.
            end: id of the token that ends an answer.
        """
        self._vocabulary, self._end = vocabulary, end
        self._made: dict[tuple[BookName, Fitting], Lexicon] = {}
        self._lock = Lock()

    def of(self, book: BookName, fitting: Fitting = "all") -> Lexicon:
        """The lexicon under a book. Those of the same characters share one array of ids."""
        with self._lock:
            if (book, fitting) not in self._made:
                texts = decode_byte_level(self._vocabulary)
                lexicon = Lexicon(texts, self._end, load_book(book), fitting=fitting)
                for other in self._made.values():
                    if np.array_equal(other.ids, lexicon.ids):
                        lexicon.ids = other.ids
                self._made[book, fitting] = lexicon
            return self._made[book, fitting]


def uses_of(text: Sequence[str]) -> dict[str, int]:
    """How often each character is used; side by side (萋萋) counts once."""
    uses: dict[str, int] = {}
    previous = ""
    for character in text:
        if character != previous:
            uses[character] = uses.get(character, 0) + 1
        previous = character
    return uses
