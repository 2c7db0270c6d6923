"""Everything that a process needs before it can write: the generator, and the styles that it knows."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from backend.errors import AdapterError
from backend.models.adapters import StyleRegistry
from backend.settings import Settings
from backend.types import TextGenerator

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Studio:
    """A generator and its styles."""

    generator: TextGenerator
    styles: StyleRegistry

    @property
    def alive(self) -> bool:
        """Whether requests are served."""
        return bool(getattr(self.generator, "alive", True))

    async def close(self) -> None:
        """Cancel everything and free the model."""
        await self.generator.close()


def start(settings: Settings) -> Studio:
    """Load what ``settings`` ask for: fetches and prepares the model where that has not been done.

    Raises:
        ModelError: the model can't be had.
    """
    if settings.scripted is not None:
        from backend.scripted import ScriptedGenerator

        styles = StyleRegistry.discover(settings.adapters, base_name="scripted", base_digest=None, config=None)
        return Studio(ScriptedGenerator(settings.scripted, settings.record), styles)

    from backend.engine.generator import LocalGenerator
    from backend.models.adapters import read_weights
    from backend.models.loading import load
    from backend.models.sources import resolve

    loaded = load(resolve(settings), settings.threads)
    styles = StyleRegistry.discover(settings.adapters, loaded.name, loaded.digest, loaded.model.config)
    generator = LocalGenerator(loaded, settings)
    for style in list(styles.styles.values()):
        if style.adapter is None:
            continue
        try:
            generator.add_adapter(style.id, read_weights(style)).result()
        except AdapterError as error:
            styles.reject(style.id, error)
    for name, error in styles.rejected.items():
        log.warning("style %s is left out: %s", name, error)
    return Studio(generator, styles)
