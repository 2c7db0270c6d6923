"""``moyun check`` and ``moyun forms``, as a person runs them."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from backend.cli import main

TOWER = "登鹳雀楼\n白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    """A file with a poem that fits."""
    path = tmp_path / "poem.txt"
    path.write_text(TOWER, encoding="utf-8")
    return path


def test_a_poem_that_fits_exits_with_0_and_says_so(poem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(poem)]) == 0
    shown = capsys.readouterr().out
    assert "登鹳雀楼" in shown
    assert "●●○○●" in shown
    assert "平仄、押韵都合" in shown
    assert "Tones and rhyme fit" in shown


def test_a_poem_that_does_not_fit_exits_with_1_and_names_the_place(
    poem: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poem.write_text(TOWER.replace("海", "江"), encoding="utf-8")
    assert main(["check", str(poem), "--form", "五绝"]) == 1
    assert "第2句第4字“江”应仄而平" in capsys.readouterr().out


def test_json_has_the_whole_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TOWER.encode())))
    assert main(["check", "-", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["form"] == "五绝"
    assert verdict["rhymes"] == {"A": "下平十一尤"}
    assert len(verdict["lines"]) == 4


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_a_clear_error(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "poem.txt"
    if content is not None:
        path.write_bytes(content)
    assert main(["check", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_an_unknown_form_is_wrong_usage(poem: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(poem), "--form", "九律"]) == 2
    assert "moyun forms" in capsys.readouterr().err


def test_the_forms_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forms"]) == 0
    listed = capsys.readouterr().out
    assert "七律" in listed
    assert "水调歌头" in listed
    assert main(["forms", "五绝"]) == 0
    assert "中仄中平仄" in capsys.readouterr().out
    assert main(["forms", "七言律诗", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["variants"]) == 4


def test_checking_needs_neither_torch_nor_numpy_nor_the_page() -> None:
    code = (
        "import sys; from backend.prosody.checker import check; check('白日依山尽\\n黄河入海流\\n欲穷千里目');"
        "print([name for name in ('torch', 'numpy', 'chainlit', 'transformers') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_checking_one_poem_takes_a_blink(poem: Path) -> None:
    command, times = [sys.executable, "-m", "backend.cli", "check", str(poem)], []
    for _ in range(5):  # processor time: it is the wall time of an idle machine, and a busy one does not change it
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) <= 0.3


@pytest.mark.parametrize("arguments", [["forms", "--json"], ["check", "-", "--json"]])
def test_a_reader_that_has_enough_ends_the_command_without_a_traceback(arguments: list[str], poem: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "backend.cli", *arguments]
    with poem.open("rb") as text, os.fdopen(write, "wb") as nobody:
        done = subprocess.run(command, stdin=text, stdout=nobody, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""
    assert done.returncode == 141
