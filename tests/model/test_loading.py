"""The embedded model as it is prepared: the right weights, and sane answers through plain transformers."""

from __future__ import annotations

import json
import time

import pytest

from backend.models.adapters import StyleRegistry, linear_shapes
from backend.models.loading import LoadedModel, load
from backend.models.packages import PackagedFile
from backend.models.sources import PreparedModel
from backend.settings import load_settings


def test_every_linear_layer_is_in_4_bits_and_the_embedding_is_not(loaded_model: LoadedModel) -> None:
    import torch
    from bitsandbytes.nn import Linear4bit

    if loaded_model.weights != "nf4":
        pytest.skip(f"this processor gets {loaded_model.weights}")
    model = loaded_model.model
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    assert len(linear) == 28 * 7 + 1
    assert all(isinstance(module, Linear4bit) for module in linear)
    assert {module.weight.dtype for module in linear} == {torch.uint8}
    assert {module.compute_dtype for module in linear} == {torch.bfloat16}
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    assert not model.training


def test_the_tokenizer_renders_the_trained_prompt(loaded_model: LoadedModel) -> None:
    messages = [
        {"role": "system", "content": "你是诗人杜甫。"},
        {"role": "user", "content": "以《江村》为题写一首七言律诗"},
    ]
    text = loaded_model.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>system\n你是诗人杜甫。<|im_end|>\n"
        "<|im_start|>user\n以《江村》为题写一首七言律诗<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_most_probable_answer_is_sane(prepared_model: PreparedModel) -> None:
    import torch

    loaded = load(prepared_model, 0)  # of its own: a forward repacks the weights
    inputs = loaded.tokenizer.apply_chat_template(
        [{"role": "user", "content": "法国的首都是哪座城市？只答城市名。"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    ).to(loaded.device)
    with torch.inference_mode():
        output = loaded.model.generate(**inputs, max_new_tokens=8, do_sample=False)
    answer = loaded.tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert "巴黎" in answer


def test_both_poets_fit_the_embedded_model(loaded_model: LoadedModel) -> None:
    registry = StyleRegistry.discover(
        load_settings({}).adapters, loaded_model.name, loaded_model.digest, loaded_model.model.config
    )
    assert registry.rejected == {}
    assert registry.styles["du_fu"].adapter
    assert registry.styles["su_shi"].adapter
    shapes = linear_shapes(loaded_model.model.config)
    assert shapes["model.layers.27.mlp.down_proj"] == (1536, 8960)


def test_the_digest_is_that_of_the_shipped_table_and_of_the_styles(prepared_model: PreparedModel) -> None:
    assert prepared_model.digest == PackagedFile.read().sha256
    config = json.loads((prepared_model.path / "config.json").read_text())
    assert config["tie_word_embeddings"] is False
    assert config["quantization_config"]["bnb_4bit_quant_type"] == "nf4"
    assert config["quantization_config"]["llm_int8_skip_modules"] == []


def test_a_warm_load_takes_seconds(prepared_model: PreparedModel) -> None:
    start = time.perf_counter()
    load(prepared_model, 0)
    assert time.perf_counter() - start < 10  # the whole start has 15
