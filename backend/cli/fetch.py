"""``moyun fetch``: bring the model into the cache, so that serving starts in seconds."""

from __future__ import annotations

import argparse
import logging


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, if another than MOYUN_MODEL or the machine decides."""
    parser.add_argument(
        "--model",
        help="embedded, qwen2.5-7b, a hub id (owner/name), or a folder or file with safetensors or GGUF weights",
    )


def run(options: argparse.Namespace) -> int:
    """Fetch and prepare what is lacking; check what is there."""
    from backend.models.progress import Bars
    from backend.models.sources import resolve
    from backend.settings import load_settings

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    settings = load_settings()
    if options.model:
        settings = settings.model_copy(update={"model": options.model})
    with Bars() as bars:
        prepared = resolve(settings, bars)
    print(*prepared.reason)
    print(f"{prepared.name}: {prepared.path}")
    return 0
