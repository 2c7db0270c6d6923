"""Chainlit reads its folder when it is imported: give it one of ours before any test does so."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from backend.settings import ROOT
from backend.ui import page

_FOLDER = tempfile.TemporaryDirectory(prefix="moyun-test-page-")
page.lay_out_root(Path(_FOLDER.name), ROOT / "chainlit.config.toml")
os.environ["CHAINLIT_APP_ROOT"] = _FOLDER.name
