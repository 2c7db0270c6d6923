"""Runs ``moyun serve`` as a process of its own and reads what it recorded."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(done: Callable[[], Any], seconds: float = 15.0, what: str = "it") -> Any:
    """The first true value of ``done``; fails when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := done():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Server:
    """One serving process. ``environment`` adds ``MOYUN_*`` variables."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *options: str,
        seconds: float = 40.0,
        wait: bool = True,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.record_path = folder / "record.jsonl"
        self.log_path = folder / "server.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MOYUN_")}
        given = {"MOYUN_PORT": str(self.port), "MOYUN_RECORD": str(self.record_path), **environment}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "backend.cli", "serve", *options],
                cwd=ROOT,
                env=kept | given,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(self.is_ready if wait else self.is_alive, seconds, "the server's start")
        except BaseException:
            self.close()
            raise

    def is_ready(self) -> bool:
        """Whether it can write."""
        return self._answers("/ready")

    def is_alive(self) -> bool:
        """Whether it serves, perhaps without a model yet."""
        return self._answers("/health")

    def _answers(self, path: str) -> bool:
        assert self.process.poll() is None, f"the server ended: {self.log()}"
        try:
            with urlopen(self.url + path, timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def log(self) -> str:
        """What it has written to its terminal."""
        return self.log_path.read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the record."""
        if not self.record_path.exists():
            return []
        return [json.loads(line) for line in self.record_path.read_text(encoding="utf-8").splitlines()]

    def answers(self) -> list[dict[str, Any]]:
        """The recorded answers."""
        return [line for line in self.lines() if "text" in line]

    def next_answer(self, known: int, seconds: float = 30.0) -> dict[str, Any]:
        """The first answer after ``known`` earlier ones, as soon as it is recorded."""
        wait_until(lambda: len(self.answers()) > known, seconds, "a recorded answer")
        return self.answers()[known]

    def close(self) -> None:
        """End the process as a writer would: with Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
