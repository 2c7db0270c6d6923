"""``moyun serve``: the chat page."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from backend.settings import PREFIX, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--host", help="address to listen on (default: MOYUN_HOST or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: MOYUN_PORT or 8000)")
    parser.add_argument("--config", type=Path, help="the page's configuration (default: chainlit.config.toml)")


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("uvicorn", "uvicorn.error", "httpx", "watchfiles"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for name in ("host", "port"):
        if (value := getattr(options, name)) is not None:
            os.environ[PREFIX + name.upper()] = str(value)
    from backend.ui.server import CONFIG, serve

    return serve(load_settings(), options.config or CONFIG)
