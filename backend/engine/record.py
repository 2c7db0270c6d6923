"""The engine's own record: what each finished candidate really ran with, one JSON line each."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from backend.types import GenerationRequest, Usage


class Record:
    """Appends to a file, or does nothing where there is none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, request: GenerationRequest, candidate: int, reason: str, usage: Usage, text: str) -> None:
        """Write one candidate's line."""
        if self._path is None:
            return
        line = {
            "id": request.id,
            "candidate": candidate,
            "session": request.session,
            "adapter": request.adapter,
            **asdict(request.samplings[candidate]),
            "seed": request.seeds[candidate],
            **asdict(usage),
            "reason": reason,
            "text": text,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
