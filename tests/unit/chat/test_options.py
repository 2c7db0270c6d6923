"""Settings: one table, and nothing that a client sends gets past it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.chat.options import MAX_SEED, Options, OptionSchema, load_schema
from backend.errors import RequestError, SettingsError
from backend.prosody.catalog import find_form
from backend.prosody.tables import BOOKS
from backend.settings import ROOT

STYLES = ("general", "du_fu", "su_shi")
SCHEMA = load_schema(ROOT / "chainlit.config.toml")
NUMBERS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens")
WORDS = ("style", "seed", "system_prompt", "form", "rhyme", "strict", "book")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_the_shipped_defaults_are_what_the_page_promises() -> None:
    options = SCHEMA.defaults(STYLES)
    assert (SCHEMA.temperature.minimum, SCHEMA.temperature.maximum, SCHEMA.temperature.step) == (0.1, 1.5, 0.05)
    assert (options.style, options.temperature, options.seed, options.system_prompt) == ("du_fu", 0.7, None, "")


def test_the_first_style_stands_in_for_a_default_that_is_not_there() -> None:
    assert SCHEMA.defaults(["general"]).style == "general"


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*NUMBERS, *WORDS, "x"]), anything))
def test_whatever_a_client_sends_the_options_stay_within_the_schema(values: dict[str, Any]) -> None:
    options, _ = SCHEMA.apply(SCHEMA.defaults(STYLES), values, STYLES, max_new_tokens=300)
    assert options.style in STYLES
    for name in NUMBERS:
        slider = getattr(SCHEMA, name)
        value = getattr(options, name)
        assert math.isfinite(value)
        assert slider.minimum <= value <= slider.maximum or name == "max_new_tokens"
    assert 1 <= options.max_new_tokens <= 300
    assert options.seed is None or 0 <= options.seed <= MAX_SEED
    assert len(options.system_prompt) <= SCHEMA.system_prompt.max_chars
    assert isinstance(options.top_k, int)
    assert options.form in SCHEMA.form.choices
    assert options.book in SCHEMA.book.choices
    assert len(options.rhyme) <= SCHEMA.rhyme.max_chars
    assert isinstance(options.strict, bool)


@settings(deadline=None)
@given(st.floats(0.1, 1.5))
def test_a_number_lands_on_the_nearest_step(value: float) -> None:
    landed = SCHEMA.temperature.clamp(value, 0.7)
    assert abs(landed - value) <= 0.025 + 1e-9
    steps = (landed - 0.1) / 0.05
    assert abs(steps - round(steps)) < 1e-6
    assert len(repr(landed)) <= 4, "and reads as a person would write it"


@pytest.mark.parametrize(
    ("sent", "seed", "refused"),
    [
        ("42", 42, 0),
        (42, 42, 0),
        ("", None, 0),
        (None, None, 0),
        (" 7 ", 7, 0),
        ("x", 5, 1),
        (-1, 5, 1),
        (True, 5, 1),
        ("²", 5, 1),
        ("9" * 5000, 5, 1),
        (2**31, 5, 1),
        (1.5, 5, 1),
        ([], 5, 1),
    ],
)
def test_a_seed_is_a_whole_number_or_nothing(sent: object, seed: int | None, refused: int) -> None:
    start, _ = SCHEMA.apply(SCHEMA.defaults(STYLES), {"seed": 5}, STYLES, max_new_tokens=99)
    options, complaints = SCHEMA.apply(start, {"seed": sent}, STYLES, max_new_tokens=99)
    assert options.seed == seed
    assert len(complaints) == refused


def test_an_unregistered_style_is_refused_with_a_sentence_in_both_languages() -> None:
    options, (complaint,) = SCHEMA.apply(SCHEMA.defaults(STYLES), {"style": "../x"}, STYLES, max_new_tokens=99)
    assert options.style == "du_fu"
    assert "../x" in complaint.en
    assert "../x" in complaint.zh


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("default = 0.7", "default = 2.7", "settings.temperature"),
        ("step = 0.05", "step = 0", "settings.temperature.slider.step"),
        ("minimum = 0.1", 'minimum = "low"', "minimum"),
        ("[settings.seed]", "[settings.sead]", "settings.se"),
        ('widget = "select"', 'widget = "slider"', "settings.style.widget"),
        ("[settings.style]", "[settings.style", "can't be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_said_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (ROOT / "chainlit.config.toml").read_text(encoding="utf-8")
    assert old in text
    broken = tmp_path / "broken.toml"
    broken.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_schema(broken)
    assert said.replace(".slider", "") in str(caught.value)


def test_the_schema_refuses_settings_that_nothing_reads() -> None:
    with pytest.raises(ValueError, match="extra"):
        OptionSchema.model_validate({**SCHEMA.model_dump(), "stile": {}})


def apply(**values: object) -> tuple[Options, list[RequestError]]:
    return SCHEMA.apply(SCHEMA.defaults(STYLES), values, STYLES, max_new_tokens=1024)


def test_poems_keep_their_form_unless_the_writer_says_otherwise() -> None:
    options = SCHEMA.defaults(STYLES)
    assert (options.strict, options.chosen_form, options.rhyme, options.book) == (True, None, "", "pingshui")


def test_every_form_and_book_that_is_offered_exists() -> None:
    for choice in SCHEMA.form.choices:
        assert choice == "auto" or find_form(choice).name == choice
    assert set(SCHEMA.book.choices) <= set(BOOKS)


@pytest.mark.parametrize(
    ("sent", "strict"),
    [
        (False, False),
        (True, True),
        ("off", False),
        ("On", True),
        ("关", False),
        ("maybe", True),
        (0, True),
        (None, True),
    ],
)
def test_a_switch_is_on_or_off_and_nothing_else(sent: object, strict: bool) -> None:
    assert apply(strict=sent)[0].strict is strict


@pytest.mark.parametrize(
    ("name", "sent", "value"),
    [
        ("form", "七绝", "七绝"),
        ("form", "词 · 水调歌头", "水调歌头"),
        ("form", "auto", "auto"),
        ("book", "tongyun", "tongyun"),
        ("rhyme", " 尤 ", "尤"),
        ("rhyme", "第七部", "第七部"),
        ("rhyme", "安", "安"),
        ("rhyme", "", ""),
        ("rhyme", None, ""),
    ],
)
def test_forms_books_and_rhymes_that_are_known_are_taken(name: str, sent: object, value: str) -> None:
    options, refused = apply(**{name: sent})
    assert (getattr(options, name), refused) == (value, [])


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("form", "莺啼序"),
        ("form", None),
        ("form", ["七绝"]),
        ("book", "cilin"),
        ("rhyme", "没有"),
        ("rhyme", "尤" * 50),
        ("rhyme", {"a": 1}),
        ("rhyme", True),
    ],
)
def test_those_that_are_not_are_refused_with_a_sentence_and_change_nothing(name: str, sent: object) -> None:
    options, (complaint,) = apply(**{name: sent})
    assert options == SCHEMA.defaults(STYLES)
    assert str(sent)[:20] in complaint.zh
    assert complaint.en
