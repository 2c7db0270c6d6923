"""What the machine has, within the limits that a container sets."""

from __future__ import annotations

import os
from pathlib import Path

from backend.models import machine


def test_cores_are_those_that_this_process_may_use(tmp_path: Path) -> None:
    assert 1 <= machine.physical_cores(tmp_path) <= (os.cpu_count() or 1)


def test_a_container_limits_the_cores(tmp_path: Path) -> None:
    free = machine.physical_cores(tmp_path)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine.physical_cores(tmp_path) == free
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert machine.physical_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert machine.physical_cores(tmp_path) == 1


def test_a_container_limits_the_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory(tmp_path) > 10**8
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("3000\n")
    assert machine.free_memory(tmp_path) == 2000


def test_a_hub_that_nobody_serves_does_not_answer() -> None:
    assert not machine._answers("http://127.0.0.1:9")
