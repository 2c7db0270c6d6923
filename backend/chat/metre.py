"""Keeps poems inside their form: constraints for one model's vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backend.prosody.catalog import find_form
from backend.prosody.forms import Form, Variant
from backend.prosody.lexicon import Lexicons
from backend.prosody.tables import BookName, to_simplified

if TYPE_CHECKING:
    from backend.prosody.constraint import MetreConstraint
    from backend.prosody.original import Known, Original
    from backend.prosody.varied import Varied


def book_for(form: Form, book: BookName) -> BookName:
    """The book that a form is held to: ci rhyme by the groups of cilin where pingshui is asked for, and other verse
    by pingshui where cilin is. Tongyun has its own tones and is kept by both."""
    if book == "tongyun":
        return book
    return "cilin" if form.kind == "ci" else "pingshui"


def tokens_of(form: Form) -> int:
    """The most tokens that a poem of this form takes: one a character, its marks, and the end."""

    def tokens(variant: Variant) -> int:
        return sum(len(line) + len(line.after) for line in variant.lines)

    return max(tokens(variant) for variant in form.variants) + 1


def find_variant(form: Form, name: str | None) -> Variant:
    """The variant of that name; the first where there is none."""
    return next((variant for variant in form.variants if variant.name == name), form.variants[0])


def heads_line(acrostic: str | None, line: int, num_lines: int) -> bool:
    """Whether an acrostic fixes the first character of a line (from 1)."""
    return acrostic is not None and (len(acrostic) == num_lines or line % 2 == 1)


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

    def prepare(self, *books: BookName) -> None:
        """Make the tables of some books now, so that the first poem doesn't wait for them."""
        for book in books:
            self._lexicons.of(book, "usual")

    def constrain(
        self,
        form: str | Form,
        *,
        rhyme: str | None = None,
        acrostic: str | None = None,
        book: BookName = "pingshui",
        locked: Mapping[int, str] | None = None,
        opening: str | None = None,
        first_line_rhymes: bool | None = None,
        variant: str | None = None,
        instead_of: tuple[int, str] | None = None,
        known: Known | None = None,
    ) -> MetreConstraint | Varied | Original:
        """What may be written under a form such as 七律 or 水调歌头.

        Args:
            rhyme: a rhyme such as 尤; None lets the poem's first rhyme word fix it.
            acrostic: a character for the head of each line, or of each couplet.
            book: the rhyme book; see :func:`book_for`.
            locked: lines that stay, by number from 1, without punctuation.
            opening: 平起 or 仄起, for regulated verse.
            first_line_rhymes: whether the first line of regulated verse rhymes.
            variant: a variant's name, for ci.
            instead_of: a line's number and text; the new one begins with another character.
            known: lines that are not to come again.

        Raises:
            ProsodyError: there is no such form or rhyme, or the wishes can't be kept together.
        """
        from backend.prosody.constraint import make_constraint
        from backend.prosody.original import Original
        from backend.prosody.varied import Varied

        found = find_form(form) if isinstance(form, str) else form
        lexicon = self._lexicons.of(book_for(found, book), "usual")
        for fixed in (*to_simplified(acrostic or ""), *map(to_simplified, (locked or {}).values())):
            lexicon.spell(fixed)  # says now which character the model can't write
        metre = make_constraint(
            lexicon,
            found,
            rhyme=rhyme,
            acrostic=acrostic,
            locked=locked,
            opening=opening,
            first_line_rhymes=first_line_rhymes,
            variant=variant,
        )
        constraint: MetreConstraint | Varied = metre
        if instead_of is not None:
            line, text = instead_of
            lengths = find_variant(found, variant).lengths
            skipped = 1 if heads_line(acrostic, line, len(lengths)) else 0
            place = sum(lengths[: line - 1]) + skipped
            constraint = Varied(metre, lexicon, place, to_simplified(text)[skipped])
        return constraint if known is None else Original(constraint, lexicon, known)
