"""Poems without meaning and a tiny base to train on: everything real but the size."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests import tiny

CHARACTERS = "春江潮水连海平明月共生床前光疑是地上霜举头望低思故乡山风云花鸟雨雪天人心"


def write_poems(path: Path, number: int) -> Path:
    """Quatrains of random characters, each with a title, apart by empty lines."""
    chance = random.Random(7)
    blocks = []
    for index in range(number):
        a, b, c, d = ("".join(chance.sample(CHARACTERS, 5)) for _ in range(4))
        blocks.append(f"题{CHARACTERS[index % len(CHARACTERS)]}\n{a}，{b}。\n{c}，{d}。\n")
    path.write_text("\n".join(blocks), "utf-8")
    return path


@pytest.fixture
def poems(tmp_path: Path) -> Path:
    """A user's file of 60 poems."""
    return write_poems(tmp_path / "poems.txt", 60)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a prepared NF4 checkpoint."""
    import torch
    from transformers import BitsAndBytesConfig, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("bases")
    loaded = tiny.make_model()
    dense = folder / "dense"
    loaded.model.to(torch.bfloat16).save_pretrained(dense)
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=[],
    )
    place = folder / tiny.NAME
    Qwen2ForCausalLM.from_pretrained(dense, quantization_config=config, dtype=torch.bfloat16).save_pretrained(place)
    loaded.tokenizer.save_pretrained(place)
    return place


@pytest.fixture
def recipe_file(tmp_path: Path, base: Path) -> Path:
    """A recipe of a dozen steps."""
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'base = "{base}"\nrank = 4\nalpha = 8\npasses = 1.0\ntokens_a_step = 512\nlearning_rate = 5e-3\n'
        "evaluate_every = 4\ncheckpoint_minutes = 0.0001\n",
        "utf-8",
    )
    return path
