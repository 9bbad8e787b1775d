"""A simulated scan as any other scan, in memory or in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path
from threading import Lock

from tomarium import registry
from tomarium.errors import InputError, ParameterError
from tomarium.formats.format import Format
from tomarium.model import FrameKind, Geometry, Scan, Value
from tomarium.model.scan import Reference
from tomarium.synth.config import SimulationConfig, truth
from tomarium.synth.frames import SimulatedFrames


def simulated(config: SimulationConfig, *, on_read: Callable[[int], None] | None = None) -> Scan:
    """Return a simulated scan whose frames are made when they are read.

    Parameters
    ----------
    config : SimulationConfig
        What to simulate.
    on_read : callable, optional
        Called with the number of frames after each was made, in whatever thread made it.

    Returns
    -------
    Scan
        Without the axis: `truth(config).axis_column` has it, and finding it is part of the game.
    """
    scan_truth = truth(config)
    source = f"simulated with seed {config.seed}"
    darks, flats, projections = (
        SimulatedFrames(config, scan_truth, kind, on_read)
        for kind in (FrameKind.DARK, FrameKind.FLAT, FrameKind.PROJECTION)
    )
    return Scan(
        path=Path(f"simulated-{config.seed}"),
        name=f"simulated-{config.seed}",
        format="simulation",
        dialect="tomarium",
        why="it was simulated",
        projections=projections,
        geometry=Geometry(
            angles_deg=Value(scan_truth.angles_deg, "derived", source),
            pixel_m=Value(config.pixel_m, "derived", source),
            energy_kev=Value(config.energy_kev, "derived", source),
            distance_m=Value(config.distance_m, "derived", source),
        ),
        flats=Reference(flats, flats.position()) if config.flats else None,
        darks=Reference(darks, darks.position()) if config.darks else None,
        counts={kind.kind: kind.shape[0] for kind in (darks, flats, projections)},
        metadata={
            "title": Value(f"Simulated specimen {config.seed}", "derived", source),
            "sample_name": Value(f"specimen {config.seed}", "derived", source),
            "instrument": Value("simulation", "derived", source),
        },
    )


def simulate(
    out: Path,
    config: SimulationConfig,
    *,
    to: str = "data-exchange",
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Simulate a scan into a file that holds its truth too.

    Parameters
    ----------
    out : Path
        File to write.
    config : SimulationConfig
        What to simulate.
    to : str
        Format that writes scans: "data-exchange" or "nxtomo".
    on_progress : callable, optional
        Called as `on_progress(done, total)` in frames, once for each frame.

    Returns
    -------
    Path
        `out`. Below /truth it has what `Truth.entries` names.

    Raises
    ------
    ParameterError
        There is no such format, or it writes no scans.
    InputError
        There is something at the place already.
    """
    if out.exists():
        raise InputError(f"{out} is there already; remove it, or give another name")
    formats = registry.collect("formats", Format)
    writers = {
        name: form.write
        for name, form in formats.items()
        if form.write is not None and "extra" in signature(form.write).parameters  # what truth is kept by
    }
    if to not in writers:
        raise ParameterError(
            f"a simulated scan cannot be written as {to!r}; "
            f"formats that write scans with their truth are {', '.join(writers) or 'none'}"
        )
    total = config.darks + 2 * config.flats + config.views
    scan = simulated(config, on_read=_counter(total, on_progress))
    writers[to](out, replace(scan, path=out), extra={"truth": dict(truth(config).entries())})
    return out


def _counter(total: int, on_progress: Callable[[int, int], None] | None) -> Callable[[int], None] | None:
    """Add up what several threads report."""
    if on_progress is None:
        return None
    lock = Lock()
    done = 0

    def count(frames: int) -> None:
        nonlocal done
        with lock:
            done += frames
            on_progress(min(done, total), total)

    return count
