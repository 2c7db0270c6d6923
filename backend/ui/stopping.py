"""Two of Chainlit's habits, corrected here and nowhere else.

Its Stop cancels the task that runs the callback, which loses the part that was written, misses the reruns of edited
messages, and says so in English. And it hides the Stop button at the end of every callback, also of one that only
took a change of the settings while an answer is being written.
"""

from __future__ import annotations

from typing import Any

from chainlit.emitter import ChainlitEmitter
from chainlit.server import sio
from chainlit.session import WebsocketSession

from backend.ui import desk


def install() -> None:
    """Put our Stop in the place of Chainlit's, and keep the button while there is something to stop."""
    original = ChainlitEmitter.task_end

    def task_end(self: ChainlitEmitter) -> Any:
        place = desk.find(self.session.id)
        return self.task_start() if place is not None and place.writing else original(self)

    async def stop(sid: str) -> None:
        session = WebsocketSession.get(sid)
        place = desk.find(session.id) if session else None
        if place is not None:
            place.stop()

    ChainlitEmitter.task_end = task_end
    sio.on("stop", stop)
