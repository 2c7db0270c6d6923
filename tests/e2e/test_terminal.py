"""``moyun chat``: the same conversation in a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.conftest import SCRIPT
from tests.e2e.serving import ROOT, wait_until


def chat(folder: Path, *options: str) -> subprocess.Popen[str]:
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT, ensure_ascii=False), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOYUN_")}
    given = {"MOYUN_SCRIPTED": str(script), "MOYUN_RECORD": str(folder / "record.jsonl"), "PYTHONUTF8": "1"}
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "backend.cli", "chat", *options],
        cwd=ROOT,
        env=kept | given,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def records(folder: Path) -> list[dict[str, object]]:
    path = folder / "record.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_the_commands_of_the_terminal_do_what_they_say(tmp_path: Path) -> None:
    lines = [
        "写一首关于江村的七律",
        "/style su_shi",
        "/temperature 9",
        "/seed 7",
        "/seed x",
        "/问 写一首诗",
        "/诗 家国",
    ]
    output, _ = chat(tmp_path, "--language", "zh").communicate(
        "\n".join([*lines, "/settings", "/quit", ""]), timeout=30
    )
    assert [(line["adapter"], line["temperature"]) for line in records(tmp_path)] == [
        ("du_fu", 0.7),
        (None, 1.5),
        ("su_shi", 1.5),
    ]
    assert records(tmp_path)[2]["seed"] == 7
    assert "不是 0 到 2147483647 的整数" in output
    assert "temperature = 1.5" in output
    assert "Traceback" not in output


def test_an_unknown_style_ends_in_one_line(tmp_path: Path) -> None:
    process = chat(tmp_path, "--style", "li_bai")
    output, _ = process.communicate("", timeout=30)
    assert process.returncode == 2
    assert output.splitlines()[-1].startswith("moyun: There is no style 'li_bai'")


def test_interrupt_stops_a_text_and_the_terminal_goes_on(tmp_path: Path) -> None:
    process = chat(tmp_path, "--language", "en")
    assert process.stdin is not None
    process.stdin.write("慢慢说？\n")
    process.stdin.flush()
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: records(tmp_path), 5, "the record")
    assert records(tmp_path)[0]["reason"] == "cancelled"
    output, _ = process.communicate("再问？\n/quit\n", timeout=20)
    assert "stopped]" in output
    assert len(records(tmp_path)) == 2
    assert process.returncode == 0
