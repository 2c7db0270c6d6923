"""The model thread: everything that touches the model happens on it, in between two steps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from backend.engine.engine import Engine
from backend.errors import EngineStoppedError

log = logging.getLogger(__name__)
T = TypeVar("T")

FAILED_STEPS = 3  # steps that may fail in a row before the thread gives up


def stopped_error() -> EngineStoppedError:
    """The sentence for a model thread that is gone."""
    return EngineStoppedError(
        "The model has stopped; start Moyun again. The log has the details.",
        "模型已停止，请重新启动墨韵；详情见日志。",
    )


class Worker:
    """Runs an engine on a thread of its own.

    Args:
        make_engine: builds the engine on that thread.
    """

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._jobs: SimpleQueue[Callable[[Engine], None] | None] = SimpleQueue()
        self._started: Future[None] = Future()
        self._alive = True
        self._thread = Thread(target=self._run, args=(make_engine,), name="model", daemon=True)
        self._thread.start()
        self._started.result()

    @property
    def alive(self) -> bool:
        """Whether requests are still served."""
        return self._alive and self._thread.is_alive()

    def submit(self, job: Callable[[Engine], T]) -> Future[T]:
        """Run a job on the model thread before its next step.

        Raises:
            EngineStoppedError: the thread has ended.
        """
        if not self.alive:
            raise stopped_error()
        future: Future[T] = Future()

        def run(engine: Engine) -> None:
            try:
                future.set_result(job(engine))
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                future.set_exception(error)

        self._jobs.put(run)
        return future

    def close(self) -> None:
        """Cancel everything, end the thread and wait for it."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self, make_engine: Callable[[], Engine]) -> None:
        try:
            engine = make_engine()
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the start
            self._alive = False
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        try:
            self._serve(engine)
        except BaseException:
            log.critical("the model thread has ended", exc_info=True)
        finally:
            self._alive = False
            engine.fail_all(stopped_error())
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job(engine)

    def _serve(self, engine: Engine) -> None:
        """Jobs and steps until told to stop, or until steps keep failing."""
        failures = 0
        while True:
            while not self._jobs.empty() or not engine.scheduler:
                job = self._jobs.get()
                if job is None:
                    return
                job(engine)
            try:
                engine.step()
                failures = 0
            except Exception as error:
                failures += 1
                log.exception("a step failed (%d in a row)", failures)
                engine.fail_all(error)
                if failures >= FAILED_STEPS:
                    raise
