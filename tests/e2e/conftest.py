"""A real browser and servers with scripted answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.chatting import Writer
from tests.e2e.serving import Server

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

POEM = "野渡无人秋水寒，孤舟一系浪漫漫。\n星垂大野天无际，月涌长江夜未阑。\n万里悲风吹短褐，百年多病倚危栏。"
SLOW_POEM = POEM * 6  # at 20 ms a character it takes as long as a test needs to press Stop
SCRIPT: dict[str, Any] = {
    "answers": [
        {"when": "慢", "text": SLOW_POEM, "delay": 0.02},
        {"when": "排队", "text": "轮到了。", "queue": [3, 2, 1], "queue_delay": 0.6},
        {"when": "出错(.*)", "text": "写到一半", "error": "NumericsError"},
        {"when": "停机", "error": "EngineStoppedError"},
        {
            "when": "标记",
            "text": "<script>window.pwned=1</script><img src=x onerror='window.pwned=2'>"
            "![图](http://evil.example/a.png) [点](javascript:window.pwned=3) <b>粗</b>",
        },
        {"when": "冒号", "text": "Note:this and Style:Du stay; `a:b` too. http://x.example:80/"},
        {"adapter": "du_fu", "text": POEM + "\n{temperature}/{seed}", "delay": 0.002},
        {"adapter": "su_shi", "text": "雨洗楼头万叠青，断云归处数峰明。\n{temperature}/{seed}", "delay": 0.002},
        {"text": "答：{temperature}/{seed}", "delay": 0.002},
    ]
}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window; it ends with this folder, as its loop would be in the way of other tests'."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium is not None, "the browser tests need Debian's chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


StartServer = Callable[..., Server]


@pytest.fixture(scope="package")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start servers; they end with this folder."""
    servers: list[Server] = []

    def start(*options: str, script: dict[str, Any] | None = None, **environment: str) -> Server:
        folder = tmp_path_factory.mktemp("server")
        path = folder / "script.json"
        path.write_text(json.dumps(script or SCRIPT, ensure_ascii=False), encoding="utf-8")
        servers.append(Server(folder, {"MOYUN_SCRIPTED": str(path), **environment}, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="package")
def server(start_server: StartServer) -> Server:
    """The server that most tests share."""
    return start_server()


@pytest.fixture
def writers(browser: Browser, server: Server) -> Iterator[Callable[..., Writer]]:
    """Open pages of the shared server; they close with the test."""
    opened: list[Writer] = []

    def open_page(locale: str = "zh-CN", **context: Any) -> Writer:
        opened.append(Writer(browser, server.url, locale, **context))
        return opened[-1]

    yield open_page
    for writer in opened:
        writer.close()


@pytest.fixture
def writer(writers: Callable[..., Writer]) -> Writer:
    """A Chinese reader's page."""
    return writers()


@pytest.fixture
def config_copy(tmp_path: Path) -> Path:
    """A configuration that a test may change."""
    from tests.e2e.serving import ROOT

    return Path(shutil.copy(ROOT / "chainlit.config.toml", tmp_path / "changed.toml"))
