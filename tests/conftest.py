"""Fixtures every test may use."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a real file of shared/data, or a skip that names it where the folder is absent."""

    def find(name: str) -> Path:
        home = os.environ.get("TOMARIUM_SHARED") or Path(__file__).parents[2] / "shared" / "data"
        path = Path(home) / name
        if not path.exists():
            pytest.skip(f"shared/data/{name} is absent")
        return path

    return find
