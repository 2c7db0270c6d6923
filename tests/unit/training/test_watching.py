"""Memory is watched at every step: what is free goes back to the system first, then the run stops with a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState

from backend.training import watching
from backend.training.recipe import Recipe
from backend.training.watching import Watch


class Machine:
    """Holds as much memory as a test says, some of it freed by the run already."""

    def __init__(self, held: float, freed: float) -> None:
        self.held, self.freed = held * 1e9, freed * 1e9
        self.given_back = 0

    def resident(self) -> int:
        return int(self.held)

    def give_back(self) -> None:
        self.given_back += 1
        self.held -= self.freed


def after_a_step(machine: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Watch, TrainerControl]:
    monkeypatch.setattr(watching, "_resident", machine.resident)
    monkeypatch.setattr(watching, "give_back_memory", machine.give_back)
    monkeypatch.setattr(watching, "free_memory", lambda: 10**10)
    watch = Watch(Recipe(memory_gb=10.0), [100, 100], folder)
    state, control = TrainerState(global_step=0), TrainerControl()
    watch.on_train_begin(None, state, control, model=None)
    state.global_step = 1
    watch.on_step_end(None, state, control)
    watch.on_train_end(None, state, control)
    return watch, control


def test_little_memory_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(held=7, freed=3)
    watch, control = after_a_step(machine, tmp_path, monkeypatch)
    assert (machine.given_back, watch.failure, control.should_training_stop) == (0, None, False)


def test_what_is_freed_is_given_back_before_a_run_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(held=11, freed=3)
    watch, control = after_a_step(machine, tmp_path, monkeypatch)
    assert (machine.given_back, watch.failure, control.should_training_stop) == (1, None, False)


def test_a_run_that_holds_too_much_stops_with_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch, control = after_a_step(Machine(held=14, freed=3), tmp_path, monkeypatch)
    assert control.should_save
    assert control.should_training_stop
    assert watch.failure is not None
    assert "11.0 GB used" in watch.failure.en
    assert "11.0 GB" in watch.failure.zh
