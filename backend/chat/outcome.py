"""What became of a poem: its verdict under the form and the book that it was ordered in, and what it kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backend.chat.commission import Commission
from backend.errors import Language, RequestError
from backend.prosody.checker import check
from backend.prosody.tables import BOOKS
from backend.prosody.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """A poem that was written, held against what was ordered."""

    commission: Commission
    verdict: Verdict

    @classmethod
    def of(cls, commission: Commission, text: str) -> Outcome:
        """The outcome of a text, whole or broken off."""
        return cls(commission, check(text, commission.form.name, commission.book))

    @property
    def fits(self) -> bool:
        """Whether the poem keeps its form."""
        return self.verdict.fits

    def kept(self, language: Language) -> str:
        """Which form and rhyme it kept, or what it did not: 七律，平起不入韵，押下平十一尤（平水韵）."""
        form = self.commission.form
        name = form.name if language == "zh" else f"{form.name} ({form.english})"
        if not self.verdict.length_fits:
            return f"不成{form.name}：句数或字数不合" if language == "zh" else f"not a {name}: lines or lengths differ"
        rhyme = self._rhyme(language)
        faults = sum(finding.severity == "fault" for finding in self.verdict.findings)
        if language == "zh":
            parts = [name, self.verdict.variant if form.is_regulated else "", rhyme]
            return "，".join(filter(None, [*parts, f"{faults}处不合" if faults else ""]))
        broken = f"{faults} fault{'s' if faults > 1 else ''}" if faults else ""
        return ", ".join(filter(None, [name, rhyme, broken]))

    def _rhyme(self, language: Language) -> str:
        rhymes = list(dict.fromkeys(self.verdict.rhymes.values()))
        if not rhymes or not self.verdict.rhyme_fits:
            return ""
        zh, en = BOOKS[self.verdict.book]
        return f"押{'、'.join(rhymes)}（{zh}）" if language == "zh" else f"rhyme {', '.join(rhymes)} ({en})"


def is_whole(commission: Commission, text: str) -> bool:
    """Whether a text has all the lines of its form."""
    return Outcome.of(commission, text).verdict.length_fits


def lock_others(commission: Commission, text: str, line: int) -> Commission:
    """The commission that keeps every line of a poem but one (from 1), and with them its variant and rhyme.

    Raises:
        RequestError: the text hasn't the lines of its form, or there is no such line.
    """
    verdict = check(text, commission.form.name, commission.book)
    name, lines = commission.form.name, verdict.lines
    if not verdict.length_fits:
        raise RequestError(
            f"This poem hasn't the lines of a {name}, so no single line of it can be rewritten; ask for another.",
            f"这首诗的句数或字数不合{name}，不能只改一句；请另写一首。",
        )
    if not 1 <= line <= len(lines):
        raise RequestError(
            f"The poem has {len(lines)} lines; there is no line {line}.",
            f"这首诗有 {len(lines)} 句，没有第 {line} 句。",
        )
    form = commission.form
    return replace(
        commission,
        strict=True,
        rhyme=verdict.rhymes.get("A", commission.rhyme),
        opening=("平起" if verdict.variant.startswith("平") else "仄起") if form.is_regulated else None,
        first_line_rhymes="不" not in verdict.variant if form.is_regulated else None,
        variant=verdict.variant if form.kind == "ci" else None,
        instead_of=(line, lines[line - 1].text),
        locked={number: item.text for number, item in enumerate(lines, 1) if number != line},
    )
