"""Tiny stand-ins that real code can't tell from the real thing: a model, a tokenizer, adapters. All made on the fly."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

NAME = "tiny"
VOCABULARY = 512
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# Some characters become whole tokens and most stay bytes, as in a real vocabulary.
TEXT = [
    "春江潮水连海平，海上明月共潮生。",
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。",
    "system user assistant\n",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STYLE = """
poem_prompt = "你是诗人。"
[name]
zh = "诗人"
en = "Poet"
[persona]
zh = "你以诗人的口吻作答。"
en = "You answer as a poet."
"""
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@cache
def make_tokenizer() -> Any:
    """A byte-level BPE of at most 512 tokens with ChatML's markers."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[0],
        additional_special_tokens=[SPECIAL[1]],
        chat_template=CHAT_TEMPLATE,
    )


def make_config() -> Any:
    """Two layers of Qwen2, wide enough for 4-bit blocks."""
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
    )


def make_model(seed: int = 0) -> LoadedModel:
    """A random model of :func:`make_config` in float32, in eval mode."""
    import torch
    from transformers import Qwen2ForCausalLM

    from backend.models.loading import LoadedModel

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(make_config()).to(torch.float32)
        for parameter in model.parameters():  # large enough that the next token isn't a coin toss
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    return LoadedModel(model.eval().requires_grad_(False), make_tokenizer(), "cpu", NAME, None, "float32")


def write_style(folder: Path, text: str = STYLE) -> Path:
    """A style that is a prompt alone."""
    folder.mkdir(parents=True)
    (folder / "style.toml").write_text(text, "utf-8")
    return folder


def write_adapter(folder: Path, rank: int = 4, seed: int = 0, **options: Any) -> Path:
    """A style with a random adapter for the tiny model, written by PEFT; ``options`` go to its LoraConfig."""
    import torch
    from peft import LoraConfig, get_peft_model

    write_style(folder, STYLE + f'[base]\nname = "{NAME}"\n')
    config = LoraConfig(
        **{"r": rank, "lora_alpha": 2 * rank, "target_modules": LINEAR, "task_type": "CAUSAL_LM"} | options
    )
    model = get_peft_model(make_model().model, config)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:  # zero at the start of a training
                torch.nn.init.normal_(parameter, std=0.05)
    model.peft_config["default"].base_model_name_or_path = NAME
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    return folder
