"""``moyun eval style`` from end to end: the tiny model for the scores, its engine for poems and answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from backend.cli import main
from backend.corpus import store
from backend.engine.generator import LocalGenerator
from backend.evaluation import style
from backend.models.adapters import StyleRegistry, read_weights
from backend.models.dense import DenseModel
from backend.models.sources import PreparedModel
from backend.settings import Settings
from backend.startup import Studio
from backend.training.held_out import HeldOut, write_list
from backend.training.poets import poems_of
from tests import tiny

POETS = {"one": "杜甫", "two": "苏轼"}


@pytest.fixture
def adapters(tmp_path: Path, corpus_cache: Path) -> Path:
    """Two styles for the tiny model, each with a poet of the small corpus and five held-out poems."""
    folder = tmp_path / "adapters"
    for seed, (name, poet) in enumerate(POETS.items()):
        tiny.write_adapter(folder / name, seed=seed)
        file = folder / name / "style.toml"
        file.write_text(f'poet = "{poet}"\n' + file.read_text("utf-8"), "utf-8")
        with store.opened(corpus_cache) as database:
            verses = poems_of(database, poet).verses[:5]
        write_list(folder / name, [HeldOut(verse.title, verse.form, verse.digest, "proof") for verse in verses])
    return folder


@pytest.fixture
def cache(
    tmp_path: Path, corpus_cache: Path, adapters: Path, make_tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A cache with the corpus; models are tiny ones."""
    folder = tmp_path / "cache"
    folder.mkdir()
    shutil.copy(store.corpus_path(corpus_cache), folder)
    monkeypatch.setenv("MOYUN_CACHE", str(folder))
    monkeypatch.setenv("MOYUN_ADAPTERS", str(adapters))
    prepared = PreparedModel(tiny.NAME, tmp_path / "tiny", None, ("", ""))
    monkeypatch.setattr("backend.models.sources.resolve", lambda settings, report: prepared)
    monkeypatch.setattr(
        "backend.models.dense.load_dense",
        lambda prepared, dtype: DenseModel(tiny.make_model().model, tiny.make_tokenizer(), tiny.NAME, None),
    )

    def start(settings: Settings) -> Studio:
        generator = LocalGenerator(make_tiny_model(), settings)
        styles = StyleRegistry.discover(settings.adapters, tiny.NAME, None)
        for found in styles.styles.values():
            generator.add_adapter(found.id, read_weights(found)).result()
        return Studio(generator, styles)

    monkeypatch.setattr("backend.startup.start", start)
    return folder


def report(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["eval", "style", "--json", "--poems", "5", *options]) == 0
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


def test_every_part_is_measured_and_the_second_run_needs_no_model(
    cache: Path, adapters: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = report(capsys, "--against", str(adapters))
    assert [(row["style"], row["kind"], row["poems"]) for row in first["matrix"]] == [
        ("one", "shi", 5),
        ("two", "shi", 5),
    ]
    for row in first["matrix"]:
        assert set(row["nats"]) == {"base", "one", "two", "one_before", "two_before"}
        assert row["gain_over"]["before"] == [0.0, 0.0, 0.0]  # the same weights
        assert row["nats"]["base"] != row["nats"][row["style"]]
    for name in POETS:
        assert set(first["poems"]["styles"][name]) == {name, f"{name}_base", "real"}
        assert first["poems"]["styles"][name][name]["all"]["poems"] == 5
        assert first["poems"]["styles"][name][name]["titles"]["poems"] == 1
    assert first["answers"] == {"questions": 40, "identical": 40, "adapters": ["one", "two"]}
    pairs = (cache / "evaluation" / "style-pairs" / "pairs.txt").read_text("utf-8")
    assert pairs.count("== ") == 8  # the poems on unseen topics

    monkeypatch.setattr("backend.models.dense.load_dense", None)
    monkeypatch.setattr("backend.evaluation.poems.texts_of", None)
    again = report(capsys, "--against", str(adapters), "--parts", "matrix", "poems")
    assert again["matrix"] == first["matrix"]
    assert again["poems"] == first["poems"]


def test_a_folder_without_a_poet_s_adapter_is_refused(
    cache: Path, tiny_adapters: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "style", "--adapters", str(tiny_adapters)]) == 2
    assert "no style with a poet and an adapter" in capsys.readouterr().err


def test_no_poems_at_all_are_refused(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "style", "--poems", "0"]) == 2
    assert "--poems" in capsys.readouterr().err


def test_verdicts_on_the_pairs_are_counted(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = style.BlindPair("雪", "五绝", {"adapter": "甲", "base": "乙"})
    style.write_pairs([pair], cache / "evaluation" / "style-pairs")
    (tmp_path / "verdicts").write_text("1 =\n")
    assert main(["eval", "style", "--verdicts", str(tmp_path / "verdicts")]) == 0
    assert json.loads(capsys.readouterr().out) == {"adapter": 0, "base": 0, "equal": 1, "p": 1.0}
