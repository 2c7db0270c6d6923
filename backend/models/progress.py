"""How far a fetch or a preparation is: what is reported, and bars in the terminal that show it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["bytes", "tensors", "files"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One report: ``done`` of ``total`` units of a job; a total of 0 means that it isn't known."""

    en: str  # what is being done
    zh: str
    done: int = 0
    total: int = 0
    unit: Unit = "bytes"


Report = Callable[[Progress], None]


class Bars:
    """Progress bars on standard error, one after the other: job, bytes, rate and time left."""

    def __init__(self) -> None:
        self._bar: Any = None  # tqdm, which has no types
        self._job = ""

    def __call__(self, progress: Progress) -> None:
        """Draw a report; a new job closes the bar of the one before."""
        if progress.en != self._job or self._bar is None:
            self.close()
            self._job, self._bar = progress.en, self._open(progress)
        self._bar.total = progress.total or None
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        """End the current bar, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _open(progress: Progress) -> Any:
        from tqdm import tqdm

        in_bytes = progress.unit == "bytes"
        return tqdm(
            desc=f"{progress.zh} · {progress.en}",
            total=progress.total or None,
            initial=progress.done,  # what an earlier run brought doesn't count for the rate
            unit="B" if in_bytes else f" {progress.unit}",
            unit_scale=in_bytes,
            unit_divisor=1024,
            dynamic_ncols=True,
            mininterval=0.1 if sys.stderr.isatty() else 10,  # seconds; a log needn't see every step
        )


def silent(_: Progress) -> None:
    """A report that nobody reads."""
