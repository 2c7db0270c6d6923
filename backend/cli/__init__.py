"""``moyun``: one module a command, imported only when it is asked for, so that light commands start at once."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from backend.errors import MoyunError

COMMANDS = {
    "serve": "serve the chat page",
    "fetch": "fetch and prepare the model",
    "generate": "write poems to the terminal or as JSON lines",
    "check": "check a poem against its form, its tones and its rhyme",
    "forms": "list the forms and tunes, or show one",
    "chat": "chat in the terminal",
    "bench": "measure the speed of this machine",
    "eval": "measure the poems: metre, drafts, style",
    "corpus": "build and search the corpus of Tang and Song poems",
    "train": "train an adapter on a poet's poems or your own",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 1 a failure, 2 wrong usage, 130 interrupted, 141 nobody reads on."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="moyun", description="Moyun (墨韵): poems and answers from Chinese poets.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = next((word for word in arguments if not word.startswith("-")), None)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        if name == named:
            module = import_module(f"backend.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except MoyunError as error:
        print(f"moyun: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader (head, less) has enough; the interpreter's own last flush would fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
