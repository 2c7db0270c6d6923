"""A made-up package in the layout of npm's chinese-poetry, and the corpus built from it."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.corpus import store
from backend.corpus.build import build


def shi(title: str, author: str, *paragraphs: str, **more: object) -> dict[str, object]:
    """A record of the collections of shi."""
    return {"title": title, "author": author, "paragraphs": list(paragraphs), "id": "0", **more}


def ci(tune: str, author: str, *paragraphs: str) -> dict[str, object]:
    """A record of the collection of ci."""
    return {"rhythmic": tune, "author": author, "paragraphs": list(paragraphs)}


SPRING = (
    "國破山河在，城春草木深。",
    "感時花濺淚，恨別鳥驚心。",
    "烽火連三月，家書抵萬金。",
    "白頭搔更短，渾欲不勝簪。",
)
RECORDS: dict[str, list[object]] = {
    "quantangshi/poet.tang.0.json": [
        shi("春望", "杜甫", *SPRING),
        shi("春望", "杜甫", *SPRING),
        shi(
            "春望（一作春日）",
            "僧皎然",
            "國破山河在，城春草木深。",
            "感時花濺淚，恨別鳥驚心。",
            "烽火連三月，家書值萬金。",
            "白頭搔更短，渾欲不勝簪。",
        ),
        shi("句", "杜甫", "國破山河在，城春草木深。"),
        shi("登山二首 一", "太宗皇帝", "白日依山盡黃河入海流，欲窮千里目，更上一層樓。"),
        shi(
            "石上[一]",
            "王[維]",
            "明月松間照，[清]泉（一作水）石上流。",
            "隨意春芳歇，王孫自{炙火=肉}留。（見《唐會要》卷二十八）（按：云「某。",
            "某」）。",
        ),
        shi("後記", "孫望", "是稿初印於丙子歲當時收詩止二百七十有奇暫分七卷名曰全唐詩補逸初稿。"),
        shi("佚詩", "佚名", "空（按：此詩已收）。"),
        shi("漁家 一", "王五", "明月照山川。", "清風入我船。", "不知今夜夢，能到故人邊。", "且醉。"),
    ],
    "quantangshi/poet.tang.1000.json": [
        {"title": "無正文", "author": "某"},
        ["no poem"],
        shi("山行", "李四", "遠上寒山石徑斜，白雲生處有人家。", "停車坐愛楓林晚，霜葉紅於二月花。"),
    ],
    "quantangshi/error/poet.tang.0.json": [shi("別處", "某甲", "此詩不當收，編者已剔除。")],
    "quantangshi/authors.tang.json": [{"name": "杜甫", "desc": "詩聖", "id": "0"}],
    "songci/ci.song.0.json": [
        ci("貂裘换酒・渔家", "张三1", "明月上高楼。", "寒云过小洲。", "明年今日酒，谁与我同游。", "归去。"),
        ci("渔家", "向", "けけ杨柳绿。", "《阳春》飞雪曲。", "<b>何处</b>，有人□&nbsp;家。"),
    ],
    "quantangshi/poet.song.0.json": [
        shi("存目  其一", "宋庠", "詩題：某首句：某某某某某。"),
        shi("句  其二○", "疎影", "疎影橫斜，乾德二年乾糧盡，頼有鶏鳴。"),
    ],
}


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a folder."""
    root = tmp_path_factory.mktemp("package") / "package"
    for name, records in RECORDS.items():
        path = root / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def archive(package: Path) -> Path:
    """The package as ``npm pack`` leaves it."""
    path = package.parent / "chinese-poetry-2.0.1.tgz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(package, arcname="package")
    return path


@pytest.fixture(scope="session")
def cache(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the corpus in it."""
    folder = tmp_path_factory.mktemp("cache")
    build(folder, archive)
    return folder


@pytest.fixture
def database(cache: Path) -> Iterator[sqlite3.Connection]:
    """The corpus, opened."""
    with store.opened(cache) as connection:
        yield connection
