"""A registry in a folder, with the tiny model in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.models.fake_registry import FakeRegistry, make_registry, write_gguf


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a GGUF file; not to be changed."""
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture
def registry(tmp_path: Path, tiny_gguf: Path) -> FakeRegistry:
    """The tiny GGUF in three packages, of this test's own."""
    return make_registry(tmp_path / "registry", tiny_gguf.read_bytes())
