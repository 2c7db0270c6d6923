"""``moyun chat``: the conversation of the page, in a terminal."""

from __future__ import annotations

import argparse
import asyncio
import locale
import signal
import sys
import uuid
from contextlib import aclosing, suppress
from pathlib import Path

from backend.chat.conversation import Conversation, Limits, Plan
from backend.chat.intent import POEM_COMMAND, QUESTION_COMMAND
from backend.chat.options import load_schema
from backend.chat.streaming import stream_pieces
from backend.errors import Language, MoyunError, language_of
from backend.settings import ROOT, load_settings
from backend.types import Finished, Queued, TokenEvent

SETTINGS = ("style", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens", "seed")
HELP: dict[Language, str] = {
    "zh": "出题得诗，发问得答。/诗 …、/问 … 指定其一；/style du_fu、/temperature 0.9、/seed 7 等改设置；"
    "/settings 看设置；/quit 退出；写的时候按 Ctrl-C 停笔。",
    "en": "Name a topic for a poem, or ask. /poem … and /ask … force one of the two; /style du_fu, /temperature 0.9, "
    "/seed 7 and the like change a setting; /settings shows them; /quit leaves; Ctrl-C stops a text midway.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--style", help="style to begin with, for example du_fu")
    parser.add_argument("--language", choices=("zh", "en"), help="language of the messages (default: the terminal's)")
    parser.add_argument("--config", type=Path, default=ROOT / "chainlit.config.toml", help="file with the settings")


def run(options: argparse.Namespace) -> int:
    """Chat until the writer leaves."""
    from backend import startup

    settings = load_settings()
    schema = load_schema(options.config)
    language: Language = options.language or language_of(locale.getlocale()[0])
    studio = startup.start(settings)
    with asyncio.Runner() as runner:
        try:
            conversation = Conversation(
                studio.generator,
                studio.styles.styles,
                schema,
                session=f"terminal-{uuid.uuid4().hex}",
                language=language,
                limits=Limits(settings.max_new_tokens, settings.max_message_chars),
            )
            if options.style:
                for refusal in conversation.change({"style": options.style}).refused:
                    raise refusal
            print(HELP[language])
            Terminal(conversation, runner).talk()
        finally:
            runner.run(studio.close())
    return 0


class Terminal:
    """Reads lines and writes answers."""

    def __init__(self, conversation: Conversation, runner: asyncio.Runner) -> None:
        self.conversation = conversation
        self._runner = runner

    def talk(self) -> None:
        """Until the end of the input, ``/quit`` or Ctrl-C at the prompt."""
        while True:
            try:
                line = input(f"\n{self.conversation.style.name[self.conversation.language]}> ").strip()
            except (EOFError, KeyboardInterrupt):
                print()
                return
            if line in ("/quit", "/exit", "/q"):
                return
            if line:
                try:
                    self._runner.run(self.take(line))
                except MoyunError as error:
                    print(error.say(self.conversation.language))

    async def take(self, line: str) -> None:
        """Do what a line says.

        Raises:
            MoyunError: it can't be done.
        """
        word, _, rest = line[1:].partition(" ") if line.startswith("/") else ("", "", "")
        name = word.replace("-", "_")
        if not line.startswith("/"):
            await self.answer(line, None)
        elif word in (POEM_COMMAND, "poem"):
            await self.answer(rest, POEM_COMMAND)
        elif word in (QUESTION_COMMAND, "ask"):
            await self.answer(rest, QUESTION_COMMAND)
        elif name in SETTINGS:
            change = self.conversation.change({name: rest.strip()})
            for refusal in change.refused:
                raise refusal
            print(f"{name} = {getattr(change.after, name)}")
        elif word == "settings":
            for setting in SETTINGS:
                print(f"{setting} = {getattr(self.conversation.options, setting)}")
        else:
            print(HELP[self.conversation.language])

    async def answer(self, text: str, command: str | None) -> None:
        """Write one answer; Ctrl-C ends it and keeps the part."""
        plan = self.conversation.plan(text, turn_id=uuid.uuid4().hex, command=command)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # not on Windows, where Ctrl-C ends the program
            loop.add_signal_handler(signal.SIGINT, stop.set)
        written: list[str] = []
        try:
            finished = await self._write(plan, stop, written)
        finally:
            self.conversation.keep(plan, "".join(written))
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)
        print("\n" + _summary(plan, finished), flush=True)

    async def _write(self, plan: Plan, stop: asyncio.Event, written: list[str]) -> Finished | None:
        finished = None
        async with aclosing(stream_pieces(self.conversation.generator, plan.request, stop)) as events:
            async for event in events:
                if isinstance(event, TokenEvent):
                    written.append(event.text)
                    print(event.text, end="", flush=True)
                elif isinstance(event, Queued):
                    print(f"… {event.position}", file=sys.stderr)
                else:
                    finished = event
        return finished


def _summary(plan: Plan, finished: Finished | None) -> str:
    kind = plan.intent.form.name if plan.intent.form else plan.intent.kind
    parts = [kind, plan.request.adapter or "base", f"T {plan.options.temperature:g}", f"seed {plan.seed}"]
    if finished is not None:
        usage = finished.usage
        parts += [f"{usage.completion_tokens} tokens", f"{usage.first_token_seconds:.1f} s"]
        parts += [f"{usage.tokens_per_second:.1f}/s", "stopped" if finished.reason == "cancelled" else finished.reason]
    return f"[{' · '.join(parts)}]"
