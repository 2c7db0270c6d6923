"""The search: what is found, where, and that no query breaks it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import cli
from backend.corpus import store
from backend.corpus.script import only_han, simplify
from backend.corpus.search import LONGEST, match_expression, search
from backend.corpus.shape import clauses
from backend.errors import CorpusError


def test_words_are_found_with_their_poem_author_and_place(database: sqlite3.Connection) -> None:
    [hit] = search(database, "连三月")
    assert (hit.title, hit.author, hit.line, hit.character, hit.verse) == ("春望", "杜甫", 5, 3, "烽火连三月")
    assert hit.also == ("皎然",)


@pytest.mark.parametrize("query", ["國破山河在，城春", "国破 山河", "在城", "「國破」"])
def test_script_and_punctuation_do_not_matter(query: str, database: sqlite3.Connection) -> None:
    assert [hit.title for hit in search(database, query)] == ["春望"]


def test_versions_are_hits_of_their_own_when_asked_for(database: sqlite3.Connection) -> None:
    assert {hit.author for hit in search(database, "国破山河在", versions=True)} == {"杜甫", "皎然"}


def test_two_characters_of_a_word_apart_are_no_hit(database: sqlite3.Connection) -> None:
    assert search(database, "国山") == []


def test_pairs_that_stand_in_different_places_are_no_hit(database: sqlite3.Connection) -> None:
    # 明月照, 月照山 and 清风入 are there, but not in that order.
    assert search(database, "清风入我船明月照") == []


def test_characters_on_both_sides_of_a_gap_are_no_neighbours(database: sqlite3.Connection) -> None:
    assert search(database, "自留") == []


def test_a_single_character_and_the_last_one_of_a_poem_are_found(database: sqlite3.Connection) -> None:
    assert [hit.title for hit in search(database, "簪")] == ["春望"]


def test_words_of_a_title_are_found(database: sqlite3.Connection) -> None:
    assert [(hit.title, hit.line, hit.character) for hit in search(database, "山行")] == [("山行", 0, 1)]


def test_author_and_form_filter(database: sqlite3.Connection) -> None:
    assert [hit.author for hit in search(database, "明月", author="張三")] == ["张三"]
    assert {hit.form for hit in search(database, "明月", form="詞")} == {"词"}
    assert {hit.tune for hit in search(database, form="渔家")} == {"渔家"}
    assert search(database, "明月", author="杜甫") == []
    assert [hit.author for hit in search(database, "明月", author="张三", form="渔家")] == ["张三"]


def test_the_words_for_kinds_are_not_searched_as_text(database: sqlite3.Connection) -> None:
    assert search(database, "体词") == []
    assert search(database, "作杜甫") == []


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("", {}),
        ("abc", {}),
        ("!!", {"form": "词"}),
        ("春" * (LONGEST + 1), {}),
        ("春望", {"author": "谁也不是"}),
        ("春望", {"form": "十四行"}),
    ],
)
def test_what_cannot_be_searched_is_said(query: str, filters: dict[str, str], database: sqlite3.Connection) -> None:
    with pytest.raises(CorpusError) as caught:
        search(database, query, **filters)  # type: ignore[arg-type]
    assert caught.value.zh


HOSTILE = st.text(
    alphabet=st.sampled_from(list("国破山河在春望\"*^():-+{}[]\\'%_;\0 \nANDORNEAR")), max_size=30
) | st.text(max_size=60)


@given(query=HOSTILE, author=st.none() | HOSTILE, form=st.none() | HOSTILE)
@settings(max_examples=300, deadline=None)
def test_no_query_breaks_the_search(cache: Path, query: str, author: str | None, form: str | None) -> None:
    with store.opened(cache) as database:
        try:
            hits = search(database, query, author=author, form=form)
        except CorpusError:
            return
    wanted = only_han(simplify(query))
    for hit in hits:
        assert wanted in "".join(clauses(hit.text)) + "\n" + only_han(hit.title)


@given(text=st.text(alphabet="国破山河在城春草木深", min_size=2, max_size=12), data=st.data())
@settings(max_examples=200, deadline=None)
def test_every_part_of_a_text_is_matched_by_its_expression(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 2))
    end = data.draw(st.integers(start + 2, len(text)))
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE words USING fts5 (text, content='', detail='column', tokenize='ascii')")
    database.execute("INSERT INTO words (rowid, text) VALUES (1, ?)", (store.words(text),))
    found = database.execute("SELECT rowid FROM words WHERE words MATCH ?", (match_expression(text[start:end]),))
    assert found.fetchall() == [(1,)]
    database.close()


def test_the_command_prints_hits_and_tells_nothing_found_by_its_exit_code(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOYUN_CACHE", str(cache))
    assert cli.main(["corpus", "search", "國破山河在", "--json"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["author"] == "杜甫"
    assert cli.main(["corpus", "search", "国破山河在"]) == 0
    assert "第1句第1字：国破山河在" in capsys.readouterr().out
    assert cli.main(["corpus", "search", "不在此处"]) == 1
    assert cli.main(["corpus", "report"]) == 0
    assert "收录" in capsys.readouterr().out


def test_the_command_builds_once_and_anew_with_force(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOYUN_CACHE", str(tmp_path))
    assert cli.main(["corpus", "build", "--from", str(archive)]) == 0
    made = (tmp_path / store.NAME).stat().st_ino
    assert cli.main(["corpus", "build", "--from", str(archive)]) == 0
    assert (tmp_path / store.NAME).stat().st_ino == made
    assert cli.main(["corpus", "build", "--from", str(archive), "--force"]) == 0
    (tmp_path / store.NAME).write_text("broken")
    assert cli.main(["corpus", "build", "--from", str(archive)]) == 0
    assert cli.main(["corpus", "search", "国破山河在"]) == 0
    assert "收录" in capsys.readouterr().out
