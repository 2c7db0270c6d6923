"""Which written forms are one word: OpenCC's dictionaries, read as data.

Traditional to simplified only: the other way is a question of meaning, so a simplified character that stands for
several words keeps the readings of all of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from backend.prosody.build.books import Book, Reading, package_folder


@dataclass(frozen=True)
class Scripts:
    """``simplified`` maps a traditional or variant form to its simplified one; ``traditional`` a simplified form
    to the traditional words it stands for (itself among them where it is one)."""

    simplified: dict[str, str]
    traditional: dict[str, tuple[str, ...]]

    def is_invented(self, character: str) -> bool:
        """Whether the character is a simplification only: what old books have under it is another, dead word."""
        return character not in self.traditional.get(character, (character,))

    def word(self, character: str) -> str:
        """The form under which the variants of one word are compared: 爲 and 為 are one word, 發 and 髮 are two."""
        simple = self.simplified.get(character, character)
        words = self.traditional.get(simple, ())
        return words[0] if len(words) == 1 else character


def read_scripts() -> Scripts:
    """OpenCC's character dictionaries."""
    folder = package_folder("opencc") / "dictionary"

    def rows(name: str) -> dict[str, tuple[str, ...]]:
        lines = (line.split("\t") for line in (folder / name).read_text(encoding="utf-8").splitlines() if line)
        pairs = ((key, tuple(values.split())) for key, values in lines if not key.startswith("#"))
        return {key: values for key, values in pairs if len(key) == 1}

    simplified = {key: values[0] for key, values in rows("TSCharacters.txt").items() if values[0] != key}
    return Scripts(simplified, rows("STCharacters.txt"))


def fold(book: Book, scripts: Scripts) -> dict[str, set[Reading]]:
    """The book by word: the entry of the word's own form, or else those of its variants together."""
    direct: dict[str, set[Reading]] = {}
    variant: dict[str, set[Reading]] = defaultdict(set)
    spare: dict[str, set[Reading]] = defaultdict(set)
    for character, readings in book.items():
        word = scripts.word(character)
        if word == character:
            direct[word] = set(readings)
        elif scripts.is_invented(character):
            spare[word] |= readings
        else:
            variant[word] |= readings
    return {**spare, **variant, **direct}
