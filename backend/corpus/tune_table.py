"""The templates of ci tunes: their data file, and the table of how well they fit."""

from __future__ import annotations

import json
import sqlite3
import sys
from dataclasses import asdict

from backend.corpus.fit import Fit, disagreements, fit
from backend.corpus.induction import induce
from backend.corpus.tunes import aliases, song_ci
from backend.prosody.ci import TEMPLATES, facts, tunes, write_template
from backend.prosody.tables import DATA

HEADING = ("tune", "aliases", "variant", "chars", "poems", "template")
WEAK_POEMS, WEAK_CHARACTERS = 60, 0.992  # fewer ci, or a smaller share of right tones in unseen ci: a weak template


def write_templates(database: sqlite3.Connection) -> None:
    """Induce every tune's templates and write the data file."""
    names = {name: str(fact.get("aliases", "")).split() + aliases(database, name) for name, fact in facts().items()}
    owners = {alias: name for name, others in names.items() for alias in others if alias not in names}
    rows = ["\t".join(HEADING)]
    for name, fact in facts().items():
        others = " ".join(alias for alias in names[name] if owners.get(alias) == name)
        for variant, support in induce(song_ci(database, name), fact):
            chars = str(sum(variant.lengths))
            rows.append("\t".join((name, others, variant.name, chars, str(support), write_template(variant.lines))))
    (DATA / TEMPLATES).write_text("\n".join(rows) + "\n", encoding="utf-8")
    tunes.cache_clear()


def unseen_fit(database: sqlite3.Connection, name: str) -> Fit:
    """The fit on half of a tune's ci of templates that were induced from the other half."""
    poems = song_ci(database, name)
    learned = induce(poems[::2], facts()[name])
    return fit(poems[1::2], [variant for variant, _ in learned])


def print_table(database: sqlite3.Connection, as_json: bool) -> int:
    """One row a tune; exit code 1 if a template contradicts the handbooks' facts."""
    contradicted = 0
    if not as_json:
        print("tune        ci  vars  lengths   tones  chars   slots  rhymes | unseen: lengths  tones  chars  slots")
    for form in tunes():
        poems = song_ci(database, form.name)
        whole, unseen = fit(poems, form.variants), unseen_fit(database, form.name)
        wrong = disagreements(form.variants[0], facts()[form.name])
        weak = whole.poems < WEAK_POEMS or unseen.characters < WEAK_CHARACTERS
        contradicted += bool(wrong)
        if as_json:
            row = {"tune": form.name, "variants": len(form.variants), **asdict(whole)}
            row |= {"unseen": asdict(unseen), "weak": weak, "disagreements": wrong}
            print(json.dumps(row, ensure_ascii=False))
        else:
            print(
                _row(form.name, len(form.variants), whole, unseen)
                + "  weak" * weak
                + "".join(f"  ! {w}" for w in wrong)
            )
    number = len(tunes())
    print(
        f"{number} tunes, {contradicted} against the handbooks' facts · {number} 个词牌，{contradicted} 个与词谱不合",
        file=sys.stderr,
    )
    return 1 if contradicted else 0


def _row(name: str, variants: int, whole: Fit, unseen: Fit) -> str:
    seen = f"{whole.lengths:7.1%}  {whole.tones:6.1%}  {whole.characters:5.1%}  {whole.slots:6.1%}  {whole.rhymes:6.1%}"
    new = f"{unseen.lengths:7.1%} {unseen.tones:6.1%}  {unseen.characters:5.1%} {unseen.slots:6.1%}"
    return f"{name}{'　' * (5 - len(name))}{whole.poems:4}  {variants:4}  {seen} |         {new}"
