"""A whole training on a tiny base: from a file of poems to a style that the registry takes, and what stops it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.cli import main
from backend.models.adapters import StyleRegistry
from backend.models.known_lines import KnownLines
from backend.training import checkpoints, export
from backend.training.held_out import read_list
from tests import tiny
from tests.unit.training.conftest import write_poems


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of styles and a cache of the test's own."""
    adapters = tmp_path / "adapters"
    tiny.write_style(adapters / "general")
    monkeypatch.setenv("MOYUN_ADAPTERS", str(adapters))
    monkeypatch.setenv("MOYUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MOYUN_THREADS", "1")
    return adapters


def command(poems: Path, recipe: Path, *more: str) -> list[str]:
    return ["train", "--style", "mine", "--poems", str(poems), "--recipe", str(recipe), *more]


def test_a_file_of_poems_becomes_a_style(
    place: Path, poems: Path, recipe_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = StyleRegistry(place, tiny.NAME, None)
    assert main(command(poems, recipe_file)) == 0
    registry.refresh()
    style = registry.styles["mine"]
    assert style.adapter == place / "mine"
    assert style.known_lines == place / "mine"
    names = {path.name for path in (place / "mine").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "style.toml", "README.md", "report.md"} <= names
    assert (place / "mine" / "loss.png").read_bytes().startswith(b"\x89PNG")
    entries = read_list(place / "mine")
    assert [entry.part for entry in entries].count("proof") == 6
    known = KnownLines.open(place / "mine")
    assert known is not None
    lines = poems.read_text("utf-8").replace("。", "，").replace("\n", "，").split("，")
    verse = [line for line in lines if len(line) == 5]
    assert len(known.copied(verse)) == 4 * (60 - len(entries))
    report = (place / "mine" / "report.md").read_text("utf-8")
    before, after = (float(report.split(f"{word} | ")[1].split()[0]) for word in ("before", "best"))
    assert after < before
    assert not list((place.parent / "cache" / "training").glob("mine/*"))


def test_data_for_other_tools_are_written_by_a_command(place: Path, poems: Path, recipe_file: Path) -> None:
    folder = place.parent / "data"
    arguments = ["--style", "mine", "--poems", str(poems), "--recipe", str(recipe_file), "--out", str(folder)]
    assert main(["train", "data", *arguments]) == 0
    assert {path.name for path in folder.iterdir()} == {
        "dataset_info.json",
        "mine.jsonl",
        "mine_held_out.jsonl",
        "mine.yaml",
    }
    rows = [json.loads(line) for line in (folder / "mine.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 60 - 6 - 3
    assert all(row["instruction"] and row["output"] and row["system"] == "你是诗人Mine。" for row in rows)


def test_a_run_killed_in_the_middle_ends_with_the_same_weights(place: Path, poems: Path, recipe_file: Path) -> None:
    straight = place.parent / "straight"
    assert main(command(poems, recipe_file, "--out", str(straight / "mine"))) == 0
    process = subprocess.Popen([sys.executable, "-m", "backend.cli", *command(poems, recipe_file)], env=os.environ)
    run = place.parent / "cache" / "training" / "mine"
    try:
        _wait_for(lambda: any(map(checkpoints.is_whole, run.glob("checkpoint-*"))), process)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert not (place / "mine").exists()
    steps = [int(path.name.rpartition("-")[2]) for path in run.glob("checkpoint-*")]
    assert main(command(poems, recipe_file)) == 0
    report = (place / "mine" / "report.md").read_text("utf-8")
    planned = int(report.split("steps run, planned | ")[1].split(",")[0])
    assert 0 < min(steps) < planned
    weights = [(folder / "mine" / "adapter_model.safetensors").read_bytes() for folder in (straight, place)]
    assert weights[0] == weights[1]


def _wait_for(reached: object, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        if reached():  # type: ignore[operator]
            return
        time.sleep(0.01)
    raise AssertionError("the run ended, or wrote no checkpoint")


def test_a_broken_checkpoint_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for step in (9, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "optimizer.pt").write_bytes(b"x" * 100)
        checkpoints.seal(folder)
    (tmp_path / "checkpoint-10" / "optimizer.pt").write_bytes(b"x" * 99)
    (tmp_path / "checkpoint-11").mkdir()
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-9"
    assert "checkpoint-10" in caplog.text
    assert not (tmp_path / "checkpoint-11").exists()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert "Traceback" not in "\n".join(said)
    return said[-1]


def test_a_style_that_exists_is_not_overwritten(
    place: Path, poems: Path, recipe_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny.write_adapter(place.parent / "other"), place / "mine")
    before = (place / "mine" / "adapter_model.safetensors").read_bytes()
    assert "The style mine exists" in refused(capsys, *command(poems, recipe_file))
    assert "leave --poet out" in refused(capsys, *command(poems, recipe_file, "--poet", "李白"))
    assert (place / "mine" / "adapter_model.safetensors").read_bytes() == before


def test_too_few_poems_are_refused_with_their_number(
    place: Path, tmp_path: Path, recipe_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = write_poems(tmp_path / "few.txt", 29)
    assert "29 poems can be used and 30" in refused(capsys, *command(few, recipe_file))
    empty = tmp_path / "empty.txt"
    empty.write_text("", "utf-8")
    assert "0 poems can be used" in refused(capsys, *command(empty, recipe_file))
    assert not (place / "mine").exists()


def test_a_start_of_another_base_is_refused(
    place: Path, tmp_path: Path, poems: Path, recipe_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = tiny.write_adapter(tmp_path / "start")
    config = json.loads((start / "adapter_config.json").read_text("utf-8"))
    config["base_model_name_or_path"] = "another"
    (start / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    recipe_file.write_text(f'start = "{start}"\n{recipe_file.read_text("utf-8")}', "utf-8")
    assert "names the base another" in refused(capsys, *command(poems, recipe_file))
    assert not (place / "mine").exists()


def test_other_settings_dont_go_on_with_an_unfinished_run(
    place: Path, poems: Path, recipe_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = place.parent / "cache" / "training" / "mine"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}", "utf-8")
    assert "--fresh" in refused(capsys, *command(poems, recipe_file))
    assert main(command(poems, recipe_file, "--fresh")) == 0


def test_bad_names_styles_and_places(
    place: Path, poems: Path, recipe_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no name for a style" in refused(capsys, "train", "--style", "Mine!", "--poems", str(poems))
    assert "There is no style yours" in refused(capsys, "train", "--style", "yours")
    assert "there is no corpus" in refused(capsys, "train", "--style", "li_bai", "--poet", "李白")
    full = shutil._ntuple_diskusage(10**9, 10**9, 10**6)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    assert "GB of free disk" in refused(capsys, *command(poems, recipe_file))


def test_a_failure_while_exporting_leaves_the_old_style(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "old").write_text("old", "utf-8")

    def export_half() -> None:
        with export.published(folder) as partial:
            (partial / "new").write_text("new", "utf-8")
            raise KeyError("broken")

    with pytest.raises(KeyError):
        export_half()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (folder / "old").exists()
