"""The files and the HTML that Chainlit serves, made ready before it is imported.

Chainlit takes everything from one folder and writes into it. It gets a folder of its own that is thrown away at the
end, so that the checkout stays clean and two applications don't share a configuration.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backend.settings import ROOT

# names that Chainlit's settings class would read from the environment (they are fields of its configuration)
BARE_NAMES = ("ROOT", "CHAINLIT_SERVER", "RUN", "FEATURES", "UI", "PROJECT", "CODE")
# variables by which Chainlit would open further doors or send data elsewhere
FOREIGN = ("SLACK_BOT_TOKEN", "SLACK_WEBSOCKET_TOKEN", "DISCORD_BOT_TOKEN", "TEAMS_APP_ID", "LITERAL_API_KEY")


def scrub_environment(environment: dict[str, str] | os._Environ[str]) -> None:
    """Remove the variables that would change Chainlit's configuration behind the file's back."""
    for name in [*environment]:
        if name.upper() in BARE_NAMES or name in FOREIGN or name.startswith("CHAINLIT_"):
            del environment[name]


def lay_out_root(root: Path, config: Path) -> None:
    """Fill Chainlit's folder: its configuration, the public files, the welcome pages and the translations."""
    (root / ".chainlit" / "translations").mkdir(parents=True)
    shutil.copyfile(config, root / ".chainlit" / "config.toml")
    shutil.copytree(ROOT / "public", root / "public")
    english, chinese = ROOT / "chainlit_en-US.md", ROOT / "chainlit_zh-CN.md"
    for tag in ("zh-CN", "zh", "zh-TW", "zh-HK", "zh-SG"):
        shutil.copyfile(chinese, root / f"chainlit_{tag}.md")
    shutil.copyfile(english, root / "chainlit.md")
    for tag in ("zh-CN", "en-US"):
        translation = json.loads((_chainlit() / "translations" / f"{tag}.json").read_text(encoding="utf-8"))
        ours = json.loads((ROOT / "public" / "translations" / f"{tag}.json").read_text(encoding="utf-8"))
        text = json.dumps(merged(translation, ours), ensure_ascii=False)
        for name in (tag, "zh-HK", "zh-SG", "zh") if tag == "zh-CN" else (tag, "en"):
            (root / ".chainlit" / "translations" / f"{name}.json").write_text(text, encoding="utf-8")


def merged(base: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the leaves of ``ours`` in it."""
    result = dict(base)
    for key, value in ours.items():
        result[key] = merged(result.get(key, {}), value) if isinstance(value, Mapping) else value
    return result


def _chainlit() -> Path:
    spec = find_spec("chainlit")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


_OUTSIDE = re.compile(r"<link\b[^>]*\bhref=\"https?://[^>]*>\s*", re.S)
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.S)


def clean(html: str) -> str:
    """Chainlit's page without the fonts and style sheets that it would fetch from other hosts."""
    return _OUTSIDE.sub("", html)


def policy_for(html: str) -> str:
    """The content security policy under which ``html`` works: its own files, and the scripts it has in line."""
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"
        for script in _INLINE_SCRIPT.findall(html)
    ]
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(["script-src 'self' 'unsafe-eval'", *hashes]),  # eval: see backend.ui.guard
            "style-src 'self' 'unsafe-inline'",  # the page's components set styles in line
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


_WAITING = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><title>墨韵 Moyun</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="2">
<link rel="icon" href="/favicon"><link rel="stylesheet" href="/public/waiting.css"></head>
<body><main><div class="ink"></div><h1>墨韵</h1><p>{line}</p><p class="progress">{progress}</p></main></body></html>
"""


def waiting_page(language: str, progress: str) -> str:
    """What the writer sees while the model is still loading; it looks again by itself."""
    line = (
        "研墨中……模型载入之后，此页自会打开。"
        if language == "zh"
        else "Grinding ink … the page opens when the model is loaded."
    )
    safe = progress.replace("&", "&amp;").replace("<", "&lt;")
    return _WAITING.format(lang=language, line=line, progress=safe)
