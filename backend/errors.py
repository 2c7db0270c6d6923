"""Every error that Moyun raises on purpose.

    MoyunError
    ├── SettingsError            a configuration file, a variable or an option that can't be used
    ├── ModelError               the base model can't be had
    │   ├── SourceError          fetching: registry or hub unreachable, disk full, another process at it
    │   │   └── DigestError      what arrived is not what was asked for
    │   └── LoadingError         the files are there and can't be loaded
    ├── AdapterError             an adapter that is refused, with the reason
    ├── ProsodyError             a form, rhyme or option that doesn't exist or can't be kept
    ├── CorpusError              the corpus can't be built, opened or searched
    ├── TrainingError            poems, a recipe or a machine that an adapter can't be trained with
    └── GenerationError          a request that can't be served
        ├── RequestError         it asks for what isn't there: unknown style, n too large, bad sampling
        │   └── TooLongError     the messages don't fit the context
        ├── QueueFullError       too many are waiting
        ├── TimeLimitError       the request ran past its wall time
        ├── NumericsError        the model gave NaN for this request
        ├── MemoryLimitError     no memory was left for this request
        └── EngineStoppedError   the model thread has ended

Each carries one sentence in English and one in Chinese: what was wrong, with the offending value, and what to do.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Language = Literal["zh", "en"]


def language_of(tag: str | None) -> Language:
    """The interface language for a BCP 47 tag such as ``zh-CN`` or ``en-GB``; Chinese where none is given."""
    return "zh" if not tag or tag.lower().startswith("zh") else "en"


class MoyunError(Exception):
    """One clear sentence in each interface language; ``str()`` is the English one, for logs and terminals."""

    exit_code: ClassVar[int] = 1

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def say(self, language: Language) -> str:
        """The sentence for a writer who reads ``language``."""
        return self.zh if language == "zh" else self.en


class SettingsError(MoyunError):
    """A configuration file, an environment variable or an option that can't be used."""

    exit_code = 2


class ModelError(MoyunError):
    """The base model can't be had."""


class SourceError(ModelError):
    """The model's files can't be fetched or prepared."""


class DigestError(SourceError):
    """What arrived is not what was asked for."""


class LoadingError(ModelError):
    """The model's files are there and can't be loaded."""


class AdapterError(MoyunError):
    """An adapter that is refused, with the reason."""


class ProsodyError(MoyunError):
    """A form, rhyme or option that doesn't exist or can't be kept."""

    exit_code = 2


class CorpusError(MoyunError):
    """The corpus can't be built, opened or searched."""


class TrainingError(MoyunError):
    """Poems, a recipe, a checkpoint or a machine that an adapter can't be trained with."""


class GenerationError(MoyunError):
    """A request that can't be served."""


class RequestError(GenerationError):
    """The request asks for what isn't there or isn't allowed."""

    exit_code = 2


class TooLongError(RequestError):
    """The messages don't fit the context."""


class QueueFullError(GenerationError):
    """Too many requests are waiting."""


class TimeLimitError(GenerationError):
    """The request ran past its wall time."""


class NumericsError(GenerationError):
    """The model gave NaN or infinite logits for this request."""


class MemoryLimitError(GenerationError):
    """No memory was left for this request."""


class EngineStoppedError(GenerationError):
    """The model thread has ended; the application must be started again."""
