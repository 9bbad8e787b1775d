"""Sweeps of which `make test` takes a part, and `make test-nightly` the whole."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

NIGHTLY = "TOMARIUM_TESTS_NIGHTLY" in os.environ


def nightly(*values: T) -> list[T]:
    """Give the values of a sweep that are tried by night alone: more of the same as those that are always tried."""
    return list(values) if NIGHTLY else []


def count(always: int, by_night: int) -> int:
    """Tell how many of a sweep are tried."""
    return by_night if NIGHTLY else always
