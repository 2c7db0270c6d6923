"""``moyun train``: an adapter from a poet's poems; its data for other tools; a merge into a dense base."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from backend.errors import TrainingError
from backend.models.adapters import StyleRegistry
from backend.settings import Settings, load_settings
from backend.training.recipe import RECIPES, Recipe, read_recipe
from backend.training.subject import new_style
from backend.types import Style

ACTIONS = ("run", "data", "merge")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``moyun train``."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=ACTIONS,
        default="run",
        help="run: train (the default); data: write the pairs for other tools; merge: into an unquantized base",
    )
    parser.add_argument("--style", required=True, metavar="ID", help="the style, such as du_fu; a-z, 0-9 and _")
    parser.add_argument("--poet", metavar="NAME", help="for a new style: the poet in the corpus, such as 李白")
    parser.add_argument("--dynasty", help="for a new style, for its label")
    parser.add_argument("--name", help="for a new style: its English name (the id, in capitals)")
    parser.add_argument("--poems", type=Path, metavar="FILE", help="your own poems: txt, md, json or jsonl")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe (the style's own, or the default one)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the result goes")
    parser.add_argument("--replace", action="store_true", help="run: replace the style's weights")
    parser.add_argument("--fresh", action="store_true", help="run: throw an unfinished run away")
    parser.add_argument("--sharegpt", action="store_true", help="data: ShareGPT form in place of Alpaca")
    parser.add_argument("--base", type=Path, metavar="FOLDER", help="merge: the unquantized model")


def run(options: argparse.Namespace) -> int:
    """Exit codes: 0 done, 1 a failure."""
    settings = load_settings()
    if options.action == "merge":
        return _merge(options, settings)
    style = _style(options, settings)
    recipe = read_recipe(options.recipe or _usual_recipe(options.style))
    if options.action == "data":
        return _data(options, settings, style, recipe)
    # Threads that spin between two products take the cores from the rest of a step. OpenMP reads it as torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from backend.training.job import Job
    from backend.training.job import run as train

    target = (options.out or settings.adapters / style.id).absolute()
    place = train(Job(style, recipe, target, options.poems, options.replace, options.fresh), settings, _note)
    print(f"{place}: {(place / 'report.md').as_posix()}")
    return 0


def _style(options: argparse.Namespace, settings: Settings) -> Style:
    """The style that is there, or a new one for ``--poet`` or ``--poems``."""
    known = StyleRegistry(settings.adapters, None, None).styles.get(options.style)
    if known is not None and options.poet is None:
        return known
    if known is not None:
        raise TrainingError(
            f"The style {options.style} exists and has its poet; leave --poet out, or choose another name.",
            f"已有风格 {options.style}，诗人也已写明；请去掉 --poet，或换个名字。",
        )
    if options.poet is None and options.poems is None:
        raise TrainingError(
            f"There is no style {options.style}; give --poet or --poems to make one.",
            f"没有风格 {options.style}；请用 --poet 或 --poems 新建。",
        )
    return new_style(options.style, options.poet, options.dynasty, options.name)


def _usual_recipe(style: str) -> Path:
    own = RECIPES / f"{style}.toml"
    return own if own.is_file() else RECIPES / "default.toml"


def _data(options: argparse.Namespace, settings: Settings, style: Style, recipe: Recipe) -> int:
    from backend.training.dataset import make_pairs
    from backend.training.factory import write_data, write_yaml
    from backend.training.gathering import gather, passes_of

    material = gather(style, recipe, settings.cache, settings.adapters / style.id, options.poems)
    training = [pair for pairs in passes_of(material, recipe) for pair in pairs]
    held_out = make_pairs(material.parts.validation, material.words, recipe.mix, recipe.seed, 0)
    folder = options.out or Path("data") / style.id
    for path in write_data(folder, style, training, held_out, options.sharegpt):
        print(path)
    write_yaml(folder / f"{style.id}.yaml", style, recipe, len(training))
    print(folder / f"{style.id}.yaml")
    return 0


def _merge(options: argparse.Namespace, settings: Settings) -> int:
    from backend.training.merge import merge

    if options.base is None or options.out is None:
        raise TrainingError(
            "merge needs --base, a folder with an unquantized model, and --out.",
            "merge 需要 --base（未量化模型的文件夹）和 --out。",
        )
    folder = settings.adapters / options.style
    if not folder.is_dir():
        raise TrainingError(f"There is no style {options.style}.", f"没有风格 {options.style}。")
    proof = merge(folder, options.base, options.out.absolute(), _note)
    print(f"{options.out}: logits agree within {proof.largest:.2g}, their standard deviation is {proof.spread:.2g}")
    return 0


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
