"""``moyun forms``: the forms and tunes that Moyun knows."""

from __future__ import annotations

import argparse
import json
from typing import Any

from backend.prosody.catalog import all_forms, find_form
from backend.prosody.forms import Form

_TONES = str.maketrans("PZx", "平仄中")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("name", nargs="?", help="show one form with the tones of its lines")
    parser.add_argument("--json", action="store_true", help="one JSON object a form")


def run(options: argparse.Namespace) -> int:
    """List the forms, or show one."""
    forms = (find_form(options.name),) if options.name else all_forms()
    for form in forms:
        if options.json:
            print(json.dumps(describe(form), ensure_ascii=False))
        elif options.name:
            print(_show(form))
        else:
            print(_line(form))
    return 0


def describe(form: Form) -> dict[str, Any]:
    """The form as plain data."""
    return {
        "name": form.name,
        "kind": form.kind,
        "english": form.english,
        "aliases": list(form.aliases),
        "variants": [
            {"name": variant.name, "lines": [[line.tones, line.rhyme] for line in variant.lines]}
            for variant in form.variants
        ],
    }


def _line(form: Form) -> str:
    shape = form.variants[0].lengths
    size = f"{len(shape)}×{shape[0]}" if len(set(shape)) == 1 else f"{sum(shape)}字"
    aliases = f"（{'、'.join(form.aliases)}）" if form.aliases else ""
    return f"{form.name}{aliases}  {size}  {form.english}"


def _show(form: Form) -> str:
    rows = [_line(form)]
    for variant in form.variants:
        rows.append(f"\n{variant.name}".rstrip())
        rows += [
            f"  {line.tones.translate(_TONES)}{f'（韵{line.rhyme}）' if line.rhyme else ''}" for line in variant.lines
        ]
    return "\n".join(rows)
