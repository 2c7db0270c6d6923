"""Does the real LLaMA-Factory take our data and settings? Three steps on a tiny model, in an environment of its own.

    python -m venv lf && lf/bin/pip install llamafactory==0.9.5
    python -m benchmarks.llamafactory lf/bin/llamafactory-cli

Exit code 0: it trained, and our registry takes the adapter that it wrote.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from backend.models.adapters import StyleRegistry
from backend.training.dataset import Pair
from backend.training.export import style_toml
from backend.training.factory import write_data, write_yaml
from backend.training.recipe import Recipe
from backend.training.subject import new_style
from tests import tiny

_POEM = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"


def run(command: str, folder: Path, as_sharegpt: bool) -> bool:
    """Train with ``command`` in ``folder``; whether an adapter came out that a registry takes."""
    loaded = tiny.make_model()
    loaded.model.save_pretrained(folder / tiny.NAME)
    loaded.tokenizer.save_pretrained(folder / tiny.NAME)
    style = new_style("mine", "王之涣")
    pairs = [Pair("title", f"以《登鹳雀楼》为题写一首五言绝句，其{n}", _POEM, n) for n in range(40)]
    data = folder / "data"
    write_data(data, style, pairs, pairs[:4], as_sharegpt)
    settings = data / "mine.yaml"
    write_yaml(settings, style, Recipe(evaluate_every=2), len(pairs), model=str(folder / tiny.NAME))
    finished = subprocess.run([command, "train", str(settings), "max_steps=3"], cwd=folder)
    if finished.returncode:
        return False
    place = folder / "adapters" / "mine"
    place.mkdir(parents=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(data / "mine_adapter" / name, place)
    (place / "style.toml").write_text(style_toml(style, {"name": tiny.NAME}), "utf-8")
    registry = StyleRegistry.discover(place.parent, tiny.NAME, None, tiny.make_config())
    for error in registry.rejected.values():
        print(error.en, file=sys.stderr)
    return "mine" in registry.styles


def main() -> int:
    """Both forms of data."""
    parser = argparse.ArgumentParser(description="Try LLaMA-Factory on a tiny model.")
    parser.add_argument("command", help="llamafactory-cli of an environment of its own")
    options = parser.parse_args()
    command = str(Path(options.command).absolute())
    good = True
    for as_sharegpt in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            done = run(command, Path(folder), as_sharegpt)
        print(f"{'ShareGPT' if as_sharegpt else 'Alpaca'}: {'taken' if done else 'NOT taken'}")
        good &= done
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
