"""Which of a character's tones regulated verse really uses: writes ``data/usual.tsv``.

    python -m backend.prosody.build.usual --corpus DIR

家 has an oblique reading that poets never use. A generator that wants every reading to fit can't rhyme with 家 at
all; one that leaves such readings aside can. Counted are the places of fixed tone in the poems of 全唐诗 (4 and 8
lines, npm package ``chinese-poetry`` 2.0.1) that the checker passes, in simplified characters.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

from backend.prosody.baselines import tang_poems
from backend.prosody.checker import check
from backend.prosody.tables import DATA, load_book, to_simplified

MIN_USES = 50  # at places of fixed tone
MAX_RARE = 0.02  # share of the uses that the other tone may have


def count_uses(folder: Path) -> dict[str, Counter[str]]:
    """Character -> uses as P and as Z."""
    uses: dict[str, Counter[str]] = defaultdict(Counter)
    for _, _, couplets in tang_poems(folder):
        if len(couplets) not in (2, 4) or len(couplets[0]) not in (12, 16):
            continue
        verdict = check(to_simplified("\n".join(couplets)))
        if verdict.kind != "regulated" or not verdict.fits:
            continue
        for line in verdict.lines:
            for character, tone in zip(line.text, line.pattern, strict=True):
                if tone != "x":
                    uses[character][tone] += 1
    return uses


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of chinese-poetry 2.0.1")
    book, uses = load_book("pingshui"), count_uses(parser.parse_args().corpus)
    usual: dict[str, list[str]] = {"P": [], "Z": []}
    for character, counts in sorted(uses.items()):
        tones = {reading.tone_class for reading in book.readings(character)}
        rare = min(counts["P"], counts["Z"])
        if len(tones) == 2 and counts.total() >= MIN_USES and rare <= MAX_RARE * counts.total():
            usual[max("PZ", key=lambda tone: counts[tone])].append(character)
    rows = [f"{tone}\t{''.join(characters)}" for tone, characters in usual.items()]
    (DATA / "usual.tsv").write_text("tone\tcharacters\n" + "\n".join(rows) + "\n", encoding="utf-8")
    print({tone: len(characters) for tone, characters in usual.items()})


if __name__ == "__main__":
    main()
