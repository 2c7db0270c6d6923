"""Keeps poems inside their form: constraints for one model's vocabulary, and the verdict on what was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backend.prosody.catalog import find_form, understand
from backend.prosody.lexicon import Lexicons

if TYPE_CHECKING:
    from backend.prosody.constraint import MetreConstraint
    from backend.prosody.tables import BookName


class Metre:
    """Makes constraints.

    A character must fit in every reading that verse uses ("usual"): with every reading that a rhyme book lists, words
    such as 家 and 空 could not stand where poets put them.

    Args:
        vocabulary: a byte-level BPE tokenizer's ``get_vocab()``.
        end: id of the token that ends an answer.
    """

    def __init__(self, vocabulary: Mapping[str, int], end: int) -> None:
        self._lexicons = Lexicons(vocabulary, end)

    def constrain(self, form: str, *, rhyme: str | None = None, acrostic: str | None = None) -> MetreConstraint:
        """What may be written under a form such as 七律 or 水调歌头.

        Args:
            rhyme: a rhyme such as 尤; None lets the poem's first rhyme word fix it.
            acrostic: a character for the head of each line, or of each couplet.

        Raises:
            ProsodyError: there is no such form or rhyme, or the wishes can't be kept together.
        """
        from backend.prosody.constraint import make_constraint

        book: BookName = "cilin" if understand(form).kind == "ci" else "pingshui"
        lexicon = self._lexicons.of(book, "usual")
        return make_constraint(lexicon, find_form(form), rhyme=rhyme, acrostic=acrostic)
