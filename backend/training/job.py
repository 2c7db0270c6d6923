"""One training from the command to the finished style: gather, plan, train or go on, export."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from backend.errors import TrainingError
from backend.models.adapter_weights import read
from backend.models.adapters import linear_shapes
from backend.models.machine import free_memory, physical_cores
from backend.settings import ROOT, Settings
from backend.training import checkpoints, export, gathering, report
from backend.training.recipe import HUB_NAMES, Recipe
from backend.types import Style

if TYPE_CHECKING:
    from backend.models.dense import DenseModel
    from backend.models.sources import PreparedModel
    from backend.training.batches import Plan

_STATE = "run.json"
_ACTIVATION_BYTES = 3.2e6  # a token of a batch for 1.5 billion parameters, measured

log = logging.getLogger(__name__)
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What to train and where to."""

    style: Style
    recipe: Recipe
    target: Path  # folder of the finished style
    own: Path | None = None  # a file of poems in place of the corpus
    replace: bool = False
    fresh: bool = False  # throw an unfinished run away


def run(job: Job, settings: Settings, note: Note) -> Path:
    """Train, or go on with a run that was cut short; the finished style's folder.

    Raises:
        TrainingError: see each step; nothing half-made is left where the app would find it.
        ModelError: the base can't be had.
        AdapterError: the adapter to start from doesn't fit the base.
    """
    export.check_place(job.target, job.replace)
    material = gathering.gather(job.style, job.recipe, settings.cache, _list_folder(job, settings), job.own)
    folder = settings.cache / "training" / job.style.id
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            return _run(job, settings, material, folder, note)
    except Timeout as error:
        raise TrainingError(
            f"Another process is training {job.style.id}.", f"另一进程正在训练 {job.style.id}。"
        ) from error


def _list_folder(job: Job, settings: Settings) -> Path:
    """Where the style's list of held-out poems is, if it has one already."""
    place = settings.adapters / job.style.id
    return place if place.is_dir() else job.target


def _run(job: Job, settings: Settings, material: gathering.Material, folder: Path, note: Note) -> Path:
    import torch

    from backend.models.sources import resolve

    prepared = resolve(settings.model_copy(update={"model": job.recipe.base}))
    note(f"载入 {prepared.name} · Loading {prepared.name}")
    torch.set_num_threads(settings.threads or physical_cores())
    base = load_base(prepared, job.recipe)
    plan = gathering.plan(material, job.recipe, job.style, base.tokenizer)
    if not plan.training or not plan.validation:
        raise TrainingError(
            f"No poem is short enough for max_tokens = {job.recipe.max_tokens}.",
            f"max_tokens = {job.recipe.max_tokens} 太小，没有放得下的诗。",
        )
    _require_memory(job.recipe)
    _open_folder(job, folder, base, plan, note)
    outcome = _train(job, base, plan, folder, note)
    note(f"导出到 {job.target} · Exporting to {job.target}")
    with export.published(job.target) as partial:
        facts = {"name": base.name, "digest": base.digest}
        hub = HUB_NAMES.get(job.recipe.base, base.name)
        export.write_adapter(partial, folder / "best", job.style, facts, hub, material, job.target)
        report.write_papers(partial, job.style, job.recipe, material, outcome)
        read(partial, base.name, linear_shapes(base.model.config))
    shutil.rmtree(folder, ignore_errors=True)
    return job.target


def load_base(prepared: PreparedModel, recipe: Recipe) -> DenseModel:
    """The base as the recipe's ``precision`` asks: NF4 on a GPU, dense bfloat16 on a CPU."""
    import torch

    from backend.models.dense import DenseModel, load_dense
    from backend.models.loading import read_checkpoint

    wants_nf4 = recipe.precision == "nf4" or (recipe.precision == "auto" and torch.cuda.is_available())
    if not wants_nf4:
        return load_dense(prepared, torch.bfloat16)
    if not torch.cuda.is_available():
        raise TrainingError(
            'precision = "nf4" needs a CUDA GPU; on a CPU use "bf16".',
            'precision = "nf4" 需要 CUDA 显卡；CPU 上请用 "bf16"。',
        )
    model, tokenizer = read_checkpoint(prepared)
    return DenseModel(model, tokenizer, prepared.name, prepared.digest)


def _train(job: Job, base: DenseModel, plan: Plan, folder: Path, note: Note) -> report.Outcome:
    from backend.training.qlora import adapt, held_out_loss, make_trainer
    from backend.training.watching import Watch, read_history, recover_best, save_best

    start = start_of(job.recipe)
    if start is not None:
        read(start, base.name, linear_shapes(base.model.config))
    model = adapt(base, job.recipe, start)
    watch = Watch(job.recipe, [sum(map(len, batch)) for batch in plan.training], folder)
    trainer = make_trainer(model, base.tokenizer, job.recipe, plan, folder, watch)
    recover_best(folder)
    checkpoint = checkpoints.newest(folder)
    state = json.loads((folder / _STATE).read_text("utf-8"))
    if "before" not in state:
        note("训练前的留出损失 · Held-out loss before training")
        state["before"] = held_out_loss(model, trainer.eval_dataset)
        (folder / _STATE).write_text(json.dumps(state), "utf-8")
        save_best(model, folder, 0)
    watch.begin_with(state["before"])
    note(f"训练 {plan.tokens:,} 词元 · Training on {plan.tokens:,} tokens in {len(plan.training)} steps")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if watch.failure is not None:
        raise watch.failure
    history = read_history(folder)
    return report.Outcome(history, state["before"], watch.best, watch.best_step, len(plan.training), base.name)


def start_of(recipe: Recipe) -> Path | None:
    """The folder of the adapter to go on from; a relative one is looked for here, then in the project."""
    if recipe.start is None:
        return None
    for path in (Path(recipe.start), ROOT / recipe.start):
        if path.is_dir():
            return path.resolve()
    raise TrainingError(
        f"start = {recipe.start!r}: there is no such folder.", f"start = {recipe.start!r}：没有这个文件夹。"
    )


def _open_folder(job: Job, folder: Path, base: DenseModel, plan: Plan, note: Note) -> None:
    """Go on in the folder of a run that was cut short, if it is of the same recipe, base and poems."""
    state: dict[str, Any] = {"recipe": job.recipe.model_dump(), "base": base.digest or base.name}
    state["plan"] = [len(plan.training), plan.tokens]
    path = folder / _STATE
    if path.exists() and not job.fresh:
        try:
            old = json.loads(path.read_text("utf-8"))
        except ValueError:
            old = {}
        if {key: old.get(key) for key in state} == state:
            note("接着上次未完成的训练 · Going on with the unfinished run")
            return
        raise TrainingError(
            f"{folder} holds an unfinished run with other settings; give --fresh to throw it away.",
            f"{folder} 里有一次设置不同、尚未完成的训练；加上 --fresh 可弃之重来。",
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path.write_text(json.dumps(state), "utf-8")


def _require_memory(recipe: Recipe) -> None:
    """Refuse batches that this machine has no memory for."""
    needed = recipe.tokens_a_step * _ACTIVATION_BYTES * (0.3 if recipe.gradient_checkpointing else 1)
    free = free_memory()
    if needed > free:
        raise TrainingError(
            f"Batches of {recipe.tokens_a_step} tokens need about {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB of "
            "memory are free; lower tokens_a_step or set gradient_checkpointing = true.",
            f"每批 {recipe.tokens_a_step} 词元约需 {needed / 1e9:.1f} GB，可用内存为 {free / 1e9:.1f} GB；"
            "请调小 tokens_a_step 或设 gradient_checkpointing = true。",
        )
