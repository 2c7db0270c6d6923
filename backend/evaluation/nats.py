"""How probable poets' own poems are under each adapter: nats a Chinese character of poems that none was trained on.

Every poem is asked for as its poet's adapter was trained, under every column alike: the base without an adapter, and
each adapter on it. Nats of all tokens of the poem, marks and line breaks included, over its Chinese characters, so that
tokenizers don't matter. The weights are those that serve, dense, in bfloat16.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.chat.prompts import poem_messages
from backend.evaluation.poems import progress, weights_of
from backend.evaluation.scoring import Scorer, Task, count_characters, score
from backend.prosody.catalog import find_form
from backend.types import Style

if TYPE_CHECKING:
    from backend.models.dense import DenseModel
    from backend.training.verse import Verse

BASE = "base"
RESAMPLES = 5000  # of the bootstrap
Floats = NDArray[np.float64]


class Group(NamedTuple):
    """Held-out poems that are averaged: a poet's shi, or ci."""

    style: str
    kind: str

    def __str__(self) -> str:
        return f"{self.style} {self.kind}"


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and where 95 in 100 resamples of the poems put it."""

    value: float
    low: float
    high: float

    def to_json(self) -> list[float]:
        """[value, low, high] to three places."""
        return [round(number, 3) for number in (self.value, self.low, self.high)]


@dataclass(frozen=True, slots=True)
class Row:
    """One poet's poems under every column."""

    characters: Floats  # (poems,)
    nats: Mapping[str, Floats]  # column -> (poems,), of whole poems

    def mean(self, column: str) -> float:
        """Nats a character of all poems together."""
        return float(self.nats[column].sum() / self.characters.sum())

    def best(self) -> str:
        """The column under which the poems are most probable."""
        return min(self.nats, key=self.mean)

    def gain(self, over: str, column: str) -> Interval:
        """Nats a character by which the poems are more probable under ``column`` than ``over`` another.

        The interval is a paired bootstrap's over poems (Efron 1979): the same poems are drawn for both.
        """
        differences = self.nats[over] - self.nats[column]
        drawn = np.random.default_rng(0).integers(len(differences), size=(RESAMPLES, len(differences)))
        resampled = differences[drawn].sum(axis=1) / self.characters[drawn].sum(axis=1)
        low, high = np.quantile(resampled, (0.025, 0.975))
        return Interval(float(differences.sum() / self.characters.sum()), float(low), float(high))


class AdapterScorers:
    """One dense base with several adapters on it, and a scorer under each.

    Args:
        dense: the base; PEFT puts its layers into it.
        adapters: name -> folder of PEFT weights.
    """

    def __init__(self, dense: DenseModel, adapters: Mapping[str, Path]) -> None:
        self._scorer = Scorer(dense)
        self._peft: Any = None
        for name, folder in adapters.items():
            self._add(dense, name, folder)

    def _add(self, dense: DenseModel, name: str, folder: Path) -> None:
        from peft import PeftModel

        if self._peft is None:
            self._peft = PeftModel.from_pretrained(dense.model, str(folder), name, autocast_adapter_dtype=False).eval()
        else:
            self._peft.load_adapter(str(folder), name, autocast_adapter_dtype=False)

    def under(self, name: str | None) -> _Under:
        """The scorer under an adapter, or under the base alone."""
        return _Under(self._scorer, self._peft, name)


class _Under:
    """Scores with one adapter switched on."""

    def __init__(self, scorer: Scorer, peft: Any, name: str | None) -> None:
        self._scorer, self._peft, self._name = scorer, peft, name

    def nats(self, tasks: Sequence[Task]) -> list[float]:
        with ExitStack() as stack:
            if self._peft is not None and self._name is None:
                stack.enter_context(self._peft.disable_adapter())
            elif self._name is not None:
                self._peft.set_adapter(self._name)
            return self._scorer.nats(tasks)


def rows(
    poems: Mapping[Group, Sequence[Verse]],
    styles: Mapping[str, Style],
    columns: Mapping[str, Style | None],
    cache: Path,
    load: Callable[[Mapping[str, Path]], AdapterScorers],
) -> dict[Group, Row]:
    """Score every poet's poems under every column; what the cache has is not computed again.

    Args:
        poems: held-out poems of each poet.
        styles: style -> whose prompt asks for them.
        columns: name -> the style whose adapter is on; None is the base.
        cache: folder of the scores, one file for each set of weights.
        load: makes the scorers when the first score is lacking.
    """
    cache.mkdir(parents=True, exist_ok=True)
    tasks = {group: [_task(styles[group.style], verse) for verse in verses] for group, verses in poems.items()}
    adapters = {name: style.adapter for name, style in columns.items() if style is not None and style.adapter}
    loaded: list[AdapterScorers] = []

    def scorer(name: str | None) -> Any:
        if not loaded:
            loaded.append(load(adapters))
        return loaded[0].under(name)

    scores: dict[Group, dict[str, Floats]] = {group: {} for group in poems}
    everything = [task for group in poems for task in tasks[group]]
    for column, style in columns.items():
        weights = BASE if style is None else weights_of(style)
        path = cache / f"nats-{weights}.jsonl"
        under = column if column in adapters else None
        values = iter(score(everything, path, progress(column), lambda under=under: scorer(under)))  # type: ignore[misc]
        for group in poems:
            means = [next(values) or 0.0 for _ in tasks[group]]
            scores[group][column] = np.array(means) * _characters(tasks[group])
    return {group: Row(_characters(tasks[group]), scores[group]) for group in poems}


def _task(style: Style, verse: Verse) -> Task:
    return poem_messages(style, verse.form, title=verse.title), verse.text


def _characters(tasks: Iterable[Task]) -> Floats:
    return np.array([count_characters(text) for _, text in tasks], dtype=np.float64)


def grouped(poems: Mapping[str, Sequence[Verse]], most: int) -> dict[Group, list[Verse]]:
    """Poems by style, parted into shi and ci (the two differ too much for one mean), at most ``most`` of each.

    They are drawn at random, but always the same; with a larger ``most`` the same and others.
    """
    groups: dict[Group, list[Verse]] = {}
    for style, verses in poems.items():
        for verse in verses:
            kind = "ci" if find_form(verse.form).kind == "ci" else "shi"
            groups.setdefault(Group(style, kind), []).append(verse)
    return {group: random.Random(0).sample(verses, len(verses))[:most] for group, verses in groups.items()}


def describe(found: Mapping[Group, Row], before: str) -> list[dict[str, Any]]:
    """The matrix, and what each poet's own adapter gains, as JSON.

    Args:
        before: what is added to a style's id to name the column of its earlier adapter.
    """
    table = []
    for group, row in found.items():
        others = [name for name in row.nats if name not in (BASE, group.style) and not name.endswith(before)]
        over = {BASE: BASE} | {name: name for name in others}
        if group.style + before in row.nats:
            over["before"] = group.style + before
        table.append(
            {
                "style": group.style,
                "kind": group.kind,
                "poems": len(row.characters),
                "characters": int(row.characters.sum()),
                "nats": {column: round(row.mean(column), 3) for column in row.nats},
                "best": row.best(),
                "gain_over": {name: row.gain(column, group.style).to_json() for name, column in over.items()},
            }
        )
    return table
