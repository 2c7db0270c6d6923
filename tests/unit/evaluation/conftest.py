"""A small corpus of made-up poets who keep to words of their own."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.corpus import store
from backend.corpus.report import Report
from backend.corpus.store import Poem

WORDS = {"杜甫": "江村野老秋风白发兵戈泪", "苏轼": "东坡春梦浮生诗酒笑月明", "白居易": "长安宫柳歌舞琵琶炭翁牡丹"}


def verse(author: str, seed: int, lines: int = 4) -> str:
    """A poem of five characters a line out of the poet's own."""
    rng = random.Random(f"{author}{seed}")
    return "\n".join(
        "，".join("".join(rng.choices(WORDS[author], k=5)) for _ in range(2)) + "。" for _ in range(lines // 2)
    )


@pytest.fixture(scope="session")
def corpus_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with thirty quatrains of each poet."""
    folder = tmp_path_factory.mktemp("cache")
    poems = [
        Poem(number, f"题{number}", author, "唐", "五绝", None, verse(author, number), None, 0)
        for number, author in enumerate(sorted(WORDS) * 30, 1)
    ]
    store.write(store.corpus_path(folder), poems, Report(), {})
    return folder


@pytest.fixture
def corpus(corpus_cache: Path) -> Iterator[sqlite3.Connection]:
    """The corpus, opened."""
    with store.opened(corpus_cache) as database:
        yield database
