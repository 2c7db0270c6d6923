"""Pages for the tests of the poem card: a server whose poems keep their form by lot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator

from tests.e2e.chatting import Writer
from tests.e2e.conftest import StartServer
from tests.e2e.serving import Server

JIANG_CUN = """江村
杜甫
清江一曲抱村流，长夏江村事事幽。
自去自来堂上燕，相亲相近水中鸥。
老妻画纸为棋局，稚子敲针作钓钩。
但有故人供禄米，微躯此外更何求。"""
SCRIPT: dict[str, Any] = {
    "metre": True,
    "answers": [
        {"when": "慢", "text": "慢", "delay": 0.05},
        {"text": "答。", "delay": 0.002},
    ],
}
Writers = Callable[..., Writer]


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    """A server whose poems keep their form."""
    return start_server(script=SCRIPT)


@pytest.fixture
def writers(browser: Browser, server: Server) -> Iterator[Writers]:
    """Open pages of that server; what breaks its policy is a problem of the page."""
    opened: list[Writer] = []

    def open_page(locale: str = "zh-CN", **context: Any) -> Writer:
        opened.append(Writer(browser, server.url, locale, **context))
        return opened[-1]

    yield open_page
    for writer in opened:
        assert writer.problems == []
        assert writer.outside() == []
        writer.close()


@pytest.fixture
def writer(writers: Writers) -> Writer:
    """A Chinese reader's page."""
    return writers()


def tool(card: Locator, name: str) -> Locator:
    """One of the buttons under a poem."""
    return card.locator(f"[data-tool={name}]")
