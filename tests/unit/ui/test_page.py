"""The HTML, its policy and the folder that Chainlit is given."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from backend.settings import ROOT
from backend.ui import page


def test_the_page_has_no_address_outside() -> None:
    import chainlit.server

    original = chainlit.server.get_html_template("")
    assert "fonts.googleapis.com" in original, "else there is nothing to remove any more"
    cleaned = page.clean(original)
    assert re.findall(r"https?://[^\s\"'<]+", cleaned) == []
    assert "/assets/" in cleaned
    assert "/public/moyun.css" in cleaned


def test_the_policy_names_every_inline_script_by_its_digest_and_allows_no_other() -> None:
    html = "<script>one()</script><script src='/a.js'></script><script>\ntwo\n</script>"
    policy = page.policy_for(html)
    for script in ("one()", "\ntwo\n"):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    script_sources = policy.split("script-src ")[1].split(";")[0].split()
    loose = [source for source in script_sources if not source.startswith("'sha256-")]
    assert loose == ["'self'", "'unsafe-eval'"], "see backend.ui.guard"


def test_chainlits_folder_has_everything_and_nothing_is_shared(tmp_path: Path) -> None:
    page.lay_out_root(tmp_path / "page", ROOT / "chainlit.config.toml")
    root = tmp_path / "page"
    assert (root / ".chainlit" / "config.toml").read_bytes() == (ROOT / "chainlit.config.toml").read_bytes()
    for name in ("theme.json", "moyun.css", "moyun.js", "logo_light.svg", "logo_dark.svg", "favicon.svg", "hills.svg"):
        assert (root / "public" / name).is_file()
    assert "杜甫" in (root / "chainlit_zh-CN.md").read_text(encoding="utf-8")
    assert "Du Fu" in (root / "chainlit.md").read_text(encoding="utf-8")
    translation = json.loads((root / ".chainlit" / "translations" / "zh-CN.json").read_text(encoding="utf-8"))
    assert translation["chat"]["settings"]["title"] == "笔墨"
    assert translation["common"]["actions"]["cancel"] == "取消", "the rest is Chainlit's"


def test_every_style_has_a_seal() -> None:
    for folder in (ROOT / "adapters").iterdir():
        if (folder / "style.toml").is_file():
            assert (ROOT / "public" / "avatars" / f"{folder.name}.svg").is_file(), folder.name


def test_no_public_file_asks_for_anything_outside() -> None:
    for path in (ROOT / "public").rglob("*"):
        if path.is_file() and path.suffix in (".css", ".js", ".svg", ".json", ".jsx"):
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert "://" not in text, path


@pytest.mark.parametrize(("language", "line"), [("zh", "研墨中"), ("en", "Grinding ink")])
def test_the_waiting_page_says_what_is_done_and_takes_nothing_for_markup(language: str, line: str) -> None:
    html = page.waiting_page(language, "<b>12 MB</b> & more")
    assert line in html
    assert "&lt;b>12 MB&lt;/b> &amp; more" in html
