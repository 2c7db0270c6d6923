"""What a training did, for a person: a loss curve, a report, and the card of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.training.gathering import Material
from backend.training.recipe import Recipe
from backend.types import Style

CURVE, REPORT, CARD = "loss.png", "report.md", "README.md"
_SMOOTH = 0.9  # share of the past in the smoothed loss


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run."""

    history: Sequence[Mapping[str, Any]]
    before: float  # held-out nats a token before the first step
    best: float
    best_step: int
    steps: int  # that were planned
    base: str

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """One row a step that was run."""
        return [row for row in self.history if "loss" in row]

    @property
    def tokens(self) -> int:
        """Tokens trained on, prompts included."""
        return sum(int(row["tokens"]) for row in self.rows)

    @property
    def seconds(self) -> float:
        """Time in training steps."""
        return float(sum(row["seconds"] for row in self.rows))


def draw_curve(outcome: Outcome, path: Path) -> bool:
    """The loss by step as a PNG; False where matplotlib isn't installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    steps, losses = [row["step"] for row in outcome.rows], [row["loss"] for row in outcome.rows]
    axes.plot(steps, losses, color="0.75", linewidth=0.8, label="batch")
    axes.plot(steps, _smoothed(losses), color="black", label="batch, smoothed")
    held = [(row["step"], row["held_out"]) for row in outcome.history if "held_out" in row]
    axes.plot([step for step, _ in held], [loss for _, loss in held], "o-", color="firebrick", label="held out")
    axes.set(xlabel="step", ylabel="nats per token")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
    return True


def _smoothed(values: Sequence[float]) -> list[float]:
    found: list[float] = []
    mean = weight = 0.0
    for value in values:
        mean, weight = _SMOOTH * mean + (1 - _SMOOTH) * value, _SMOOTH * weight + (1 - _SMOOTH)
        found.append(mean / weight)
    return found


def write_papers(folder: Path, style: Style, recipe: Recipe, material: Material, outcome: Outcome) -> None:
    """Curve, report and card, beside the adapter."""
    drawn = draw_curve(outcome, folder / CURVE)
    (folder / REPORT).write_text(_report(style, recipe, material, outcome, drawn), "utf-8")
    (folder / CARD).write_text(_card(style, recipe, material, outcome), "utf-8")


def _report(style: Style, recipe: Recipe, material: Material, outcome: Outcome, drawn: bool) -> str:
    held = [row for row in outcome.history if "held_out" in row]
    parts = material.parts
    settings = "\n".join(f"| {key} | {value} |" for key, value in _settings(recipe))
    losses = "\n".join(f"| {row['step']} | {row['held_out']:.4f} |" for row in held)
    left_out = "，".join(f"{reason} {count}" for reason, count in material.left_out.most_common()) or "none"
    picture = f"![loss]({CURVE})" if drawn else "No picture: matplotlib isn't installed (`pip install 'moyun[train]'`)."
    return f"""# Training of {style.id}

| what | figure |
| --- | --- |
| poems: training, validation, proof | {len(parts.training)}, {len(parts.validation)}, {len(parts.proof)} |
| poems left out | {left_out} |
| steps run, planned | {len(outcome.rows)}, {outcome.steps} |
| tokens, prompts included | {outcome.tokens:,} |
| minutes in steps | {outcome.seconds / 60:.1f} |
| tokens a second | {outcome.tokens / outcome.seconds if outcome.seconds else 0:.1f} |
| held-out nats a token, before | {outcome.before:.4f} |
| held-out nats a token, best | {outcome.best:.4f} (step {outcome.best_step}) |

{picture}

| step | held-out nats a token |
| --- | --- |
| 0 | {outcome.before:.4f} |
{losses}

## Recipe

| key | value |
| --- | --- |
{settings}
"""


def _card(style: Style, recipe: Recipe, material: Material, outcome: Outcome) -> str:
    start = f", continued from `{recipe.start}`" if recipe.start else ""
    return f"""# {style.name["zh"]} · {style.name["en"]}

A PEFT LoRA adapter for {outcome.base}, trained by `moyun train` (`{REPORT}` has the settings and the curve).

| | |
| --- | --- |
| rank, alpha, dropout | {recipe.rank}, {recipe.alpha}, {recipe.dropout} |
| modules | all linear layers of the blocks: q, k, v, o, gate, up, down |
| format | bfloat16 safetensors |
| trained on | {len(material.parts.training):,} poems, {outcome.tokens:,} tokens{start} |
| loss | on the poem alone; nats a token on {len(material.parts.validation)} other poems: \
{outcome.before:.3f} before, {outcome.best:.3f} after |
| prompt | system `{style.poem_prompt}`; user `以《题》为题写一首七言律诗，押尤韵`, `以秋思为题填一首水调歌头` |
| never trained on | the poems in `held_out.json` |

It is for poems. Questions are put to the base model with the persona in `style.toml`.
"""


def _settings(recipe: Recipe) -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for key, value in recipe.model_dump().items():
        flat += [(f"mix.{name}", share) for name, share in value.items()] if isinstance(value, dict) else [(key, value)]
    return flat
