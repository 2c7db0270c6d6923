"""From token ids to text, a whole character at a time."""

from __future__ import annotations

import codecs
from functools import cache
from typing import Any


@cache
def _byte_of_character() -> dict[str, int]:
    """The inverse of byte-level BPE's alphabet: printable bytes stand for themselves, the others for U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    table = {chr(byte): byte for byte in printable}
    table.update({chr(0x100 + index): byte for index, byte in enumerate(others)})
    return table


class TokenBytes:
    """The bytes that a byte-level BPE tokenizer's ids stand for; special tokens stand for none."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._added = {
            token_id: b"" if token.special else token.content.encode()
            for token_id, token in tokenizer.added_tokens_decoder.items()
        }
        self._known: dict[int, bytes] = {}

    def __getitem__(self, token_id: int) -> bytes:
        """The bytes of one token; none for an id that the tokenizer doesn't have (padding rows of the model)."""
        found = self._known.get(token_id)
        if found is None:
            found = self._known[token_id] = self._look_up(token_id)
        return found

    def _look_up(self, token_id: int) -> bytes:
        if token_id in self._added:
            return self._added[token_id]
        token = self._tokenizer.convert_ids_to_tokens(token_id)
        table = _byte_of_character()
        return bytes(table[character] for character in token) if token else b""


class Detokenizer:
    """Streams the text of one sequence.

    Joined, the pieces and ``flush()`` equal ``tokenizer.decode(ids, skip_special_tokens=True)``: both are the tokens'
    bytes read as UTF-8, broken parts replaced by U+FFFD; a character that is still incomplete is held back.
    """

    def __init__(self, token_bytes: TokenBytes) -> None:
        self._bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token_id: int) -> str:
        """The characters that this token completes; empty where it completes none."""
        return self._decoder.decode(self._bytes[token_id])

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character that was never completed."""
        return self._decoder.decode(b"", final=True)
