"""What watches a run: the bar, the history, checkpoints by the clock, the best weights, and a stop in good time."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from backend.errors import TrainingError
from backend.models.machine import free_memory
from backend.training.fast_lora import give_back_memory
from backend.training.recipe import Recipe

HISTORY = "history.jsonl"
BEST = "best"
_RESERVE = 700 * 10**6  # bytes of memory that are left to the system
_MUCH = 0.8  # of the memory that the recipe allows


class Watch(TrainerCallback):  # type: ignore[misc]
    """Callbacks of one run in ``folder``.

    Args:
        sizes: tokens of each step's batch.
        folder: gets ``history.jsonl`` and ``best/``.
    """

    def __init__(self, recipe: Recipe, sizes: list[int], folder: Path) -> None:
        self.recipe, self.sizes, self.folder = recipe, sizes, folder
        self.failure: TrainingError | None = None
        self.best = float("inf")
        self.best_step = 0
        self._worse = 0
        self._model: Any = None
        self._bar: Any = None
        self._began = self._saved = self._step_began = time.monotonic()
        self._earlier = 0.0  # seconds before a resumption

    def spent(self) -> float:
        """Share of the recipe's minutes that is over, those before a resumption included."""
        return (self._earlier + time.monotonic() - self._began) / (60 * self.recipe.minutes)

    def begin_with(self, held_out: float) -> None:
        """The held-out loss before the first step: what is worse isn't kept."""
        self.best, self.best_step = held_out, 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Start the clock; after a resumption the history goes on where the checkpoint was."""
        self._model = given["model"]
        self._began = self._saved = self._step_began = time.monotonic()
        self._bar = tqdm(total=sum(self.sizes), initial=sum(self.sizes[: state.global_step]), unit="tok", smoothing=0.1)
        rows = [row for row in read_history(self.folder) if row["step"] <= state.global_step]
        self._earlier = sum(row.get("seconds", 0.0) for row in rows)
        for row in rows:
            self._note_best(row)
        write_history(self.folder, rows)

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Advance the bar; decide about evaluating, saving and stopping."""
        now = time.monotonic()
        size = self.sizes[state.global_step - 1]
        self._bar.update(size)
        self._seconds, self._step_began = now - self._step_began, now
        last = state.global_step >= len(self.sizes)
        if last or state.global_step % self.recipe.evaluate_every == 0:
            control.should_evaluate = True
        if now - self._saved >= self.recipe.checkpoint_minutes * 60:
            control.should_save, self._saved = True, now
        if self.spent() >= 1:
            control.should_evaluate = control.should_save = control.should_training_stop = True
        self._guard_memory(control)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **given: Any) -> None:
        """Keep losses, rates and speed."""
        logs = logs or {}
        if "loss" in logs:
            size = self.sizes[state.global_step - 1]
            row = {"step": state.global_step, "tokens": size, "seconds": round(self._seconds, 2), "loss": logs["loss"]}
            row["learning_rate"] = logs.get("learning_rate", 0.0)
            self._append(row)
            self._bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **given: Any) -> None:
        """Keep the weights if they are the best so far; stop after ``patience`` evaluations that were not."""
        row = {"step": state.global_step, "held_out": round(metrics["eval_loss"], 5)}
        if self._note_best(row):
            save_best(self._model, self.folder, state.global_step)
        self._append(row)
        self._bar.set_postfix(held_out=f"{row['held_out']:.3f}")
        if self._worse >= self.recipe.patience:
            control.should_training_stop = True
        self._step_began = time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Seal the checkpoint, so that one that a kill cut short is known."""
        from backend.training.checkpoints import seal

        seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self._step_began = time.monotonic()

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Close the bar."""
        self._bar.close()

    def _note_best(self, row: dict[str, Any]) -> bool:
        if "held_out" not in row:
            return False
        if row["held_out"] < self.best:
            self.best, self.best_step, self._worse = row["held_out"], row["step"], 0
            return True
        self._worse += 1
        return False

    def _append(self, row: dict[str, Any]) -> None:
        with (self.folder / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _guard_memory(self, control: Any) -> None:
        """Give freed memory back where much is held; stop with a checkpoint before the system kills the process, or
        before the recipe's bound is passed."""
        if _resident() > _MUCH * self.recipe.memory_gb * 1e9:
            give_back_memory()
        used = _resident()
        free = free_memory()
        if free >= _RESERVE and used <= self.recipe.memory_gb * 1e9:
            return
        control.should_save = control.should_training_stop = True
        self.failure = TrainingError(
            f"Memory is nearly spent ({used / 1e9:.1f} GB used, {free / 1e9:.1f} GB free); a checkpoint was saved. "
            "Lower tokens_a_step or set gradient_checkpointing = true, then start again.",
            f"内存将尽（已用 {used / 1e9:.1f} GB，剩余 {free / 1e9:.1f} GB），检查点已保存。"
            "请调小 tokens_a_step 或设 gradient_checkpointing = true，再重新开始。",
        )


def _resident() -> int:
    """Bytes of memory that this process holds; 0 where the system doesn't say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def save_best(model: Any, folder: Path, step: int) -> None:
    """Keep the adapter as it is now, in place of the best before it."""
    import shutil

    partial, best, old = folder / f".{BEST}.partial", folder / BEST, folder / f".{BEST}.old"
    for remains in (partial, old):
        shutil.rmtree(remains, ignore_errors=True)
    model.save_pretrained(str(partial), save_embedding_layers=False)
    (partial / "step").write_text(str(step), "utf-8")
    if best.exists():
        best.rename(old)
    partial.rename(best)
    shutil.rmtree(old, ignore_errors=True)


def recover_best(folder: Path) -> None:
    """Put back the best weights that a kill caught between two renames."""
    best, old = folder / BEST, folder / f".{BEST}.old"
    if old.exists() and not best.exists():
        old.rename(best)


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The rows of a run, a torn last line left out."""
    try:
        lines = (folder / HISTORY).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def write_history(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Replace the history."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{HISTORY}.partial"
    partial.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    partial.replace(folder / HISTORY)
