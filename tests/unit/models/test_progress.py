"""Bars in the terminal."""

from __future__ import annotations

import pytest

from backend.models.progress import Bars, Progress


def test_a_bar_shows_what_is_done_how_much_and_how_fast(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars:
        bars(Progress("fetching", "取回", 0, 4 << 20))
        bars(Progress("fetching", "取回", 3 << 20, 4 << 20))
        bars(Progress("quantizing", "量化", 7, 10, "tensors"))
    shown = capsys.readouterr().err
    assert "取回 · fetching:  75%" in shown
    assert "3.00M/4.00M" in shown
    assert "B/s" in shown
    assert "量化 · quantizing:  70%" in shown
    assert "7/10" in shown


def test_a_total_that_is_learnt_later_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars:
        bars(Progress("reading", "读取", 0, 0, "tensors"))
        bars(Progress("reading", "读取", 1, 2, "tensors"))
    assert "50%" in capsys.readouterr().err
