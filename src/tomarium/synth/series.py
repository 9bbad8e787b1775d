"""A tall specimen scanned at several heights."""

from __future__ import annotations

from dataclasses import replace

from tomarium.errors import ParameterError
from tomarium.synth.config import SimulationConfig


def series(config: SimulationConfig, heights: int, overlap_rows: int) -> tuple[SimulationConfig, ...]:
    """Return the scans of a vertical series, from the top down.

    Parameters
    ----------
    config : SimulationConfig
        One of them.
    heights : int
        How many scans.
    overlap_rows : int
        Rows that a scan shares with the next.

    Returns
    -------
    tuple of SimulationConfig
        Scan k sees the rows from k · (rows - overlap) of the specimen, which is drawn over the height of all; noise,
        jitter and hits are its own.

    Raises
    ------
    ParameterError
        There are fewer than one height, or the overlap is not between 0 and the rows less one.
    """
    if heights < 1:
        raise ParameterError(f"simulation: {heights} heights were asked for; give 1 or more")
    if not 0 <= overlap_rows < config.rows:
        raise ParameterError(
            f"simulation: scans of {config.rows} rows cannot share {overlap_rows}; give 0 or more, and fewer than the "
            f"rows"
        )
    step = config.rows - overlap_rows
    tall = config.rows + (heights - 1) * step
    return tuple(
        replace(config, specimen_rows=tall, height_rows=(part - (heights - 1) / 2) * step, part=part)
        for part in range(heights)
    )
