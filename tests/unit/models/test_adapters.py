"""Styles: a good one is offered, a broken one is named with its reason, and the rest still load."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.errors import AdapterError, SettingsError
from backend.models.adapters import StyleRegistry, read_weights
from backend.types import Style
from tests import tiny

SHIPPED = Path(__file__).resolve().parents[3] / "adapters"
EMBEDDED = "Qwen2.5-Coder-1.5B-Instruct"


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good adapter, to be copied and broken."""
    return tiny.write_adapter(tmp_path_factory.mktemp("good") / "good", rank=4)


@pytest.fixture
def folder(tmp_path: Path, good: Path) -> Path:
    """Styles ``broken`` (still whole) and ``good``."""
    for name in ("broken", "good"):
        shutil.copytree(good, tmp_path / "adapters" / name)
    return tmp_path / "adapters"


def discover(folder: Path, name: str | None = tiny.NAME, digest: str | None = None) -> StyleRegistry:
    return StyleRegistry.discover(folder, name, digest, tiny.make_config())


def set_config(**values: Any) -> Callable[[Path], None]:
    def change(style: Path) -> None:
        path = style / "adapter_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def set_tensors(edit: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def change(style: Path) -> None:
        path = style / "adapter_model.safetensors"
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
        edit(tensors)
        save_file(tensors, path)

    return change


def write(name: str, content: bytes | str) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return lambda style: (style / name).write_bytes(data) and None


def remove(name: str) -> Callable[[Path], None]:
    return lambda style: (style / name).unlink()


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(style: Path) -> None:
        text = (style / name).read_text("utf-8")
        assert old in text
        (style / name).write_text(text.replace(old, new), "utf-8")

    return change


def pickle_the_weights(style: Path) -> None:
    (style / "adapter_model.safetensors").unlink()
    torch.save({"a": torch.zeros(1)}, style / "adapter_model.bin")


def escape(name: str) -> Callable[[Path], None]:
    def change(style: Path) -> None:
        outside = style.parent.parent / f"outside-{name}"
        (style / name).rename(outside)
        (style / name).symlink_to(outside)

    return change


KEY = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"

BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickled weights": (pickle_the_weights, "adapter_model.bin is a pickle"),
    "a pickle beside them": (write("optimizer.pt", pickle.dumps(1)), "optimizer.pt is a pickle"),
    "a pickle under another name": (write("adapter_model.safetensors", pickle.dumps(1)), "can't be read"),
    "weights cut short": (
        lambda style: write("adapter_model.safetensors", (style / "adapter_model.safetensors").read_bytes()[:-9])(
            style
        ),
        "can't be read",
    ),
    "no weights": (remove("adapter_model.safetensors"), "adapter_model.safetensors is missing"),
    "no configuration": (remove("adapter_config.json"), "adapter_config.json is missing"),
    "another base in the configuration": (
        set_config(base_model_name_or_path="other/base-7B"),
        "names the base base-7B",
    ),
    "a rank that the tensors don't have": (set_config(r=8), r"A \(4, 128\), .* A \(8, 128\)"),
    "a rank over the limit": (set_config(r=65), "rank 65 is not within 1 to 64"),
    "a rank of nothing": (set_config(r=0), "PEFT can't read|rank 0"),
    "a rank in words": (set_config(r="four"), "PEFT can't read|rank 'four'"),
    "an alpha in words": (set_config(lora_alpha="big"), "lora_alpha"),
    "a missing key": (set_tensors(lambda tensors: tensors.pop(KEY)), r"lora_A of .*q_proj is missing"),
    "a missing module": (
        set_tensors(lambda tensors: [tensors.pop(KEY), tensors.pop(KEY.replace("_A", "_B"))]),
        "1 of 14 modules are missing",
    ),
    "an extra key": (set_tensors(lambda tensors: tensors.update(more=torch.zeros(1))), "unexpected more"),
    "an extra module": (
        set_tensors(
            lambda tensors: [tensors.update({key.replace("s.1.", "s.9."): tensors[key] + 0}) for key in [*tensors]]
        ),
        r"no module model\.layers\.9",
    ),
    "a matrix of another shape": (
        set_tensors(lambda tensors: tensors.update({KEY: torch.zeros(4, 65)})),
        r"A \(4, 65\)",
    ),
    "not a number": (set_tensors(lambda tensors: tensors[KEY].fill_(float("nan"))), "aren't finite"),
    "whole numbers": (
        set_tensors(lambda tensors: tensors.update({KEY: torch.zeros(4, 64, dtype=torch.int8)})),
        "int8 and not floats",
    ),
    "DoRA": (set_config(use_dora=True), "use_dora = True"),
    "modules to save": (set_config(modules_to_save=["lm_head"]), "modules_to_save"),
    "a bias": (set_config(bias="all"), "bias = 'all'"),
    "a bias of LoRA's own": (set_config(lora_bias=True), "lora_bias|PEFT can't read"),
    "ranks by pattern": (set_config(rank_pattern={"q_proj": 2}), "rank_pattern"),
    "alphas by pattern": (set_config(alpha_pattern={"q_proj": 2}), "alpha_pattern"),
    "a start that alters the base": (set_config(init_lora_weights="pissa"), "init_lora_weights|PEFT can't read"),
    "trained tokens": (set_config(trainable_token_indices=[1]), "trainable_token_indices"),
    "repeated layers": (set_config(layer_replication=[[0, 2]]), "layer_replication"),
    "not LoRA": (set_config(peft_type="IA3"), "'IA3' and not LORA"),
    "no kind at all": (set_config(peft_type=None), "None and not LORA"),
    "the output head": (
        lambda style: [
            set_config(target_modules=["lm_head"])(style),
            set_tensors(
                lambda tensors: [
                    tensors.clear(),
                    tensors.update({f"base_model.model.lm_head.lora_{x}.weight": torch.zeros(4, 4) for x in "AB"}),
                ]
            )(style),
        ],
        "lm_head, which is no projection",
    ),
    "bad JSON": (write("adapter_config.json", "{"), "isn't JSON"),
    "JSON that is no object": (write("adapter_config.json", "[1]"), "None and not LORA"),
    "JSON without end": (write("adapter_config.json", "[" * 100_000), "isn't JSON"),
    "a configuration too large": (write("adapter_config.json", " " * (2 << 20)), "larger than 1 MB"),
    "bytes that are no text": (write("adapter_config.json", b"\xff\xfe\x00"), "isn't JSON"),
    "bad TOML": (write("style.toml", "name = "), r"style\.toml can't be read"),
    "TOML that is no text": (write("style.toml", b"\xff\xfe"), r"style\.toml can't be read"),
    "no style file": (remove("style.toml"), r"style\.toml is missing"),
    "an unknown key": (replace("style.toml", "poem_prompt", "poem_promt"), "poem_prom"),
    "a name in one language": (replace("style.toml", 'en = "Poet"', ""), r"name\.en"),
    "no base": (replace("style.toml", "[base]\nname", "dynasty"), "Extra inputs|doesn't name the base"),
    "a file elsewhere": (escape("adapter_model.safetensors"), r"adapter_model\.safetensors is a link out"),
    "a style file elsewhere": (escape("style.toml"), r"style\.toml is a link out"),
}


@pytest.mark.parametrize(("breakage", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_style_is_left_out_with_its_reason(
    folder: Path, breakage: Callable[[Path], object], reason: str
) -> None:
    breakage(folder / "broken")
    registry = discover(folder)
    assert list(registry.styles) == ["good"]
    error = registry.rejected["broken"]
    assert re.search(reason, error.en), error.en
    assert error.en.startswith("Style broken is left out")
    assert error.zh.startswith("风格 broken 未载入")
    assert "\n" not in error.en.strip()


def test_a_pickle_is_never_opened(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    (folder / "broken" / "adapter_model.safetensors").unlink()
    (folder / "broken" / "adapter_model.bin").write_bytes(pickle.dumps(Trap()))
    assert "broken" in discover(folder).rejected
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["Du_Fu", "du-fu", "杜甫", "du fu", "du.fu", "ｄｕ", "%2e%2e"])
def test_an_id_of_other_letters_is_refused(folder: Path, name: str) -> None:
    (folder / "broken").rename(folder / name)
    assert "a-z, 0-9 and _" in discover(folder).rejected[name].en


def test_a_folder_that_is_a_link_out_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "broken", tmp_path / "outside")
    (folder / "broken").symlink_to(tmp_path / "outside")
    assert "link out" in discover(folder).rejected["broken"].en


def test_hidden_folders_and_files_are_no_styles(folder: Path) -> None:
    (folder / "broken").rename(folder / ".broken")
    (folder / "README.md").touch()
    registry = discover(folder)
    assert (list(registry.styles), registry.rejected) == (["good"], {})


def test_fifty_broken_adapters_are_refused_within_a_second_or_two(folder: Path) -> None:
    for number in range(50):
        shutil.copytree(folder / "broken", folder / f"broken_{number}")
        list(BROKEN.values())[number % 30][0](folder / f"broken_{number}")
    shutil.rmtree(folder / "broken")
    registry = discover(folder)
    start = time.perf_counter()
    registry.refresh()
    assert time.perf_counter() - start < 2
    assert (list(registry.styles), len(registry.rejected)) == (["good"], 50)


def test_general_comes_first_and_a_prompt_needs_no_weights(tiny_adapters: Path) -> None:
    registry = discover(tiny_adapters)
    assert list(registry.styles) == ["general", "east", "west"]
    assert registry.styles["general"].adapter is None
    assert registry.styles["general"].note is None
    assert registry.styles["east"].adapter == tiny_adapters / "east"


@pytest.mark.parametrize(("name", "digest"), [("another", None), (tiny.NAME, "1" * 64)])
def test_a_style_of_another_base_is_its_prompt_alone_and_says_so(folder: Path, name: str, digest: str | None) -> None:
    replace("style.toml", f'name = "{tiny.NAME}"', f'name = "{tiny.NAME}"\ndigest = "{"0" * 64}"')(folder / "good")
    style = discover(folder, name, digest).styles["good"]
    assert style.adapter is None
    assert style.note is not None
    assert tiny.NAME in style.note
    assert "只用提示词" in style.note
    with pytest.raises(AdapterError, match="has no adapter"):
        read_weights(style)


def test_a_finished_adapter_is_picked_up_without_a_restart(folder: Path, good: Path) -> None:
    registry = discover(folder)
    shutil.rmtree(folder / "broken")
    shutil.copytree(good, folder / "new")
    registry.refresh()
    assert list(registry.styles) == ["good", "new"]


def test_only_new_weights_are_taken_up_and_before_anybody_sees_them(folder: Path, good: Path) -> None:
    registry = discover(folder)
    assert not registry.has_changed()
    shutil.copytree(good, folder / "new")
    shutil.copytree(good, folder / "refused")
    assert registry.has_changed()
    taken: list[str] = []

    def take_up(style: Style) -> None:
        assert style.id not in registry.styles
        taken.append(style.id)
        if style.id == "refused":
            raise AdapterError("no", "不行")

    registry.refresh(take_up)
    assert taken == ["new", "refused"]
    assert list(registry.styles) == ["broken", "good", "new"]
    assert not registry.has_changed()
    os.utime(folder / "new" / "adapter_model.safetensors", ns=(1, 1))
    registry.refresh(lambda style: taken.append(style.id))
    assert taken == ["new", "refused", "new", "refused"]


def test_the_weights_are_pefts_own(folder: Path) -> None:
    weights = read_weights(discover(folder).styles["good"])
    stored = load_file(folder / "good" / "adapter_model.safetensors")
    assert (weights.rank, weights.scaling, 2 * len(weights.matrices)) == (4, 2.0, len(stored))
    for module, (a, b) in weights.matrices.items():
        assert torch.equal(a, stored[f"base_model.model.{module}.lora_A.weight"])
        assert torch.equal(b, stored[f"base_model.model.{module}.lora_B.weight"])


def test_rslora_scales_by_the_root_of_the_rank(tmp_path: Path) -> None:
    tiny.write_adapter(tmp_path / "rs", rank=16, use_rslora=True, target_modules=["q_proj", "v_proj"])
    weights = read_weights(discover(tmp_path).styles["rs"])
    assert weights.scaling == 32 / 4
    assert len(weights.matrices) == 4


def test_weights_that_were_damaged_after_registration_are_refused(folder: Path) -> None:
    style = discover(folder).styles["good"]
    set_tensors(lambda tensors: tensors[KEY].fill_(float("inf")))(folder / "good")
    with pytest.raises(AdapterError, match="aren't finite"):
        read_weights(style)


def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MOYUN_ADAPTERS"):
        discover(tmp_path / "none")


def test_the_shipped_styles_hold_together_without_a_model() -> None:
    registry = StyleRegistry.discover(SHIPPED, None, None)
    assert (list(registry.styles)[:3], registry.rejected) == (["general", "du_fu", "su_shi"], {})
    for name, poet in (("du_fu", "杜甫"), ("su_shi", "苏轼")):
        style = registry.styles[name]
        assert style.poem_prompt == f"你是诗人{poet}。"
        assert style.name["zh"] == style.poet == poet
        weights = read_weights(style)
        assert (weights.rank, weights.scaling, len(weights.matrices)) == (8, 2.0, 196)
    assert StyleRegistry.discover(SHIPPED, EMBEDDED, None).styles["du_fu"].adapter is not None
