"""How the weights are held, by what the processor has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend.errors import LoadingError
from backend.models import loading
from backend.models.loading import load, suitable_weights
from backend.models.machine import Processor
from backend.models.sources import PreparedModel
from tests import tiny

BILLION = 10**9


@pytest.mark.parametrize(
    ("processor", "weights"),
    [
        (Processor(has_cuda=False, has_avx512_bf16=True, free_bytes=4 * BILLION), "nf4"),
        (Processor(has_cuda=True, has_avx512_bf16=False, free_bytes=4 * BILLION), "nf4"),
        (Processor(has_cuda=False, has_avx512_bf16=False, free_bytes=16 * BILLION), "float32"),
        (Processor(has_cuda=False, has_avx512_bf16=False, free_bytes=6 * BILLION), "bfloat16"),
        (Processor(has_cuda=False, has_avx512_bf16=False, free_bytes=2 * BILLION), "nf4"),
    ],
)
def test_the_weights_suit_the_processor_and_the_memory(processor: Processor, weights: str) -> None:
    assert suitable_weights(processor, 3 * BILLION // 2) == weights


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedModel:
    """The tiny model in 4 bits, saved as a preparation saves it."""
    import torch
    from transformers import BitsAndBytesConfig, Qwen2ForCausalLM

    dense = tiny.make_model().model
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=[],
    )
    model = Qwen2ForCausalLM.from_pretrained(
        None, config=dense.config, state_dict=dense.state_dict(), dtype=torch.bfloat16, quantization_config=config
    )
    model.save_pretrained(tmp_path / "model")
    tiny.make_tokenizer().save_pretrained(tmp_path / "model")
    return PreparedModel("Tiny", tmp_path / "model", None, ("", ""))


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "nf4"])
def test_a_model_without_fast_4_bit_products_is_loaded_dense(
    prepared: PreparedModel, weights: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    free = {"float32": 10**9, "bfloat16": 5 * 10**5, "nf4": 10**9}[weights]
    processor = Processor(has_cuda=False, has_avx512_bf16=weights == "nf4", free_bytes=free)
    monkeypatch.setattr(loading, "this_processor", lambda: processor)
    with caplog.at_level("INFO"):
        loaded = load(prepared, 1)
    assert loaded.weights == weights
    assert ("AVX-512 BF16" in caplog.text) == (weights != "nf4")
    assert torch.get_num_threads() == 1
    if weights != "nf4":
        kinds = {parameter.dtype for parameter in loaded.model.parameters()}
        assert kinds == {getattr(torch, weights)}
        with torch.inference_mode():
            assert loaded.model(torch.tensor([[1, 2, 3]])).logits.isfinite().all()


def test_files_that_cannot_be_loaded_end_in_one_sentence(prepared: PreparedModel) -> None:
    (prepared.path / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(LoadingError, match="delete that folder") as caught:
        load(prepared, 1)
    assert "\n" not in caught.value.en
    assert "不能加载" in caught.value.zh


def test_the_notice_about_a_kernel_on_a_hub_is_not_shown(prepared: PreparedModel) -> None:
    code = (
        "from pathlib import Path\n"
        "from backend.models.loading import load\n"
        "from backend.models.sources import PreparedModel\n"
        f"load(PreparedModel('Tiny', Path({str(prepared.path)!r}), None, ('', '')), 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("", "")
