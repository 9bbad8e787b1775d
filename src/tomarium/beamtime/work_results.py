"""What a worker hands to the page of work: a slice or several as numbers, and facts beside them.

Each job has a folder of its own beside the catalogue. What is in it is whole or absent, and cleared away after a day.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.atomic_files import write_json

LARGEST_PX: Final = 2048
"""Width of a slice that is kept at most; larger ones are averaged down."""
KEPT_S: Final = 86400.0
"""Seconds for which the slices of a job are kept."""
MOST_BYTES: Final = 4 << 30
"""Bytes of all folders together; beyond it the oldest go first."""


def results_folder(home: Path, job: int) -> Path:
    """Return the folder of a job.

    Parameters
    ----------
    home : Path
        Of the catalogue.
    job : int
        Its number.

    Returns
    -------
    Path
        It need not exist.
    """
    return home / "work" / "jobs" / str(job)


def averaged(image: NDArray[Any], largest: int = LARGEST_PX) -> tuple[NDArray[np.float32], int]:
    """Average an image down until it is at most so wide and high.

    Parameters
    ----------
    image : array, shape (y, x)
        Any.
    largest : int
        Pixels along an axis at most.

    Returns
    -------
    array, int
        float32, and how many pixels became one along each axis.
    """
    factor = max(1, -(-max(image.shape) // largest))
    if factor == 1:
        return np.asarray(image, np.float32), 1
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    part = np.asarray(image[: rows * factor, : columns * factor], np.float32)
    return part.reshape(rows, factor, columns, factor).mean(axis=(1, 3), dtype=np.float32), factor


def write_results(folder: Path, images: NDArray[np.float32], facts: Mapping[str, Any]) -> None:
    """Keep the slices of a job; the facts come last, so that where they are all is.

    Parameters
    ----------
    folder : Path
        Of the job.
    images : array, shape (slice, y, x)
        One slice or several.
    facts : mapping
        JSON-ready.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / ".slices.part"
    with draft.open("wb") as file:
        np.save(file, np.ascontiguousarray(images, np.float32), allow_pickle=False)
    draft.replace(folder / "slices.npy")
    write_json(folder / "facts.json", dict(facts))


def read_facts(folder: Path) -> dict[str, Any] | None:
    """Read the facts of a job.

    Parameters
    ----------
    folder : Path
        Of the job.

    Returns
    -------
    dict or None
        None where it is not done, or its files were cleared away.
    """
    try:
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def read_slice(folder: Path, number: int) -> NDArray[np.float32] | None:
    """Read a slice of a job.

    Parameters
    ----------
    folder : Path
        Of the job.
    number : int
        Which of its slices.

    Returns
    -------
    array, shape (y, x), or None
        None where there is no such slice.
    """
    try:
        slices = np.load(folder / "slices.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return np.array(slices[number]) if 0 <= number < len(slices) else None


def clear_results(home: Path, now: float | None = None) -> None:
    """Remove the slices of jobs that are older than a day, and the oldest where all take too much room.

    Parameters
    ----------
    home : Path
        Of the catalogue.
    now : float, optional
        Seconds since 1970; the present moment by default.
    """
    moment = time.time() if now is None else now
    results = []
    for folder in (home / "work" / "jobs").glob("*"):
        with suppress(OSError):
            size = sum(entry.stat().st_size for entry in os.scandir(folder))
            results.append((folder.stat().st_mtime, size, folder))
    total = 0
    for changed, size, folder in sorted(results, reverse=True):  # the newest first
        total += size
        if moment - changed > KEPT_S or total > MOST_BYTES:
            shutil.rmtree(folder, ignore_errors=True)
