"""What LLaMA-Factory gets: rows, their description, and settings; and the merge into a dense base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from backend.errors import TrainingError
from backend.training.dataset import Pair
from backend.training.factory import write_data, write_yaml
from backend.training.merge import merge
from backend.training.recipe import Recipe
from backend.training.subject import new_style
from tests import tiny

PAIRS = [Pair("form", "写一首五言绝句", "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。", 1)]


@pytest.mark.parametrize(("as_sharegpt", "asked"), [(False, "instruction"), (True, "conversations")])
def test_data_describe_themselves(tmp_path: Path, as_sharegpt: bool, asked: str) -> None:
    style = new_style("mine", "李白")
    write_data(tmp_path, style, PAIRS, [], as_sharegpt)
    info = json.loads((tmp_path / "dataset_info.json").read_text("utf-8"))
    row = json.loads((tmp_path / info["mine"]["file_name"]).read_text("utf-8").splitlines()[0])
    assert row["system"] == "你是诗人李白。"
    assert asked in row
    assert set(info["mine"]["columns"].values()) <= set(row)
    assert info.keys() == {"mine", "mine_held_out"}


def test_settings_are_those_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    write_yaml(path, new_style("mine", "李白"), Recipe(rank=16, precision="nf4"), pairs=700)
    rows = (line.split(": ", 1) for line in path.read_text("utf-8").splitlines() if not line.startswith("#"))
    settings = {key: json.loads(value) for key, value in rows}
    assert settings["lora_rank"] == 16
    assert settings["quantization_bit"] == 4
    assert settings["warmup_steps"] == round(0.05 * 700 / settings["per_device_train_batch_size"])
    assert settings["dataset_dir"] == str(tmp_path)


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    """The tiny model, unquantized, in a folder."""
    loaded = tiny.make_model()
    loaded.model.save_pretrained(tmp_path / "dense")
    loaded.tokenizer.save_pretrained(tmp_path / "dense")
    return tmp_path / "dense"


def test_a_merged_model_says_what_base_and_adapter_say(tmp_path: Path, dense: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    adapter = tiny.write_adapter(tmp_path / "east", seed=1)
    proof = merge(adapter, dense, tmp_path / "merged", lambda line: None)
    assert proof.agrees
    ids = torch.tensor([[5, 9, 200, 31]])
    adapted = PeftModel.from_pretrained(tiny.make_model().model, str(adapter)).eval()
    wanted, plain = adapted(ids).logits, tiny.make_model().model(ids).logits
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")(ids).logits
    assert torch.allclose(merged, wanted, atol=1e-3)
    assert not torch.allclose(merged, plain, atol=0.1)


def test_what_cant_be_merged(tmp_path: Path, dense: Path, base: Path) -> None:
    adapter = tiny.write_adapter(tmp_path / "east", seed=1)
    for place, said in ((base, "is quantized"), (tmp_path / "none", "holds no model"), (tmp_path / "a.gguf", "GGUF")):
        with pytest.raises(TrainingError, match=said):
            merge(adapter, place, tmp_path / "merged", lambda line: None)
    with pytest.raises(TrainingError, match="exists"):
        merge(adapter, dense, dense, lambda line: None)
    assert not (tmp_path / "merged").exists()
