"""First-token time and tokens per second of ``moyun generate``, and how long a warm start takes.

    .venv/bin/python benchmarks/generate.py [RUNS]

Each run is a process of its own: it loads the prepared model and writes one poem. Medians over the runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

COMMAND = [sys.executable, "-m", "backend.cli", "generate", "--style", "du_fu", "--topic", "秋思", "--form", "七律"]


def one_run(seed: int) -> dict[str, float]:
    """A poem in a process of its own; seconds and rates."""
    begin = time.perf_counter()
    done = subprocess.run(
        [*COMMAND, "--seed", str(seed), "--json"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    whole = time.perf_counter() - begin
    poem = json.loads(done.stdout)
    return {
        "start": whole - poem["seconds"],
        "first token": poem["first_token_seconds"],
        "tokens per second": poem["tokens_per_second"],
    }


def main() -> None:
    """Run and print."""
    runs = [one_run(seed) for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)]
    for name in runs[0]:
        unit = "" if name == "tokens per second" else " s"
        print(f"{name}: {median(run[name] for run in runs):.2f}{unit}")


if __name__ == "__main__":
    main()
