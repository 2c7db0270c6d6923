"""What one poem is to be, every choice made: the writer's sentence first, then the poem that it follows, then the
settings, then the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from backend.chat.form_words import ANY_CI, DEFAULT_FORM, DEFAULT_TUNE
from backend.chat.intent import Intent
from backend.chat.metre import Metre, book_for
from backend.chat.options import Options
from backend.chat.prompts import poem_messages
from backend.errors import ProsodyError
from backend.prosody.catalog import find_form, understand
from backend.prosody.ci import tunes
from backend.prosody.forms import Form
from backend.prosody.tables import BookName, load_book
from backend.types import Constraint, Message, Style

if TYPE_CHECKING:
    from backend.prosody.original import Known

UNTITLED = "无题"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """One poem as it was ordered."""

    form: Form
    title: str | None = None
    theme: str | None = None  # in the place of a title
    rhyme: str | None = None  # as it was named, known to ``book``; None leaves it to the poem
    book: BookName = "pingshui"  # that the poem is held to
    strict: bool = True  # whether the writer wants the form kept at every character
    acrostic: str | None = None
    opening: Literal["平起", "仄起"] | None = None
    first_line_rhymes: bool | None = None
    variant: str | None = None  # of a tune
    locked: Mapping[int, str] = field(default_factory=dict)  # lines that stay, by number from 1
    instead_of: tuple[int, str] | None = None  # the line that doesn't, by number and as it was

    @property
    def topic(self) -> str:
        """The title or the theme."""
        return self.title or self.theme or UNTITLED

    @property
    def rhyme_heading(self) -> str | None:
        """The rhyme as a prompt names it: 尤, 第七部."""
        if self.rhyme is None:
            return None
        name = load_book(self.book).find_rhyme(self.rhyme)
        return name if name.startswith("第") else name[-1]

    def messages(self, style: Style) -> tuple[Message, ...]:
        """The prompt for a poet."""
        return poem_messages(style, self.form.name, title=self.title, theme=self.theme, rhyme=self.rhyme_heading)

    def constraint(self, metre: Metre, known: Known | None = None) -> Constraint:
        """What may be written. ``known`` lines are not to come again.

        Raises:
            ProsodyError: the wishes can't be kept together.
        """
        return metre.constrain(
            self.form,
            rhyme=self.rhyme,
            acrostic=self.acrostic,
            book=self.book,
            locked=self.locked,
            opening=self.opening,
            first_line_rhymes=self.first_line_rhymes,
            variant=self.variant,
            instead_of=self.instead_of,
            known=known,
        )


def settle(intent: Intent, options: Options, previous: Commission | None) -> Commission:
    """The commission that a poem's intent comes to. ``previous`` is the poem that another one follows.

    Raises:
        ProsodyError: there is no such form or rhyme.
    """
    wishes = intent.wishes
    before = previous if intent.again else None
    form = _form(intent, options, before)
    book = book_for(form, wishes.book or (before.book if before else options.book))
    same_form = before is not None and before.form.name == form.name
    rhyme = wishes.rhyme or (before.rhyme if before and same_form else None) or options.rhyme or None
    if rhyme is not None:
        load_book(book).find_rhyme(rhyme)
    title, theme = intent.title, intent.theme
    if not (title or theme):
        title, theme = (before.title, before.theme) if before else (None, wishes.acrostic)
    return Commission(
        form=form,
        title=title or (None if theme else UNTITLED),
        theme=theme,
        rhyme=rhyme,
        book=book,
        strict=options.strict if wishes.strict is None else wishes.strict,
        acrostic=wishes.acrostic or (before.acrostic if before and same_form else None),
        opening=wishes.opening or (before.opening if before and same_form else None),
        first_line_rhymes=wishes.first_line_rhymes
        if wishes.first_line_rhymes is not None or not (before and same_form)
        else before.first_line_rhymes,
    )


def _form(intent: Intent, options: Options, before: Commission | None) -> Form:
    if intent.form is None and before is not None:
        return before.form
    chosen = options.chosen_form
    if intent.form == ANY_CI:
        is_tune = chosen is not None and understand(chosen).kind == "ci"
        return find_form(chosen if chosen is not None and is_tune else DEFAULT_TUNE)
    if intent.form is not None:
        return find_form(_known(intent.form), intent.num_lines)
    if chosen is not None:
        return find_form(chosen)
    heads = len(intent.wishes.acrostic or "")
    return find_form("七绝" if heads in (2, 4) else DEFAULT_FORM)


def _known(form: str) -> str:
    """The name itself.

    Raises:
        ProsodyError: it is a tune's that has no template here; says which have.
    """
    try:
        understand(form)
    except ProsodyError as error:
        names = [tune.name for tune in tunes()]
        raise ProsodyError(
            f"There is no template for the tune {form}; these {len(names)} can be written: {', '.join(names)}.",
            f"还没有“{form}”的谱；能填的有这{len(names)}调：{'、'.join(names)}。",
        ) from error
    return form
