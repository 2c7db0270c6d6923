"""``moyun chat``: the conversation of the page, in a terminal."""

from __future__ import annotations

import argparse
import asyncio
import locale
import signal
import sys
import uuid
from contextlib import aclosing, suppress
from dataclasses import fields
from pathlib import Path

from backend.chat.conversation import Conversation
from backend.chat.copies import tell_again, tell_stays
from backend.chat.intent import CHECK_COMMAND, POEM_COMMAND, QUESTION_COMMAND
from backend.chat.limits import Limits
from backend.chat.options import Options, load_schema
from backend.chat.plans import CheckPlan, WritePlan
from backend.chat.streaming import stream_pieces
from backend.cli.check import render
from backend.errors import Language, MoyunError, language_of
from backend.settings import ROOT, load_settings
from backend.types import Finished, Queued, TokenEvent

SETTINGS = tuple(field.name for field in fields(Options) if field.name != "system_prompt")
HELP: dict[Language, str] = {
    "zh": "出题得诗，发问得答。/诗 …、/问 … 指定其一；/检 查格律，诗写在一行，不写则查上一首；/改 3 只重写第三句；"
    "/style du_fu、/form 七绝、/rhyme 尤、/strict off、/temperature 0.9、/seed 7 等改设置；"
    "/settings 看设置；/quit 退出；写的时候按 Ctrl-C 停笔。",
    "en": "Name a topic for a poem, or ask. /poem … and /ask … force one of the two; /check … holds a poem (in one "
    "row; without one, the last) against its form; /rewrite 3 writes line 3 anew; /style du_fu, /form 七绝, /rhyme 尤, "
    "/strict off, /temperature 0.9, /seed 7 and the like change a setting; /settings shows them; /quit leaves; Ctrl-C "
    "stops a text midway.",
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
                metre=studio.metre,
                known_lines=studio.known_lines,
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
        elif word in (CHECK_COMMAND, "check"):
            await self.answer(rest, CHECK_COMMAND)
        elif word in ("改", "rewrite") and rest.strip().isdecimal():
            last = self.conversation.last_poem
            await self._write(self.conversation.plan_rewrite(last.id if last is not None else "", int(rest)))
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
        """Write one answer, or say what a check found."""
        plan = self.conversation.plan(text, turn_id=uuid.uuid4().hex, command=command)
        if isinstance(plan, CheckPlan):
            self.conversation.keep(plan)
            print(render(plan.verdict))
        else:
            await self._write(plan)

    async def _write(self, plan: WritePlan) -> None:
        """Write one answer; Ctrl-C ends it and keeps the part. A poem with a copied line is written again."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # not on Windows, where Ctrl-C ends the program
            loop.add_signal_handler(signal.SIGINT, stop.set)
        written: list[str] = []
        try:
            finished = await self._stream(plan, stop, written)
            while not stop.is_set() and (again := self.conversation.retry_plan(plan, "".join(written))) is not None:
                copied = self.conversation.copied(plan, "".join(written))
                print(f"\n[{tell_again(copied, again.attempt, self.conversation.language)}]\n", flush=True)
                plan, written = again, []
                finished = await self._stream(plan, stop, written)
        finally:
            self.conversation.keep(plan, "".join(written))
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)
        self._conclude(plan, "".join(written), finished)

    def _conclude(self, plan: WritePlan, text: str, finished: Finished | None) -> None:
        """The small line, and what is to be said of copied lines."""
        outcome = self.conversation.judge(plan, text)
        whole = finished is not None and finished.reason != "cancelled"
        kept = outcome.kept(self.conversation.language) if outcome is not None and whole else ""
        print("\n" + _summary(plan, finished, kept), flush=True)
        if copied := self.conversation.copied(plan, text):
            print(f"[{tell_stays(copied, plan.attempt, self.conversation.language)}]")

    async def _stream(self, plan: WritePlan, stop: asyncio.Event, written: list[str]) -> Finished | None:
        finished = None
        async with aclosing(stream_pieces(self.conversation.generator, plan.request, stop)) as events:
            async for event in events:
                if isinstance(event, TokenEvent):
                    written.append(event.text)
                    print(event.text, end="", flush=True)
                    if self.conversation.retry_plan(plan, "".join(written)):
                        break
                elif isinstance(event, Queued):
                    print(f"… {event.position}", file=sys.stderr)
                else:
                    finished = event
        return finished


def _summary(plan: WritePlan, finished: Finished | None, kept: str) -> str:
    kind = kept or (plan.poem.form.name if plan.poem else plan.intent.kind)
    parts = [kind, plan.request.adapter or "base", f"T {plan.options.temperature:g}", f"seed {plan.seed}"]
    if finished is not None:
        usage = finished.usage
        parts += [f"{usage.completion_tokens} tokens", f"{usage.first_token_seconds:.1f} s"]
        parts += [f"{usage.tokens_per_second:.1f}/s", "stopped" if finished.reason == "cancelled" else finished.reason]
    return f"[{' · '.join(parts)}]"
