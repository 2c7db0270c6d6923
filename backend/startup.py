"""Everything that a process needs before it can write: the generator, and the styles that it knows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from backend.chat.copies import FindLines, find_lines
from backend.chat.metre import Metre
from backend.errors import AdapterError, SettingsError
from backend.models.adapters import StyleRegistry, read_weights
from backend.models.progress import Bars, Progress
from backend.settings import Settings
from backend.types import Style, TextGenerator

if TYPE_CHECKING:
    from backend.models.adapters import AdapterWeights

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Studio:
    """A generator and its styles."""

    generator: TextGenerator
    styles: StyleRegistry
    metre: Metre | None = None  # None where the generator takes no constraints
    known_lines: FindLines = find_lines  # the lines that a style's adapter was trained on

    refreshing: Lock = field(default_factory=Lock)

    def refresh(self) -> bool:
        """Take up styles that have come, gone or changed in their folder; whether any had.

        Returns at once where none has. Else it blocks while weights are read (call it in a thread), and chats go on
        meanwhile. A style whose weights can't be taken up is left out; the log says why.
        """
        if not self.styles.has_changed():
            return False
        with self.refreshing:
            before = {style.id for style in self.styles.styles.values() if style.adapter is not None}
            try:
                self.styles.refresh(self._take_up)
            except SettingsError as error:
                log.warning("%s %s", error.en, error.zh)
                return False
            for name in before - {style.id for style in self.styles.styles.values() if style.adapter is not None}:
                self._drop(name)
        return True

    def _take_up(self, style: Style) -> None:
        take_up(self.generator, style)

    def _drop(self, name: str) -> None:
        if isinstance(self.generator, HasAdapters):
            self.generator.remove_adapter(name).result()

    async def close(self) -> None:
        """Cancel everything and free the model."""
        await self.generator.close()


@runtime_checkable
class HasAdapters(Protocol):
    """A generator that holds adapters itself."""

    def add_adapter(self, name: str, weights: AdapterWeights) -> Future[None]:
        """Make an adapter resident."""

    def remove_adapter(self, name: str) -> Future[None]:
        """Drop an adapter."""


def take_up(generator: TextGenerator, style: Style) -> None:
    """Give a style's weights to a generator that holds adapters itself.

    Raises:
        AdapterError: they are broken or don't fit.
    """
    if isinstance(generator, HasAdapters):
        generator.add_adapter(style.id, read_weights(style)).result()


def start(settings: Settings, note: Callable[[str], None] = lambda line: None) -> Studio:
    """Load what ``settings`` ask for; fetches and prepares the model where that has not been done yet.

    Args:
        note: told in one line, Chinese and English, what is being done; bars are drawn in the terminal besides.

    Raises:
        ModelError: the model can't be had.
        SettingsError: the folder of styles or the script isn't there.
    """
    if settings.scripted is not None:
        from backend.scripted import END_TOKEN, ScriptedGenerator, character_vocabulary

        styles = StyleRegistry.discover(settings.adapters, base_name=None, base_digest=None)
        scripted = ScriptedGenerator(settings.scripted, settings.record)
        keeper = Metre(character_vocabulary(), END_TOKEN) if scripted.keeps_metre else None
        return Studio(scripted, styles, keeper)

    from backend.models.loading import load
    from backend.models.sources import resolve

    with Bars() as bars:

        def report(progress: Progress) -> None:
            bars(progress)
            share = f" {progress.done / progress.total:.0%}" if progress.total else ""
            note(f"{progress.zh}{share} · {progress.en}{share}")

        prepared = resolve(settings, report)
    note(f"载入 {prepared.name} · Loading {prepared.name}")
    loaded = load(prepared, settings.threads)
    styles = StyleRegistry.discover(settings.adapters, loaded.name, loaded.digest, loaded.model.config)

    from backend.engine.generator import LocalGenerator  # after load(), which silences a notice of bitsandbytes

    generator = LocalGenerator(loaded, settings)
    for style in [style for style in styles.styles.values() if style.adapter is not None]:
        try:
            take_up(generator, style)
        except AdapterError as error:
            log.warning("%s %s", error.en, error.zh)
            styles.rejected[style.id] = error
            del styles.styles[style.id]
    metre = Metre(loaded.tokenizer.get_vocab(), loaded.tokenizer.eos_token_id)
    metre.prepare("pingshui", "cilin")
    return Studio(generator, styles, metre)
