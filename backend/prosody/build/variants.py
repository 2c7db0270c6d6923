"""Which written forms are one word: OpenCC's dictionaries, read as data.

Traditional to simplified only: the other way is a question of meaning, so a simplified character that stands for
several words keeps the readings of all of them.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from backend.prosody.build.books import Book, Reading, package_folder

OTHERS = frozenset("待俱哩坏")  # OpenCC offers them for 呆 具 里 坯 as well; in verse they are words of their own
STANDARD = frozenset("拚")  # OpenCC replaces it, but it stands in the list of simplified characters


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
    """OpenCC's character dictionaries, which its own tool turns into text.

    Raises:
        subprocess.CalledProcessError: the tool can't read them.
    """
    folder = package_folder("opencc") / "clib"

    def text(name: str) -> str:
        with TemporaryDirectory() as place:
            source, target = folder / "share" / "opencc" / f"{name}.ocd2", Path(place) / "text"
            tool: list[str | Path] = [
                folder / "bin" / "opencc_dict",
                "-i",
                source,
                "-o",
                target,
                "-f",
                "ocd2",
                "-t",
                "text",
            ]
            subprocess.run(tool, check=True)
            return target.read_text(encoding="utf-8")

    def rows(name: str) -> dict[str, tuple[str, ...]]:
        lines = (line.split("\t") for line in sorted(text(name).splitlines()) if line)
        pairs = ((key, tuple(values.split())) for key, values in lines if not key.startswith("#"))
        return {key: values for key, values in pairs if len(key) == 1}

    pairs = rows("TSCharacters") | rows("TSCharactersExt")  # the second: simplified by analogy, rare
    simplified = {key: values[0] for key, values in pairs.items() if values[0] != key and key not in STANDARD}
    words = {simple: tuple(w for w in found if w not in OTHERS) for simple, found in rows("STCharacters").items()}
    return Scripts(simplified, words)


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
