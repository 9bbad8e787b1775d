"""A worker that opens no file of a member itself: whatever would be read in this process fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def worker_reads_nothing() -> Iterator[None]:
    """Refuse in this process what opens scans, images and volumes; a confined process does it."""

    def refused(*told: Any, **_named: Any) -> Any:
        raise AssertionError(f"read in the worker itself: {told}")

    with pytest.MonkeyPatch.context() as patch:
        for place in (
            "tomarium.formats.open",
            "tomarium.formats.zarr.reader.read",
            "tomarium.viewers.volume.open_here",
            "tomarium.catalogue.model_jobs.open_here",
            "tomarium.catalogue.confined_volumes.open_here",
            "tomarium.specimen.image.open_file",
        ):
            patch.setattr(place, refused)
        yield
