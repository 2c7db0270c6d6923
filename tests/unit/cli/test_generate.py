"""``moyun generate``: every form and tune, judged under the very form, length and book that were asked for."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest

from backend.chat.copies import MAX_ATTEMPTS
from backend.chat.metre import Metre, tokens_of
from backend.chat.outcome import Outcome
from backend.cli import generate
from backend.errors import ProsodyError, RequestError
from backend.models.known_lines import KnownLines
from backend.prosody.catalog import all_forms
from backend.settings import ROOT
from tests.unit.chat.conftest import STYLES, metre, write_by_chance

__all__ = ["metre"]

QUATRAIN = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    generate.add_arguments(parser)
    return parser.parse_args(["--topic", "秋思", *arguments])


@pytest.mark.parametrize("name", [form.name for form in all_forms()])
def test_every_form_is_written_to_its_end_and_fits(name: str, metre: Metre) -> None:
    options = parse("--form", name, "--seed", "1", "--max-new-tokens", "8")
    commission = generate.make_commission(options)
    request = generate.make_request(options, commission, STYLES["du_fu"], metre)
    assert request.max_new_tokens == tokens_of(commission.form)
    poem = generate.Poem(7, [write_by_chance(metre, request)])
    assert Outcome.of(commission, poem.text).fits


def test_rhyme_acrostic_opening_and_length_are_asked_of_the_poem(metre: Metre) -> None:
    options = parse("--form", "五排", "--lines", "20", "--rhyme", "尤", "--opening", "平起")
    commission = generate.make_commission(options)
    request = generate.make_request(options, commission, STYLES["du_fu"], metre)
    verdict = Outcome.of(commission, write_by_chance(metre, request)).verdict
    assert (verdict.fits, len(verdict.lines), verdict.rhymes["A"]) == (True, 20, "下平十一尤")
    assert verdict.variant.startswith("平起")
    assert request.messages[-1].content == "以秋思为题写一首五言排律，押尤韵"


def test_a_topic_in_its_marks_is_a_title() -> None:
    titled = generate.make_commission(parse("--topic", "《江村》"))
    assert (titled.title, titled.theme) == ("江村", None)
    plain = generate.make_commission(parse())
    assert (plain.title, plain.theme) == (None, "秋思")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--form", "莺啼序"), "莺啼序"),
        (("--form", "七律", "--lines", "10"), "10"),
        (("--rhyme", "哈"), "哈"),
        (("--form", "念奴娇", "--rhyme", "哈"), "哈"),
    ],
)
def test_what_there_is_not_is_said_before_a_model_is_loaded(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(ProsodyError) as caught:
        generate.make_commission(parse(*arguments))
    assert said in caught.value.en
    assert said in caught.value.zh


def test_numbers_that_cannot_be_used_are_refused() -> None:
    options = parse("-n", "0")
    with pytest.raises(RequestError):
        generate.make_request(options, generate.make_commission(options), STYLES["du_fu"], None)


@pytest.mark.parametrize(("text", "fits"), [(QUATRAIN, True), (QUATRAIN[:-2] + "台。", False), ("白日", False)])
def test_each_object_has_the_verdict_of_the_form_that_was_asked_for(
    text: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": [{"text": text}]}), encoding="utf-8")
    monkeypatch.setenv("MOYUN_SCRIPTED", str(script))
    assert generate.run(parse("--form", "五绝", "--style", "du_fu", "-n", "2", "--json")) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(item["text"], item["verdict"]["fits"]) for item in objects] == [(text, fits)] * 2
    assert generate.run(parse("--form", "五绝", "--style", "du_fu")) == 0
    assert ("押下平十一尤" in capsys.readouterr().out) is fits


def test_a_candidate_with_a_copied_line_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adapters = Path(shutil.copytree(ROOT / "adapters", tmp_path / "adapters"))
    KnownLines.of(["更上一层楼"]).save(adapters / "du_fu")
    monkeypatch.setenv("MOYUN_ADAPTERS", str(adapters))
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": [{"text": QUATRAIN}]}), encoding="utf-8")
    monkeypatch.setenv("MOYUN_SCRIPTED", str(script))
    assert generate.run(parse("--form", "五绝", "--style", "du_fu", "-n", "2", "--seed", "3", "--json")) == 0
    seeds = [json.loads(line)["seed"] for line in capsys.readouterr().out.splitlines()]
    assert seeds == [3 + 2 * (MAX_ATTEMPTS - 1), 4 + 2 * (MAX_ATTEMPTS - 1)], "each counts on past the others"
    assert generate.run(parse("--form", "五绝", "--style", "su_shi", "--seed", "3", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 3
