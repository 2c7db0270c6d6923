"""Induction of ci templates, on ci that are made up from a known one."""

from __future__ import annotations

import random

import pytest

from backend.corpus.fit import disagreements, faults, fit
from backend.corpus.induction import induce
from backend.corpus.tunes import Ci
from backend.prosody.ci import parse_template, write_template
from backend.prosody.forms import Line, Variant

# Characters of one tone each, by tone and rhyme: 东 and 江 are groups of 词林正韵.
LETTERS = {"Pa": "东风红公宫", "Pb": "江窗双阳香", "Za": "洞动送凤", "P": "东风红公宫江窗双阳香", "Z": "洞动送凤月水"}
FACT = {"chars": 24, "first": 12, "rhymes": "平平|平仄仄", "letters": 2}


def make(template: str, number: int, seed: int, stray: float = 0.0) -> list[Ci]:
    """Ci that keep a template, but for a share of characters with the other tone."""
    chance = random.Random(seed)
    return [Ci(index, *written(parse_template(template), chance, stray)) for index in range(number)]


def written(model: tuple[Line, ...], chance: random.Random, stray: float) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    lines = []
    for line in model:
        text = ""
        for tone in line.tones:
            tone = chance.choice("PZ") if tone == "x" else tone
            if chance.random() < stray:
                tone = "Z" if tone == "P" else "P"
            text += chance.choice(LETTERS[tone])
        if line.rhyme:
            text = text[:-1] + chance.choice(LETTERS.get(line.tones[-1] + line.rhyme.lower(), LETTERS["Pb"]))
        lines.append(text)
    return tuple(lines), tuple(line.after[0] == "。" for line in model)


KNOWN = "xZPPa。xPZ，PPZZPa。|xZZPPb。PPb。xPPZa。"


def test_a_template_is_recovered_through_some_misprints() -> None:
    [(variant, support)] = induce(make(KNOWN, 200, seed=1, stray=0.01), FACT)
    assert write_template(variant.lines) == KNOWN
    assert support == 200


def test_rhymes_of_both_tones_share_a_letter() -> None:
    [(variant, _)] = induce(make(KNOWN, 100, seed=2), FACT)
    slots = {line.rhyme: line.tones[-1] for line in variant.lines if line.rhyme}
    assert slots == {"A": "Z", "B": "P"}
    assert [line.rhyme for line in variant.lines] == ["A", "", "A", "B", "B", "A"]


def test_a_character_that_one_in_ten_write_otherwise_is_free() -> None:
    poems = make(KNOWN, 180, seed=3) + make(KNOWN.replace("xPPZa", "xZPZa"), 20, seed=4)
    [(variant, _)] = induce(poems, FACT)
    assert variant.lines[-1].tones == "xxPZ"


def test_lines_that_go_by_turns_become_variants() -> None:
    first, second = "xPxZPPZa。xZPPZZPa。", "xZxPPZZa。xZPPZZPa。"
    poems = make(first.replace("Za", "Z").replace("xPxZPPZ。", "xPxZPPZ，") + "PPa。", 100, seed=5)
    poems += make(second.replace("Za", "Z").replace("xZxPPZZ。", "xZxPPZZ，") + "PPa。", 60, seed=6)
    found = induce(poems, {"chars": 17, "rhymes": "平平", "letters": 1})
    assert [variant.lines[0].tones for variant, _ in found] == ["xPxZPPZ", "xZxPPZZ"]
    assert [support for _, support in found] == [100, 60]


def test_a_rare_shape_gets_no_template() -> None:
    poems = make(KNOWN, 100, seed=7) + make("PPa。PPa。", 3, seed=8)
    assert len(induce(poems, FACT)) == 1


def test_faults_are_counted_by_kind() -> None:
    variant = Variant("", parse_template("xZPPa。PPa。"))
    assert faults(Ci(0, ("水月东风", "江公"), (True, True)), variant).tones == 0
    assert faults(Ci(0, ("水东东风", "江公"), (True, True)), variant).tones == 1
    assert faults(Ci(0, ("水月东风", "江窗"), (True, True)), variant).slots == 1


def test_shares_are_of_the_ci_that_fit_the_lengths() -> None:
    variant = Variant("", parse_template("xZPPa。PPa。"))
    good, toneless, short = ("水月东风", "江公"), ("水东东风", "江公"), ("东风",)
    poems = [Ci(0, lines, (True,) * len(lines)) for lines in (good, good, toneless, short)]
    result = fit(poems, [variant])
    assert (result.poems, result.lengths) == (4, 0.75)
    assert result.tones == pytest.approx(2 / 3)
    assert result.characters == pytest.approx(17 / 18)
    assert (result.slots, result.rhymes) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("fact", "what"),
    [
        ({"chars": 25}, "characters"),
        ({"first": 10}, "stanzas"),
        ({"rhymes": "仄平|平平仄"}, "rhymes"),
        ({"letters": 3}, "3"),
    ],
)
def test_a_template_against_the_facts_is_reported(fact: dict[str, object], what: str) -> None:
    variant = Variant("", parse_template(KNOWN))
    right = {"chars": 24, "first": 12, "rhymes": "平平?|平平仄", "letters": 2}
    right["chars"] = sum(variant.lengths)
    assert disagreements(variant, right) == []
    assert what in " ".join(disagreements(variant, {**right, **fact}))
