"""``moyun check``: does a poem keep its form? Exit code 0 where it does, 1 where it doesn't."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from backend.errors import ProsodyError
from backend.prosody.checker import check
from backend.prosody.tables import BOOKS
from backend.prosody.verdict import CharacterVerdict, Verdict

MARKS = {"P": "○", "Z": "●", "PZ": "◐", "?": "？"}
WRONG = {"P": "△", "Z": "▲"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("file", metavar="FILE", help="a text file with one poem; - reads standard input")
    parser.add_argument("--form", default="auto", help="the form, for example 七律 or 水调歌头; auto finds it")
    parser.add_argument("--book", default="pingshui", choices=list(BOOKS), help="the rhyme book")
    parser.add_argument("--json", action="store_true", help="print the whole verdict as JSON")


def run(options: argparse.Namespace) -> int:
    """Check one poem."""
    verdict = check(_read(options.file), options.form, options.book)
    if options.json:
        print(json.dumps(verdict.to_json(), ensure_ascii=False))
    else:
        print(render(verdict))
    return 0 if verdict.fits else 1


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ProsodyError(f"{name} can't be read: {error.strerror}.", f"读不了 {name}：{error.strerror}。") from error
    except UnicodeDecodeError as error:
        raise ProsodyError(
            f"{name} is not UTF-8 text; save it as UTF-8.", f"{name} 不是 UTF-8 文本，请另存为 UTF-8。"
        ) from error


def _mark(item: CharacterVerdict) -> str:
    if item.state == "wrong":
        return WRONG.get(item.tone, "△")
    return MARKS[item.tone]


def render(verdict: Verdict) -> str:
    """The verdict for a terminal: lines with tone marks, what is to be said of them, a summary in both languages."""
    rows = [f"《{verdict.heading[0]}》{' '.join(verdict.heading[1:2])}".rstrip()] if verdict.heading else []
    for number, line in enumerate(verdict.lines, 1):
        said = [f for f in verdict.findings if f.line == number]
        marks = "".join(map(_mark, line.characters))
        rhyme = f"韵{line.rhyme}" if line.rhyme else ""
        rows.append(f"{number:>3}  {line.text}  {marks}  {line.type_zh} {rhyme}".rstrip())
        rows += [f"     {'✗' if f.severity == 'fault' else '·'} {f.zh}\n       {f.en}" for f in said]
    legend = "○ 平 level  ● 仄 oblique  ◐ 两读 either  △▲ 不合 wrong  ？ 未收 unknown"
    return "\n".join([*rows, *([legend] if verdict.lines else []), verdict.summary_zh, verdict.summary_en])
