"""How often great poets keep the rules: the checker's plumb line.

    python -m backend.prosody.baselines --corpus DIR [--failing 10]

``DIR`` is the unpacked npm package ``chinese-poetry`` 2.0.1 (or its folder of Tang poems). Eight-line poems alone;
pieces that are old-style verse in eight lines (杜甫 wrote many) count as failing, as in the figures compared with;
poems with lost characters (□) are left out, since nobody can judge them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.prosody.checker import check
from backend.prosody.tables import load_book
from backend.prosody.verdict import Verdict


@dataclass(frozen=True)
class Baseline:
    """Published percentages for a poet's eight-line poems: all tones, all rhymes."""

    poet: str
    form: str
    strict: float
    rhyme: float


BASELINES = (
    Baseline("許渾", "七律", 96.1, 99.5),
    Baseline("李商隱", "七律", 93.2, 94.0),
    Baseline("杜甫", "五律", 75.2, 96.1),
    Baseline("杜甫", "七律", 53.8, 82.4),
)
LOST = frozenset("□●囗")  # how the collection prints a character that is lost


def tang_poems(folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(author, title, couplets) of 全唐诗."""
    for path in sorted(folder.rglob("poet.tang.*.json")):
        for poem in json.loads(path.read_text(encoding="utf-8")):
            if {"author", "paragraphs"} <= poem.keys():  # indexes bear the same file names
                yield poem["author"], poem["title"], poem["paragraphs"]


def coverage(folder: Path) -> float:
    """Share of the characters that occur in 全唐诗 which the table knows, by occurrence."""
    book, counts = load_book("pingshui"), Counter[str]()
    for _, _, couplets in tang_poems(folder):
        counts.update(character for line in couplets for character in line if "㐀" <= character <= "\U0003ffff")
    counts = Counter({c: n for c, n in counts.items() if not "\uff00" <= c <= "\uffef"})
    return sum(n for c, n in counts.items() if book.readings(c, traditional=True)) / counts.total()


def measure(baseline: Baseline, poems: list[tuple[str, str, list[str]]]) -> list[tuple[str, Verdict]]:
    """(title, verdict) of the poet's poems of that shape."""
    length = "五七".index(baseline.form[0]) * 2 + 5
    verdicts = []
    for author, title, couplets in poems:
        text = "\n".join(couplets)
        if author != baseline.poet or len(couplets) != 4 or len(couplets[0]) != 2 * length + 2 or LOST & set(text):
            continue
        verdict = check(text, baseline.form)
        if verdict.length_fits:
            verdicts.append((title, verdict))
    return verdicts


def has_three_oblique(verdict: Verdict) -> bool:
    """Whether a line ends in three oblique tones: a warning here, a fault to stricter judges."""
    return any(finding.code == "three-oblique" for finding in verdict.findings)


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of chinese-poetry 2.0.1")
    parser.add_argument("--failing", type=int, default=0, help="also print this many failing poems of each row")
    options = parser.parse_args()
    poems = list(tang_poems(options.corpus))
    print(f"characters of 全唐诗 that the table knows, by occurrence: {coverage(options.corpus):.2%}")
    print(
        "| poet | form | poems | tones | without 三仄尾 | published | rhyme | published |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for row in BASELINES:
        verdicts = measure(row, poems)
        tones = 100 * sum(verdict.tones_fit for _, verdict in verdicts) / len(verdicts)
        rhyme = 100 * sum(verdict.rhyme_fits for _, verdict in verdicts) / len(verdicts)
        strict = (
            100 * sum(verdict.tones_fit and not has_three_oblique(verdict) for _, verdict in verdicts) / len(verdicts)
        )
        figures = f"{tones:.1f} | {strict:.1f} | {row.strict} | {rhyme:.1f} | {row.rhyme}"
        print(f"| {row.poet} | {row.form} | {len(verdicts)} | {figures} |")
        for title, verdict in [pair for pair in verdicts if not pair[1].fits][: options.failing]:
            print(f"    {title}: {verdict.summary_zh}")


if __name__ == "__main__":
    main()
