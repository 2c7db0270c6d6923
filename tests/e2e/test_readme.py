"""Every command and link of the READMEs is true."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from backend.cli import main
from tests.e2e.conftest import SCRIPT, StartServer
from tests.e2e.serving import ROOT

READMES = ("README.md", "README.zh.md")
LONG = ("corpus", "train")  # commands that take minutes: tests of their own run them, here they are only understood


def commands(language: str) -> list[list[str]]:
    """What the code blocks call, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / language).read_text(encoding="utf-8"), re.S)
    return [words for line in "".join(blocks).splitlines() if (words := shlex.split(line, comments=True))]


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_run(
    readme: str, tmp_path: Path, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"answers": [{"text": "秋思"}]}', encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOYUN_")}
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    seen = set()
    for program, *arguments in commands(readme):
        seen.add((program, arguments[0]))
        if program == "make":
            assert arguments[0] in targets
            continue
        if program == ".venv/bin/pip":
            (extra,) = re.findall(r"^\.\[(\w+)\]$", arguments[-1])
            project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            assert extra in project["optional-dependencies"]
            continue
        assert program == "moyun"
        if arguments[0] in LONG:
            monkeypatch.setattr(f"backend.cli.{arguments[0]}.run", lambda options: 0)
            assert main(arguments) == 0, "it is understood"
            continue
        if arguments[0] == "serve":
            port = arguments.index("--port")
            start_server(*arguments[1:port], *arguments[port + 2 :])  # on a port that is free here
            continue
        result = subprocess.run(
            [sys.executable, "-m", "backend.cli", *arguments],
            cwd=ROOT,
            env=kept | {"MOYUN_SCRIPTED": str(script)},
            input="",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, (arguments, result.stderr)
        if "--json" in arguments:
            poems = [json.loads(line) for line in result.stdout.splitlines()]
            assert len(poems) == int(arguments[arguments.index("-n") + 1])
            assert all(poem["text"] for poem in poems)
    assert {("make", "run"), ("make", "test"), ("moyun", "generate"), ("moyun", "chat")} <= seen


def test_both_readmes_have_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh.md")


@pytest.mark.parametrize("readme", READMES)
def test_the_links_lead_somewhere_and_the_picture_is_small(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []
    pictures = [ROOT / target for target in targets if target.endswith(".png")]
    assert pictures
    assert all(picture.stat().st_size < 300_000 for picture in pictures)


@pytest.mark.parametrize("readme", READMES)
def test_the_variables_exist(readme: str) -> None:
    from backend.settings import PREFIX, Settings

    text = (ROOT / readme).read_text(encoding="utf-8")
    named = set(re.findall(rf"`{PREFIX}(\w+)`", text))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_the_scripts_shape_is_what_its_module_documents() -> None:
    from backend.scripted import Script

    assert len(Script.model_validate(SCRIPT).answers) == len(SCRIPT["answers"])
