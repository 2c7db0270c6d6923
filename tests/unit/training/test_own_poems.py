"""A user's file: four kinds, and every bad row named by its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.errors import TrainingError
from backend.training.own_poems import read_poems

QUATRAIN = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
OTHER = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
CI = "常记溪亭日暮，沉醉不知归路。兴尽晚回舟，误入藕花深处。争渡。争渡。惊起一滩鸥鹭。"


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_text_has_titles_tunes_and_poems_without_either(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", f"《登鹳雀楼》\n{QUATRAIN}\n\n\n{OTHER}\n\n如梦令·溪亭\n{CI}\n")
    found = read_poems(path, 16)
    assert [(verse.title, verse.form, verse.source) for verse in found] == [
        ("登鹳雀楼", "五绝", 1),
        ("", "五古", 6),
        ("溪亭", "如梦令", 8),
    ]


def test_markdown_headings_are_titles(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md", f"# 我的诗\n\n## 登鹳雀楼\n\n{QUATRAIN}\n\n## 静夜思\n{OTHER}\n")
    assert [verse.title for verse in read_poems(path, 16)] == ["登鹳雀楼", "静夜思"]


def test_json_and_jsonl(tmp_path: Path) -> None:
    rows = [
        {"title": "登鹳雀楼", "text": QUATRAIN},
        {"paragraphs": OTHER.split("。")[:2]},
        {"output": CI, "tune": "如梦令"},
    ]
    as_list = read_poems(write(tmp_path / "a.json", json.dumps(rows, ensure_ascii=False, indent=1)), 16)
    as_lines = read_poems(write(tmp_path / "a.jsonl", "\n".join(json.dumps(row) for row in rows)), 16)
    assert [verse.text for verse in as_list] == [verse.text for verse in as_lines]
    assert [verse.source for verse in as_list] == [2, 6, 12]
    assert [verse.source for verse in as_lines] == [1, 2, 3]


def test_bad_rows_are_all_named_by_line(tmp_path: Path) -> None:
    rows = [
        json.dumps({"text": QUATRAIN}),
        "{broken",
        json.dumps({"title": "x"}),
        json.dumps({"text": "大风起兮云飞扬"}),
        json.dumps({"text": CI, "tune": "水调歌头"}),
        json.dumps({"text": QUATRAIN.replace("，", "\n")}),
        json.dumps({"text": "，".join(["白日依山尽"] * 20)}),
    ]
    with pytest.raises(TrainingError) as caught:
        read_poems(write(tmp_path / "a.jsonl", "\n".join(rows)), 16)
    assert "6 rows" in caught.value.en
    for part in (
        "line 2: not JSON",
        "line 3: no text",
        "line 4: not in four",
        "line 5: no variant",
        "line 7: 20 lines",
    ):
        assert part in caught.value.en
    assert "line 6: the same poem as in line 1" in caught.value.en
    assert "第 2 行" in caught.value.zh


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.doc", b"x", "not one of"),
        ("a.txt", "好\n诗".encode() + b"\n\xff\xfe", "line 3"),
        ("a.json", b"{", "isn't JSON"),
        ("a.json", b"{}", "no list"),
    ],
)
def test_files_that_are_no_poems(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=said):
        read_poems(path, 16)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.txt"):
        read_poems(tmp_path / "none.txt", 16)
