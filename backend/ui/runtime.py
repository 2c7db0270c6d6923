"""What the running application shares with Chainlit's callbacks: settings, the option schema and, once it is loaded,
the studio. Chainlit loads ``app.py`` by its path, so there is nobody to hand these to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from backend.chat.limits import Limits
from backend.chat.options import OptionSchema
from backend.errors import MoyunError
from backend.settings import Settings
from backend.startup import Studio

Next = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Runtime:
    """One serving process."""

    settings: Settings
    schema: OptionSchema
    session_timeout: float = 900.0  # seconds that a conversation outlives its connection
    grace: float = 20.0  # seconds that an answer is written on for a lost connection
    progress: str = ""
    studio: Studio | None = None
    failure: BaseException | None = None
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    stop_serving: Callable[[], None] = lambda: None

    async def ready(self) -> Studio:
        """The studio, as soon as it is loaded."""
        await self.loaded.wait()
        if self.studio is None:
            raise MoyunError("The model could not be loaded; see the log.", "模型未能载入；请看运行窗口里的记录。")
        return self.studio

    @property
    def limits(self) -> Limits:
        """What a conversation may ask for."""
        return Limits(self.settings.max_new_tokens, self.settings.max_message_chars)


_current: Runtime | None = None


def install(runtime: Runtime) -> None:
    """Make ``runtime`` the one that callbacks find."""
    global _current
    _current = runtime


def current() -> Runtime:
    """The runtime of this process."""
    if _current is None:
        raise MoyunError(
            "Start the application with `moyun serve`, not with Chainlit's own command.",
            "请用 moyun serve 启动，不要用 Chainlit 自己的命令。",
        )
    return _current
