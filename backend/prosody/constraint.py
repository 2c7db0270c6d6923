"""Keeps a model inside a form: which tokens may come next.

Implements :class:`backend.types.Constraint` for any :class:`backend.prosody.forms.Form`. What it lets through passes
the checker; a poem that it forbids breaks the form or one of these rules of its own:

* a character fits in all its readings (the lexicon's ``fitting``), and a rhyme word has a reading in the rhyme;
* a rhyme word is not repeated, and a letter of the same tone changes the rhyme;
* a character comes at most twice in regulated verse, three times elsewhere; side by side (萋萋) counts as one;
* a token does not reach over the end of a line; layout marks and fixed characters are forced.

No dead ends. Every free place can be filled by a token of one character: the tone classes have more of them than a
poem can exhaust (checked when the constraint is made), and a rhyme is offered, and its words are withheld from
other places, such that :class:`~backend.prosody.rhyme_state.RhymeState` keeps a word for every slot. So the mask is
never empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from backend.errors import ProsodyError
from backend.prosody.forms import Form
from backend.prosody.lexicon import Lexicon, Mask, uses_of
from backend.prosody.plan import Fixed, Place, Plan, acrostic_places, choose_variants, locked_places, make_plans
from backend.prosody.rhyme_state import RhymeState
from backend.prosody.tables import to_simplified
from backend.prosody.usage import Usage

USES = {"regulated": 2, "old": 3, "ci": 3}  # of one character in a poem


class MetreConstraint:
    """See the module. Made by :func:`make_constraint`."""

    def __init__(self, lexicon: Lexicon, plans: list[Plan], fixed: Fixed, rhyme: str | None, uses: int) -> None:
        self._lexicon = lexicon
        self._plans = plans
        self._usage = Usage(lexicon, uses)
        self._position = 0
        self._forced: tuple[int, ...] = ()
        self._previous, self._run = -1, 0  # the last character of the line, and how often it stands there
        self._spent: set[int] = set()  # characters that can't be rhyme words any more
        self._taken = np.zeros(len(lexicon.characters) + 1, dtype=np.bool_)  # (C + 1,): rhyme words in use
        self._mask: Mask | None = None
        self._rhymes = self._make_rhymes()
        letters = sum(state.remaining.total() > 0 for state in self._rhymes.values())
        self._margin = lexicon.longest if letters < 2 else len(plans[0].places)
        if rhyme is not None and "A" in self._rhymes:
            self._rhymes["A"].narrow([rhyme])
        self._reserve(fixed)
        self._prove_room()
        self._arrive()

    @property
    def vocabulary(self) -> NDArray[np.int64]:
        """Sorted ids of every token that may ever be allowed; one array for all constraints of a lexicon."""
        return self._lexicon.ids

    def mask(self) -> Mask:
        """Which entries of ``vocabulary`` may come next, shape (len(vocabulary),). Not to be written to."""
        if self._mask is None:
            self._mask = self._lexicon.only(self._forced[0]) if self._forced else self._free_mask()
        return self._mask

    def advance(self, token_id: int) -> None:
        """Take note of an appended token.

        Raises:
            ProsodyError: the mask forbids it.
        """
        index = self._lexicon.index_of(token_id)
        if not self.mask()[index]:
            raise ProsodyError(
                f"Token {token_id} ({self._lexicon.texts[index]!r}) is not allowed here.",
                f"此处不能用词元 {token_id}（{self._lexicon.texts[index]!r}）。",
            )
        self._mask = None
        if not self._forced:
            self._write(index)
            return
        self._forced = self._forced[1:]
        length = int(self._lexicon.length[index])
        if length:
            self._position += length
            text = self._lexicon.texts[index]
            self._previous, self._run = int(self._lexicon.last[index]), 1 + text.endswith(2 * text[-1])
        elif self._lexicon.texts[index]:
            self._previous, self._run = -1, 0
        if not self._forced and index != self._lexicon.index_of(self._lexicon.end):
            self._arrive(after_mark=not length)
        elif not self._forced:
            self._forced = (index,)  # after the end nothing but the end

    def fork(self) -> MetreConstraint:
        """An independent copy in the same state."""
        other = object.__new__(MetreConstraint)
        other.__dict__.update(self.__dict__)
        other._usage, other._spent, other._taken = self._usage.copy(), self._spent.copy(), self._taken.copy()
        other._rhymes = {letter: state.copy() for letter, state in self._rhymes.items()}
        return other

    @property
    def rhymes(self) -> dict[str, str]:
        """The rhyme of each letter, where it is settled."""
        settled = {letter: np.flatnonzero(state.open) for letter, state in self._rhymes.items() if state.is_settled}
        return {letter: self._lexicon.rhymes[int(rows[0])] for letter, rows in settled.items() if len(rows)}

    def _make_rhymes(self) -> dict[str, RhymeState]:
        letters = {line.rhyme: None for plan in self._plans for line in plan.lines if line.rhyme}
        return {letter: RhymeState(self._lexicon, self._slots(letter)) for letter in letters}

    def _slots(self, letter: str) -> list[str]:
        """Tones of the letter's slots that are still to be filled, under the plan that has most of them."""
        return max((plan.free_slots(letter, self._position) for plan in self._plans), key=len)

    def _reserve(self, fixed: Fixed) -> None:
        """Counts the fixed characters in advance, and lets fixed rhyme words decide the rhyme."""
        plan, known = self._plans[0], self._lexicon.character_index
        lines: dict[int, list[str]] = {}
        for (line, _), character in sorted(fixed.items()):
            lines.setdefault(line, []).append(character)
        for line, characters in lines.items():
            for character, count in uses_of(characters).items():
                if character in known:
                    self._use(known[character], count)
            slot = plan.lines[line]
            if slot.rhyme and (line, len(slot) - 1) in fixed:
                self._fix_rhyme(slot.rhyme, characters[-1], slot.tones[-1])
        for letter, state in self._rhymes.items():
            state.remaining = Counter(self._slots(letter))

    def _fix_rhyme(self, letter: str, character: str, tone: str) -> None:
        state, book = self._rhymes[letter], self._lexicon.book
        readings = [r for r in book.readings(character, ends_line=True) if tone in ("x", r.tone_class)]
        state.narrow(reading.rhyme for reading in readings)
        if not state.open.any():
            raise ProsodyError(
                f"The kept rhyme word {character!r} does not have the rhyme that was asked for.",
                f"保留的韵脚“{character}”不押所选的韵。",
            )
        index = self._lexicon.character_index.get(character)
        if index is not None:
            self._taken[index] = True
            self._spend(index)

    def _prove_room(self) -> None:
        """Refuses what could run into a dead end."""
        for letter, state in self._rhymes.items():
            if not state.feasible(0 if state.is_settled else self._margin).any():
                named = "、".join(
                    name for name, is_open in zip(self._lexicon.rhymes, state.open, strict=True) if is_open
                )
                slots = state.remaining.total()
                raise ProsodyError(
                    f"Rhyme {letter} ({named or 'any'}) has too few words for {slots} rhyming lines; choose another.",
                    f"{named or '各韵'}可用的韵字太少，不够押{slots}处，请换一个韵。",
                )
        places, lexicon = len(self._plans[0].places), self._lexicon
        for tone in {tone for plan in self._plans for line in plan.lines for tone in line.tones}:
            room = int((lexicon.classes[tone] & lexicon.singles).sum())
            if room <= 3 * places + lexicon.longest:
                raise ProsodyError(
                    f"A poem of {places} characters is too long for this vocabulary.",
                    f"{places}字的诗太长，词表里的字不够用。",
                )

    def _free_mask(self) -> Mask:
        planned = self._plan_mask(self._plans[0])
        for plan in self._plans[1:]:
            planned |= self._plan_mask(plan)
        for state in self._rhymes.values():
            scarce = state.scarce(self._lexicon.longest)
            if scarce is not None:
                planned &= ~self._spending(scarce)
        allowed: Mask = planned & ~self._usage.banned
        if self._previous >= 0:
            starts = self._lexicon.starting if self._run > 1 else self._lexicon.doubling
            allowed[starts[self._previous]] = False
            single = self._lexicon.single(self._lexicon.characters[self._previous])
            if self._run == 1 and single is not None:
                allowed[single] = planned[single]  # side by side counts as one use
        return allowed

    def _plan_mask(self, plan: Plan) -> Mask:
        place, lexicon = plan.places[self._position], self._lexicon
        fitting = lexicon.fitting(place.tones)
        if not _may_rhyme(place) or len(place.tones) > lexicon.longest:
            return fitting.copy()
        words = self._rhymes[place.letter].words(place.tones[-1], self._margin) & ~self._taken
        found: Mask = fitting & (~lexicon.of_length(len(place.tones)) | words[lexicon.last])
        return found

    def _spending(self, words: Mask) -> Mask:
        """(V,): tokens that use one of the words elsewhere than at the end of a rhyming line."""
        place, lexicon = self._plans[0].places[self._position], self._lexicon
        found = np.zeros(len(lexicon.ids), dtype=np.bool_)
        for depth in range(lexicon.longest):
            used = words[lexicon.grid[depth]]
            if _may_rhyme(place) and depth == len(place.tones) - 1:
                used = used & ~lexicon.of_length(len(place.tones))
            found |= used
        return found

    def _write(self, index: int) -> None:
        """Free characters were appended."""
        lexicon, text = self._lexicon, self._lexicon.texts[index]
        self._plans = [plan for plan in self._plans if self._plan_mask(plan)[index]]
        place = self._plans[0].places[self._position]
        for character in text:
            number = lexicon.character_index[character]
            if number == self._previous:
                self._run += 1
                continue
            self._previous, self._run = number, 1
            self._use(number)
        if _may_rhyme(place) and len(text) == len(place.tones):
            self._rhymes[place.letter].fill(self._previous, place.tones[-1], self._margin)
            self._taken[self._previous] = True
            self._spend(self._previous)
            self._close_elsewhere(place.letter, place.tones[-1])
        self._position += len(text)
        for letter, state in self._rhymes.items():
            state.remaining = Counter(self._slots(letter))
        self._arrive()

    def _close_elsewhere(self, letter: str, tone: str) -> None:
        for other, state in self._rhymes.items():
            if other != letter and tone in state.left:
                state.close(self._rhymes[letter].open)

    def _use(self, character: int, times: int = 1) -> None:
        if self._usage.add(character, times):
            self._spend(character)

    def _spend(self, character: int) -> None:
        if character not in self._spent:
            self._spent.add(character)
            for state in self._rhymes.values():
                state.spend(character)

    def _arrive(self, *, after_mark: bool = False) -> None:
        """Forces what has to follow: the mark at the end of a line, the end, or fixed characters."""
        plan, lexicon, forced = self._plans[0], self._lexicon, []
        if self._position in plan.bounds and not after_mark:
            mark = plan.marks[plan.bounds.index(self._position)]
            forced += lexicon.spell_mark(mark)
        if self._position == len(plan.places):
            forced.append(lexicon.index_of(lexicon.end))
        elif fixed := plan.fixed_run(self._position):
            forced += lexicon.spell(fixed)
        self._forced = tuple(forced)


def _may_rhyme(place: Place) -> bool:
    return place.ends_line and bool(place.letter)


def make_constraint(
    lexicon: Lexicon,
    form: Form,
    *,
    rhyme: str | None = None,
    acrostic: str | None = None,
    locked: Mapping[int, str] | None = None,
    opening: str | None = None,
    first_line_rhymes: bool | None = None,
    variant: str | None = None,
    uses: int | None = None,
) -> MetreConstraint:
    """A constraint at the beginning of a poem.

    Args:
        lexicon: the model's vocabulary under the rhyme book to keep (cilin for ci).
        form: see :func:`backend.prosody.catalog.find_form`.
        rhyme: the rhyme (of letter A), as :meth:`~backend.prosody.tables.Book.find_rhyme` understands it; None
            leaves it to the poem's first rhyme word.
        acrostic: a character for the head of each line, or of each couplet.
        locked: lines that stay, by number from 1, without punctuation.
        opening: 平起 or 仄起; None leaves it free.
        first_line_rhymes: whether the first line of regulated verse rhymes; None leaves it free.
        variant: a variant's name, for ci; None takes the first.
        uses: how often a character may come; None takes :data:`USES`.

    Raises:
        ProsodyError: the wishes can't be kept together; says why.
    """
    fixed: Fixed = {}
    if acrostic:
        fixed |= acrostic_places(to_simplified(acrostic), len(form.variants[0].lines))
    if locked:
        kept = locked_places({number: to_simplified(text) for number, text in locked.items()}, form)
        fixed |= kept
    chosen = lexicon.book.find_rhyme(rhyme) if rhyme else None
    plans = make_plans(form, fixed, lexicon.book, choose_variants(form, opening, first_line_rhymes, variant))
    return MetreConstraint(lexicon, plans, fixed, chosen, uses or USES[form.kind])
