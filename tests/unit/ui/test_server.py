"""Readiness, and what is served while the model loads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from backend.chat.options import load_schema
from backend.errors import MoyunError, SettingsError
from backend.scripted import Script, ScriptedGenerator
from backend.settings import ROOT, Settings
from backend.startup import Studio
from backend.ui import runtime, server
from backend.ui.runtime import Runtime

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def run() -> Runtime:
    """A runtime whose model is still loading."""
    return Runtime(Settings.model_validate({}), load_schema(ROOT / "chainlit.config.toml"))


@pytest.fixture(scope="module")
def app(run: Runtime) -> FastAPI:
    """The application, built once: Chainlit keeps what is mounted on it."""
    return server.build(run)


@pytest.fixture
async def client(app: FastAPI, run: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application without its lifespan."""
    run.studio, run.progress = None, ""
    run.loaded.clear()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        yield client


def studio(**generator: Any) -> Studio:
    scripted = ScriptedGenerator(Script())
    for name, value in generator.items():
        setattr(scripted, name, value)
    return Studio(scripted, cast("Any", SimpleNamespace(styles={}, rejected={})))


async def test_while_the_model_loads_the_page_says_so_and_looks_again(client: httpx.AsyncClient, run: Runtime) -> None:
    run.progress = "下载 · fetching 42%"
    chinese = await client.get("/", headers=HTML | {"accept-language": "zh-CN,zh;q=0.9"})
    english = await client.get("/", headers=HTML | {"accept-language": "en-GB"})
    assert (chinese.status_code, english.status_code) == (503, 503)
    assert "研墨中" in chinese.text
    assert "fetching 42%" in chinese.text
    assert "Grinding ink" in english.text
    assert 'http-equiv="refresh"' in english.text
    assert (await client.get("/health")).status_code == 200
    ready = await client.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "loading")
    assert (await client.get("/public/waiting.css")).status_code == 200


async def test_when_it_is_loaded_the_chat_is_served(client: httpx.AsyncClient, run: Runtime) -> None:
    run.studio = studio()
    run.loaded.set()
    page = await client.get("/", headers=HTML)
    assert page.status_code == 200
    assert "/assets/" in page.text
    assert "sha256-" in page.headers["content-security-policy"]
    assert (await client.get("/ready")).json() == {"status": "ready", "model": "scripted"}


async def test_an_engine_that_has_stopped_is_not_ready(client: httpx.AsyncClient, run: Runtime) -> None:
    run.studio = studio(running=False)
    run.loaded.set()
    assert (await client.get("/ready")).status_code == 503
    assert (await client.get("/health")).status_code == 200, "but alive"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_chainlits_own_documentation_is_not_served(client: httpx.AsyncClient, run: Runtime, path: str) -> None:
    run.loaded.set()
    assert (await client.get(path, headers=HTML)).status_code == 404


async def test_starters_come_in_the_asked_language(client: httpx.AsyncClient, run: Runtime) -> None:
    run.studio = studio()
    run.loaded.set()
    for tag, label in (("zh-CN", "杜甫 · 秋夜泊舟"), ("en-US", "Du Fu · moored on an autumn night")):
        settings = (await client.get("/project/settings", params={"language": tag})).json()
        assert len(settings["starters"]) == 4
        assert settings["starters"][0]["label"] == label


async def test_a_model_that_cannot_be_loaded_ends_the_server_with_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Runtime(Settings.model_validate({}), load_schema(ROOT / "chainlit.config.toml"))
    ended: list[bool] = []
    run.stop_serving = lambda: ended.append(True)
    failure = SettingsError("no", "不")

    def fail(*_: object) -> Studio:
        raise failure

    monkeypatch.setattr(server.startup, "start", fail)
    await server._load(run)
    assert (run.failure, ended, run.loaded.is_set()) == (failure, [True], False)


def test_callbacks_outside_of_our_server_say_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_current", None)
    with pytest.raises(MoyunError, match="moyun serve"):
        runtime.current()
