"""The constraint: what it lets through passes, what it forbids breaks a rule, and it never runs into a dead end."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import ProsodyError
from backend.prosody.catalog import all_forms, find_form
from backend.prosody.checker import check
from backend.prosody.constraint import MetreConstraint, make_constraint
from backend.prosody.lexicon import Fitting, Lexicon, Lexicons, decode_byte_level, uses_of
from backend.prosody.tables import load_book
from tests.unit.prosody.lexicons import END, small_lexicon, walk

SHAPES = [("五绝", None), ("七绝", None), ("五律", None), ("七律", None), ("五排", 12), ("五古", 6), ("七古", 8)]


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(SHAPES),
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, "尤", "先", "东", "真"]),
    st.sampled_from([None, "平起", "仄起"]),
    st.sampled_from([None, True, False]),
)
def test_whatever_it_lets_through_passes_the_checker(
    shape: tuple[str, int | None], seed: int, rhyme: str | None, opening: str | None, first: bool | None
) -> None:
    form, lexicon = find_form(*shape), small_lexicon()
    constraint = make_constraint(lexicon, form, rhyme=rhyme, opening=opening, first_line_rhymes=first)
    text = walk(constraint, lexicon, np.random.default_rng(seed))
    verdict = check(text, form.name)
    assert verdict.fits, verdict.summary_en
    assert [c for c in text if c in "，。\n"] == list("".join(line.after for line in form.variants[0].lines))
    if rhyme is not None:  # two words that share two rhymes leave the checker a choice of name
        words = [line.text[-1] for line in verdict.lines[1::2]]
        assert all(rhyme in {r.rhyme[-1] for r in lexicon.book.readings(word)} for word in words)
    assert opening is None or not form.is_regulated or verdict.variant.startswith(opening)
    assert first is None or not form.is_regulated or verdict.variant.endswith("起入韵" if first else "不入韵")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([f.name for f in all_forms() if f.kind == "ci"]), st.integers(0, 2**32 - 1), st.data())
def test_ci_that_it_lets_through_passes_the_checker(name: str, seed: int, data: st.DataObject) -> None:
    form, lexicon = find_form(name), small_lexicon("cilin")
    variant = data.draw(st.sampled_from([variant.name for variant in form.variants]))
    text = walk(make_constraint(lexicon, form, variant=variant), lexicon, np.random.default_rng(seed))
    verdict = check(text, name)
    assert verdict.fits, verdict.summary_en


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["五绝", "七律", "五排", "浣溪沙", "西江月", "菩萨蛮"]),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["all", "usual"]),
)
def test_under_mandarin_tones_a_poem_passes_the_checker_by_them(name: str, seed: int, fitting: Fitting) -> None:
    lexicon = small_lexicon("tongyun", fitting)
    text = walk(make_constraint(lexicon, find_form(name)), lexicon, np.random.default_rng(seed))
    verdict = check(text, name, "tongyun")
    assert verdict.fits, verdict.summary_en
    assert set(verdict.rhymes.values()) <= set(load_book("tongyun").rhymes)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["五绝", "七绝", "五律", "七律"]), st.integers(0, 2**32 - 1))
def test_no_character_is_hammered_and_no_rhyme_word_repeated(name: str, seed: int) -> None:
    lexicon = small_lexicon()
    text = walk(make_constraint(lexicon, find_form(name)), lexicon, np.random.default_rng(seed))
    lines = text.replace("。", "，").replace("\n", "").split("，")[:-1]
    uses: Counter[str] = Counter()
    for line in lines:
        uses.update(uses_of(line))
        assert max(len(list(run)) for _, run in groupby(line)) <= 2
    assert max(uses.values()) <= 2
    words = [line[-1] for line in lines[1::2]]
    assert len(words) == len(set(words))


def may_stand(constraint: MetreConstraint, written: str, character: str, rhyme: str) -> bool:
    """The rules in words, apart from the constraint: may the character come next in a 五绝 that is so far
    ``written`` (without marks), rhymes with ``rhyme`` and may have any opening?"""
    book, position = small_lexicon().book, len(written)
    line, place = divmod(position, 5)
    here = written[5 * line :]
    if here.endswith(2 * character):
        return False
    uses: Counter[str] = Counter()
    for start in range(0, position, 5):
        uses.update(uses_of(written[start : start + 5]))
    if uses[character] >= 2 and not here.endswith(character):
        return False

    def fits(letter: str, tone: str) -> bool:
        return tone == "x" or {r.tone_class for r in book.readings(letter)} == {tone}

    for variant in find_form("五绝").variants:
        tones = "".join(item.tones for item in variant.lines)
        if not all(fits(c, t) for c, t in zip(written + character, tones, strict=False)):
            continue
        if place < 4 or not variant.lines[line].rhyme:
            return True
        earlier = {written[5 * n + 4] for n in range(line) if variant.lines[n].rhyme}
        if rhyme in {r.rhyme for r in book.readings(character)} and character not in earlier:
            return True
    return False


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 19))
def test_whatever_it_forbids_is_forbidden_by_a_rule(seed: int, stop: int) -> None:
    lexicon, rng = small_lexicon(), np.random.default_rng(seed)
    constraint, written = make_constraint(lexicon, find_form("五绝"), rhyme="尤"), ""
    singles = np.flatnonzero(lexicon.length == 1)
    while True:
        mask = constraint.mask()
        if mask[singles].any() and len(written) >= stop:
            break
        choices = np.flatnonzero(mask & (lexicon.length <= max(1, stop - len(written))))
        place = int(rng.choice(choices))
        constraint.advance(int(lexicon.ids[place]))
        if lexicon.length[place]:
            written += lexicon.texts[place]
    for place in singles:
        expected = may_stand(constraint, written, lexicon.texts[place], "下平十一尤")
        assert bool(mask[place]) == expected, (written, lexicon.texts[place])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_a_word_may_come_where_its_characters_may_come_one_by_one(seed: int, steps: int) -> None:
    lexicon, rng = small_lexicon(), np.random.default_rng(seed)
    constraint = make_constraint(lexicon, find_form("七绝"))
    for _ in range(steps):
        constraint.advance(int(lexicon.ids[int(rng.choice(np.flatnonzero(constraint.mask())))]))
    mask = constraint.mask()
    for place in rng.choice(np.flatnonzero(lexicon.length > 1), 60):
        fork, fits = constraint.fork(), True
        for character in lexicon.texts[place]:
            single = lexicon.single(character)
            fits = single is not None and bool(fork.mask()[single])
            if not fits:
                break
            fork.advance(int(lexicon.ids[single]))
        if mask[place]:
            assert fits, lexicon.texts[place]
        elif fits:  # the one exception: a word that begins with the character just written, which is used up
            assert lexicon.texts[place][0] == lexicon.characters[constraint._previous]


@pytest.mark.parametrize("seed", range(8))
def test_an_adversary_that_spends_the_rhyme_words_meets_no_dead_end(seed: int) -> None:
    lexicon, rng = small_lexicon(), np.random.default_rng(seed)
    row = lexicon.rhymes.index("上平三江")
    words = lexicon.rhyming["P"][row]
    constraint, written = make_constraint(lexicon, find_form("七绝"), rhyme="江"), ""
    while True:
        mask = constraint.mask()
        assert mask.any()
        spending = mask & words[lexicon.grid].any(axis=0)
        place = int(rng.choice(np.flatnonzero(spending if spending.any() else mask)))
        constraint.advance(int(lexicon.ids[place]))
        if int(lexicon.ids[place]) == END:
            break
        written += lexicon.texts[place]
    assert check(written, "七绝").fits


def test_a_rhyme_with_too_few_words_for_the_poem_is_refused() -> None:
    with pytest.raises(ProsodyError, match="too few words"):
        make_constraint(small_lexicon(), find_form("五排", 60), rhyme="江")


def test_the_end_comes_at_the_end_and_nothing_after_it() -> None:
    lexicon = small_lexicon()
    constraint, rng = make_constraint(lexicon, find_form("五绝")), np.random.default_rng(3)
    end = lexicon.index_of(END)
    while not constraint.mask()[end]:
        constraint.advance(int(lexicon.ids[int(rng.choice(np.flatnonzero(constraint.mask())))]))
    assert np.flatnonzero(constraint.mask()).tolist() == [end]
    constraint.advance(END)
    assert np.flatnonzero(constraint.mask()).tolist() == [end]


def test_a_forbidden_or_foreign_token_is_refused() -> None:
    lexicon = small_lexicon()
    constraint = make_constraint(lexicon, find_form("五绝"))
    with pytest.raises(ProsodyError):
        constraint.advance(END)
    with pytest.raises(ProsodyError):
        constraint.advance(999_999)


def test_a_fork_goes_its_own_way() -> None:
    lexicon, rng = small_lexicon(), np.random.default_rng(5)
    constraint = make_constraint(lexicon, find_form("七绝"))
    constraint.advance(int(lexicon.ids[int(np.flatnonzero(constraint.mask())[0])]))
    before = constraint.mask().copy()
    texts = {walk(constraint.fork(), lexicon, rng) for _ in range(3)}
    assert len(texts) == 3
    assert (constraint.mask() == before).all()


def test_all_constraints_of_a_lexicon_share_one_vocabulary() -> None:
    lexicon = small_lexicon()
    first, second = (make_constraint(lexicon, find_form(name)) for name in ("五绝", "七律"))
    assert first.vocabulary is second.vocabulary
    assert (np.diff(first.vocabulary) > 0).all()
    assert len(first.mask()) == len(first.vocabulary)


def test_tokens_that_split_a_character_or_join_a_mark_are_left_out() -> None:
    texts = set(small_lexicon().texts)
    assert not texts & {"hello", "，在", "的，", "春风，", "龘龘龘", "發", " ", "1"}
    assert {"，", "。\n", "萋萋"} <= texts


@pytest.mark.parametrize(("form", "head"), [("五绝", "春花秋月"), ("七绝", "春花秋月"), ("五律", "春花秋月")])
def test_an_acrostic_stands_at_the_head_of_lines_or_couplets(form: str, head: str) -> None:
    lexicon = small_lexicon()
    for seed in range(6):
        constraint = make_constraint(lexicon, find_form(form), acrostic=head)
        text = walk(constraint, lexicon, np.random.default_rng(seed))
        assert check(text, form).fits
        rows = text.replace("。", "，").replace("\n", "").split("，")[:-1]
        assert "".join(row[0] for row in rows[:: len(rows) // 4]) == head


def test_a_line_can_be_written_anew_while_the_others_stay() -> None:
    lexicon = small_lexicon()
    kept = {1: "白日依山尽", 2: "黄河入海流", 4: "更上一层楼"}
    for seed in range(10):
        constraint = make_constraint(lexicon, find_form("五绝"), locked=kept)
        text = walk(constraint, lexicon, np.random.default_rng(seed))
        rows = text.replace("。", "，").replace("\n", "").split("，")
        assert {number: rows[number - 1] for number in kept} == kept
        assert check(text).fits


def test_a_kept_line_with_a_rescue_is_rescued() -> None:
    lexicon = small_lexicon()
    for seed in range(10):
        constraint = make_constraint(lexicon, find_form("五律"), locked={3: "野火烧不尽"})
        text = walk(constraint, lexicon, np.random.default_rng(seed))
        verdict = check(text)
        assert verdict.fits
        assert "couplet-saved" in {finding.code for finding in verdict.findings}


@pytest.mark.parametrize(
    "wishes",
    [
        {"rhyme": "喵"},
        {"acrostic": "春花秋"},
        {"acrostic": "□□□□"},
        {"locked": {9: "白日依山尽"}},
        {"locked": {1: "白日依山"}},
        {"locked": {1: "床前明月光", 2: "疑是地上霜"}},
        {"locked": {2: "黄河入海流"}, "rhyme": "东"},
        {"opening": "斜起"},
    ],
)
def test_wishes_that_cannot_be_kept_are_refused_in_both_languages(wishes: dict[str, object]) -> None:
    with pytest.raises(ProsodyError) as refused:
        make_constraint(small_lexicon(), find_form("五绝"), **wishes)  # type: ignore[arg-type]
    assert refused.value.en
    assert any("一" <= letter <= "鿿" for letter in refused.value.zh)


def test_a_reading_that_verse_does_not_use_can_be_left_aside() -> None:
    texts = dict(enumerate("家见，。"))
    for fitting, expected in (("all", (False, False)), ("usual", (True, False)), ("any", (True, True))):
        lexicon = Lexicon(texts, 9, load_book("pingshui"), fitting=fitting)  # type: ignore[arg-type]
        column = lexicon.character_index["家"]
        assert (lexicon.classes["P"][column], lexicon.classes["Z"][column]) == expected


def test_poems_under_usual_readings_pass_the_checker() -> None:
    lexicon = small_lexicon("pingshui", "usual")
    for seed in range(20):
        text = walk(make_constraint(lexicon, find_form("七律"), rhyme="麻"), lexicon, np.random.default_rng(seed))
        assert check(text, "七律").fits


def test_books_that_know_the_same_characters_share_their_vocabulary() -> None:
    lexicons = Lexicons({"ä¸Ń": 1, "ĠæĹ": 2, "Ċ": 3, "ï¼Į": 4, "ãĢĤ": 5}, end=9)
    assert lexicons.of("pingshui").ids is lexicons.of("cilin").ids
    assert lexicons.of("pingshui") is lexicons.of("pingshui")
    assert lexicons.of("pingshui").ids.tolist() == [1, 3, 4, 5, 9]


def test_byte_level_spelling_is_undone() -> None:
    # 中 is E4 B8 AD; a lone byte is no character, and an added token is not spelled in bytes
    assert decode_byte_level({"ä¸Ń": 1, "ä¸": 2, "ĊĊ": 3, "<|终|>": 4}) == {1: "中", 3: "\n\n"}
