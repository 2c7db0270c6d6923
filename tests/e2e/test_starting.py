"""Starting and ending: every problem is one clear line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.chatting import Writer
from tests.e2e.conftest import SCRIPT, StartServer
from tests.e2e.serving import ROOT, Server, wait_until


def serve(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``moyun serve`` where it can't work."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOYUN_")}
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", "serve", *options],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def one_line(result: subprocess.CompletedProcess[str], code: int) -> str:
    assert result.returncode == code, result.stderr
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"port {port}" in one_line(serve("--port", port, MOYUN_SCRIPTED="unused.json"), 2)


def test_a_configuration_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[settings.style]\nwidget = 'slider'\n", encoding="utf-8")
    assert "settings.style.label" in one_line(serve("--config", str(broken)), 2)
    assert "can't be read" in one_line(serve("--config", str(tmp_path / "missing.toml")), 2)


def test_a_setting_that_does_not_exist_is_said_in_one_line() -> None:
    assert "MOYUN_PORTT" in one_line(serve(MOYUN_PORTT="1"), 2)
    assert "MOYUN_PORT" in one_line(serve("--port", "99999"), 2)


def test_a_script_that_is_missing_ends_the_server_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    assert "missing.json" in one_line(serve("--port", port, MOYUN_SCRIPTED=str(tmp_path / "missing.json")), 2)


def test_the_server_ends_on_interrupt_and_leaves_the_checkout_as_it_was(start_server: StartServer) -> None:
    before = {path.name for path in ROOT.iterdir()}
    server = start_server(UI="not json", PROJECT="nor this", CHAINLIT_APP_ROOT="/nonexistent")
    assert "Moyun is ready" in server.log()
    server.close()
    assert server.process.returncode == 0
    assert "Traceback" not in server.log()
    assert {path.name for path in ROOT.iterdir()} - before <= {".pytest_cache"}


def slow_server(folder: Path) -> tuple[Server, Path]:
    """A server whose script is a pipe: it loads until something is written there."""
    pipe = folder / "script.json"
    os.mkfifo(pipe)
    return Server(folder, {"MOYUN_SCRIPTED": str(pipe)}, wait=False), pipe


def test_the_page_waits_for_the_model_and_opens_by_itself(browser: Browser, tmp_path: Path) -> None:
    server, pipe = slow_server(tmp_path)
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(server.url)
    expect(page.locator("p").first).to_have_text("研墨中……模型载入之后，此页自会打开。")
    assert not server.is_ready()
    pipe.write_text(json.dumps(SCRIPT, ensure_ascii=False), encoding="utf-8")
    wait_until(server.is_ready, 10, "readiness")
    expect(page.locator("#chat-input")).to_be_visible(timeout=15_000)
    context.close()
    writer = Writer(browser, server.url)
    assert writer.ask("写一首关于江村的七律")
    writer.close()
    server.close()


def test_an_interrupt_while_the_model_loads_ends_the_server_at_once(tmp_path: Path) -> None:
    server, _ = slow_server(tmp_path)
    server.close()
    assert server.process.returncode == 0
    assert "Traceback" not in server.log()
