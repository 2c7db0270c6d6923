"""A model from a hub: fetched once, prepared once, and usable later without the hub."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import tiny

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RESOLVE = """
import sys
from pathlib import Path
from backend.models.sources import resolve
from backend.settings import Settings
prepared = resolve(Settings(cache=Path(sys.argv[1]), model="owner/tiny-model"))
print(prepared.name, prepared.digest, prepared.path)
"""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hub holds: dense safetensors, a tokenizer, and a pickle that nobody should fetch."""
    folder = tmp_path_factory.mktemp("snapshot")
    tiny.make_model().model.save_pretrained(folder)
    tiny.make_tokenizer().save_pretrained(folder)
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    return folder


@contextmanager
def hub(folder: Path, asked: list[str]) -> Iterator[str]:
    """The little of a hub's protocol that a snapshot needs."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            asked.append(self.path)
            if "/tree/" in self.path:
                files = [{"type": "file", "path": path.name, "size": path.stat().st_size} for path in folder.iterdir()]
                body = json.dumps([file | {"oid": COMMIT} for file in files]).encode()
            elif self.path.startswith("/api/models/owner/tiny-model"):
                files = [{"rfilename": path.name} for path in sorted(folder.iterdir())]
                body = json.dumps({"id": "owner/tiny-model", "sha": COMMIT, "siblings": files}).encode()
            else:
                file = folder / self.path.rpartition("/")[2]
                body = file.read_bytes() if file.is_file() else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/json" if self.path.startswith("/api") else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", hashlib.sha256(body).hexdigest())
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def resolve_with(endpoint: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the hub's client reads its address when it is imported."""
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hub"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", RESOLVE, str(folder / "cache")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_model_is_fetched_prepared_and_then_used_without_the_hub(snapshot: Path, tmp_path: Path) -> None:
    asked: list[str] = []
    with hub(snapshot, asked) as endpoint:
        first = resolve_with(endpoint, tmp_path)
        assert first.returncode == 0, first.stderr
    name, digest, path = first.stdout.split()
    assert (name, digest) == ("tiny-model", COMMIT)
    assert (Path(path) / "model.safetensors").is_file()
    assert not [request for request in asked if request.endswith(".bin")]
    second = resolve_with(endpoint, tmp_path)
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout


def test_a_hub_that_does_not_answer_ends_in_one_sentence(tmp_path: Path) -> None:
    done = resolve_with("http://127.0.0.1:9", tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("backend.errors.SourceError: owner/tiny-model can't be had from http://127.0.0.1:9")
