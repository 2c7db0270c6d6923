"""The web application: Chainlit's page mounted beside our own routes, and the model's life around both."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
import threading
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar, cast

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from backend import startup
from backend.chat.options import load_schema
from backend.errors import MoyunError, SettingsError, language_of
from backend.settings import ROOT, Settings
from backend.ui import page, runtime
from backend.ui.guard import Guard
from backend.ui.runtime import Runtime

log = logging.getLogger(__name__)
Result = TypeVar("Result")
CONFIG = ROOT / "chainlit.config.toml"


def serve(settings: Settings, config: Path = CONFIG) -> int:
    """Serve the page until it is interrupted. Returns the exit code.

    Raises:
        MoyunError: the configuration, the port or the model can't be had.
    """
    run = Runtime(settings, load_schema(config), _session_timeout(config))
    runtime.install(run)
    with _listening(settings) as listener, tempfile.TemporaryDirectory(prefix="moyun-page-") as folder:
        page.scrub_environment(os.environ)
        page.lay_out_root(Path(folder), config)
        os.environ["CHAINLIT_APP_ROOT"] = folder
        server = uvicorn.Server(uvicorn.Config(build(run), log_config=None, access_log=False))
        run.stop_serving = lambda: setattr(server, "should_exit", True)
        with suppress(KeyboardInterrupt):  # uvicorn ends in order and then raises it once more
            server.run(sockets=[listener])
    if isinstance(run.failure, MoyunError):
        raise run.failure
    return 1 if run.failure else 0


def _session_timeout(config: Path) -> float:
    """Seconds that a conversation outlives its connection: Chainlit's own setting."""
    with config.open("rb") as file:
        return float(tomllib.load(file).get("project", {}).get("session_timeout", 300))


def _listening(settings: Settings) -> socket.socket:
    """A bound socket, before anything slow begins, so that a port in use is said at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise SettingsError(
            f"Can't listen on {settings.host} port {settings.port} ({error}); "
            "stop what uses it or choose another with --port or MOYUN_PORT.",
            f"不能在 {settings.host} 的 {settings.port} 端口监听（{error}）；"
            "请停掉占用它的程序，或用 --port 或 MOYUN_PORT 另选一个。",
        ) from error
    return listener


def build(run: Runtime) -> FastAPI:
    """The application. ``CHAINLIT_APP_ROOT`` must be set and filled."""
    logging.getLogger("chainlit").setLevel(logging.ERROR)  # it tells of every file that it copies
    import chainlit.server
    from chainlit.utils import mount_chainlit

    html = page.clean(chainlit.server.get_html_template(""))
    chainlit.server.get_html_template = lambda root_path: html

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(_load(run))
        yield
        loading.cancel()
        if run.studio is not None:
            await run.studio.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready")
    async def ready() -> JSONResponse:
        return _readiness(run)

    @app.middleware("http")
    async def wait_for_model(request: Request, call_next: runtime.Next) -> Response:
        if run.loaded.is_set() or "text/html" not in request.headers.get("accept", ""):
            return await call_next(request)
        language = language_of(request.headers.get("accept-language"))
        return HTMLResponse(page.waiting_page(language, run.progress), 503, {"Retry-After": "2"})

    for path in ("/docs", "/redoc", "/openapi.json"):  # Chainlit's, which would fetch their scripts from elsewhere
        app.add_api_route(path, lambda: Response(status_code=404), methods=["GET"])
    # by which a client could have the page compile another file, or change what a card says
    app.add_api_route("/project/element", lambda: Response(status_code=404), methods=["PUT", "DELETE"])
    mount_chainlit(app, str(ROOT / "app.py"), "/")
    app.add_middleware(Guard, settings=run.settings, policy=page.policy_for(html))
    return app


def _readiness(run: Runtime) -> JSONResponse:
    if run.studio is None:
        return JSONResponse({"status": "loading", "progress": run.progress}, 503)
    if not getattr(run.studio.generator, "running", True):
        return JSONResponse({"status": "stopped"}, 503)
    return JSONResponse({"status": "ready", "model": run.studio.generator.model_name})


async def _load(run: Runtime) -> None:
    def note(progress: object) -> None:
        run.progress = str(progress)

    try:
        run.studio = await _in_thread(lambda: startup.start(run.settings, note))
    except Exception as error:
        if not isinstance(error, MoyunError):
            log.exception("The model could not be loaded")
        run.failure = error
        run.stop_serving()
        return
    run.loaded.set()
    shown = "localhost" if run.settings.host in ("127.0.0.1", "::1", "0.0.0.0", "::") else run.settings.host
    log.info("Moyun is ready: http://%s:%d (model: %s)", shown, run.settings.port, run.studio.generator.model_name)


async def _in_thread(work: Callable[[], Result]) -> Result:
    """Run ``work`` in a thread that stays, but does not keep the process alive when it is interrupted."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("Result", result))

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            problem = error
        with suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(settle, result, problem)
        # Stay: when the thread that first ran torch ends, OpenMP believes that the cores are free for spinning, and the
        # model's own threads slow down several times as soon as anything else runs.
        threading.Event().wait()

    threading.Thread(target=run, name="moyun-load", daemon=True).start()
    return await done
