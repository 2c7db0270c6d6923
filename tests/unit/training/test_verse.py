"""Poems as they are learnt: form by the checker, layout as the constraint writes it."""

from __future__ import annotations

from backend.training.verse import digest, read_verse


def test_a_regulated_poem_has_its_form_its_rhyme_and_a_couplet_a_line() -> None:
    verse = read_verse("登鹳雀楼", "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。")
    assert verse is not None
    assert (verse.form, verse.rhyme) == ("五绝", "尤")
    assert verse.text == "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"


def test_verse_that_ignores_the_tones_is_old_style() -> None:
    verse = read_verse("静夜思", "床前明月光，疑是地上霜。举头望明月，低头思故乡。")
    assert verse is not None
    assert verse.form == "五古"


def test_a_ci_is_laid_out_by_its_tune_whatever_the_edition_punctuates() -> None:
    text = "常记溪亭日暮，沉醉不知归路。兴尽晚回舟、误入藕花深处。争渡，争渡。惊起一滩鸥鹭。"
    verse = read_verse("如梦令", text, "如梦令")
    assert verse is not None
    assert verse.form == "如梦令"
    assert verse.text.replace("\n", "").count("争渡") == 2
    assert verse.lines[2:4] == ("兴尽晚回舟", "误入藕花深处")


def test_what_has_no_form_is_none() -> None:
    assert read_verse("", "大风起兮云飞扬，威加海内兮归故乡，安得猛士兮守四方。") is None
    assert read_verse("", "白日依山□，黄河入海流。欲穷千里目，更上一层楼。") is None
    assert read_verse("", "常记溪亭日暮，沉醉不知归路。", "如梦令") is None


def test_the_digest_is_of_the_words_alone() -> None:
    assert digest("白日依山尽，黄河入海流。") == digest("白日依山盡\n黃河入海流")
    assert digest("白日依山尽") != digest("白日依山近")
