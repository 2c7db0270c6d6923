"""The terminal says what a poem kept, checks, rewrites, and writes again what was copied."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from backend.chat.conversation import Conversation
from backend.chat.copies import MAX_ATTEMPTS
from backend.chat.options import OptionSchema
from backend.cli.chat import Terminal
from backend.errors import RequestError
from backend.scripted import Answer, Script, ScriptedGenerator
from backend.types import Style
from tests.unit.chat.conftest import STYLES, schema

__all__ = ["schema"]

QUATRAIN = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"


class Known:
    """Knows the quatrain."""

    def copied(self, lines: Sequence[str]) -> tuple[int, ...]:
        return tuple(number for number, line in enumerate(lines, 1) if line in QUATRAIN)


def find(style: Style) -> Known:
    return Known()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def terminal(schema: OptionSchema, runner: asyncio.Runner, text: str = QUATRAIN, **given: object) -> Terminal:
    generator = ScriptedGenerator(Script(context_length=4096, answers=(Answer(text=text),)))
    return Terminal(Conversation(generator, STYLES, schema, session="s", **given), runner)  # type: ignore[arg-type]


def test_the_small_line_says_which_form_and_rhyme_a_poem_kept(
    schema: OptionSchema, runner: asyncio.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.run(terminal(schema, runner).take("写一首五绝，写登楼"))
    assert "[五绝，仄起不入韵，押下平十一尤（平水韵） · du_fu" in capsys.readouterr().out


def test_a_check_marks_the_poem_that_follows_it_or_the_last_one(
    schema: OptionSchema, runner: asyncio.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    place = terminal(schema, runner, QUATRAIN[:-2] + "台。")
    with pytest.raises(RequestError, match="paste"):
        runner.run(place.take("/检"))
    runner.run(place.take(f"/check {QUATRAIN[:12]}欲穷千里目，更上一层楼。"))
    assert "平仄、押韵都合" in capsys.readouterr().out
    runner.run(place.take("写一首五绝，写登楼"))
    capsys.readouterr()
    runner.run(place.take("/检"))
    assert "✗ 第4句韵脚“台”出韵" in capsys.readouterr().out


def test_settings_of_every_kind_are_set_by_their_names(
    schema: OptionSchema, runner: asyncio.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    place = terminal(schema, runner)
    for line in ("/form 七绝", "/rhyme 尤", "/strict off", "/book tongyun"):
        runner.run(place.take(line))
    options = place.conversation.options
    assert (options.form, options.rhyme, options.strict, options.book) == ("七绝", "尤", False, "tongyun")
    with pytest.raises(RequestError, match="莺啼序"):
        runner.run(place.take("/form 莺啼序"))
    capsys.readouterr()
    runner.run(place.take("/settings"))
    assert "rhyme = 尤" in capsys.readouterr().out


def test_a_rewriting_without_a_poem_or_without_a_model_that_can_is_refused(
    schema: OptionSchema, runner: asyncio.Runner
) -> None:
    place = terminal(schema, runner)
    with pytest.raises(RequestError, match="no longer"):
        runner.run(place.take("/改 3"))
    runner.run(place.take("写一首五绝，写登楼"))
    with pytest.raises(RequestError, match="hold"):
        runner.run(place.take("/rewrite 3"))


def test_copied_lines_are_written_again_and_said(
    schema: OptionSchema, runner: asyncio.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    place = terminal(schema, runner, known_lines=find)
    runner.run(place.take("写一首五绝，写登楼"))
    shown = capsys.readouterr().out
    assert shown.count("白日依山尽") == MAX_ATTEMPTS
    assert shown.count(QUATRAIN) >= 1, "the last attempt is shown whole"
    assert f"第{MAX_ATTEMPTS}次" in shown
    assert "第1、2、3、4句有五字以上与所学原诗相同" in shown
    assert len(place.conversation.turns) == 1
