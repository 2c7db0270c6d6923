"""The table of ci templates and the data file, from a small made-up corpus."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend import cli
from backend.corpus import store, tune_table
from backend.corpus.report import Report
from backend.corpus.store import Poem
from backend.corpus.tunes import aliases, song_ci
from backend.prosody.ci import facts, parse_template, tunes

MODEL = parse_template("xZxPxZa。xZxPxZa。xZZPP，xZxPxZa。xZa。xZa。xZxPxZa。")
CHARACTERS = {"P": "东风红公宫", "Z": "洞动送凤孔"}


def dream(chance: random.Random) -> str:
    """A 如梦令 without sense."""
    text = ""
    for line in MODEL:
        text += "".join(chance.choice(CHARACTERS[chance.choice("PZ") if t == "x" else t]) for t in line.tones)
        text += line.after
    return text


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 80 如梦令, a few of them under another name, and things that are no whole Song ci."""
    folder = tmp_path_factory.mktemp("tunes")
    chance = random.Random(1)
    poems = []
    for number in range(1, 81):
        title = "宴桃源" if number <= 3 else "摊破如梦令" if number <= 6 else "如梦令"
        poems.append(Poem(number, title, "某甲", "宋", "词", "如梦令", dream(chance), None, 0))
    poems += [
        Poem(81, "如梦令", "某乙", "五代", "词", "如梦令", dream(chance), None, 0),
        Poem(82, "如梦令", "某乙", "宋", "词", "如梦令", "□" + dream(chance)[1:], None, 1),
        Poem(83, "如梦令", "某乙", "宋", "词", "如梦令", poems[0].text, None, 0, twin=1),
        Poem(84, "如梦令", "某乙", "宋", "词", "如梦令", "东洞。", None, 0),
    ]
    store.write(store.corpus_path(folder), poems, Report(), {})
    return folder


@pytest.fixture
def database(cache: Path) -> Iterator[sqlite3.Connection]:
    """That corpus, opened."""
    with store.opened(cache) as connection:
        yield connection


def test_whole_song_ci_are_taken_once(database: sqlite3.Connection) -> None:
    assert [poem.id for poem in song_ci(database, "如梦令")] == [*range(1, 81), 84]


def test_other_names_are_found_and_other_measures_are_none(database: sqlite3.Connection) -> None:
    assert aliases(database, "如梦令") == ["宴桃源"]


def test_the_data_file_is_written_from_the_corpus(
    database: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune_table, "DATA", tmp_path)
    tune_table.write_templates(database)
    heading, row = (tmp_path / "ci_tunes.tsv").read_text(encoding="utf-8").splitlines()
    assert heading.split("\t") == list(tune_table.HEADING)
    name, names, variant, chars, support, template = row.split("\t")
    assert (name, names, variant, chars, support) == ("如梦令", "宴桃源", "33字", "33", "80")
    assert parse_template(template) == MODEL


def test_the_table_has_a_row_a_tune_and_honest_shares(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOYUN_CACHE", str(cache))
    assert cli.main(["corpus", "tunes", "--json"]) == 0
    rows = {row["tune"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(rows) == set(facts()) == {form.name for form in tunes()}
    row = rows["如梦令"]
    assert (row["poems"], row["lengths"]) == (81, pytest.approx(80 / 81))
    assert (row["tones"], row["slots"], row["unseen"]["characters"]) == (1.0, 1.0, 1.0)
    assert rows["水调歌头"]["poems"] == 0
    assert rows["水调歌头"]["weak"]
    assert cli.main(["corpus", "tunes"]) == 0
    assert "98.8%" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("如梦令"))
