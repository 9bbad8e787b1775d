"""`tomarium simulate`: an honest synthetic scan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from tomarium import units
from tomarium.cli import show
from tomarium.cli.option_groups import GroupedCommand, under
from tomarium.errors import ParameterError

if TYPE_CHECKING:
    from tomarium.synth.config import SimulationConfig

_scan, _sample, _beam, _detector, _motion, _series = (
    under(heading)
    for heading in ("Scan", "Sample", "Beam", "Detector", "Motion and geometry", "Series and file")
)

_NONE: Final[Mapping[str, Any]] = {"dead_pixels": 0, "hot_pixels": 0, "ring_error": 0.0, "zingers": 0.0}


@click.command("simulate", cls=GroupedCommand)
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@_scan("--size", default=512, show_default=True, help="Columns and rows of the detector.")
@_scan("--rows", type=int, help="Rows of the detector, where it is not square.")
@_scan("--views", default=900, show_default=True, help="Projections.")
@_scan("--seed", default=0, show_default=True, help="Seed of all that is drawn.")
@_scan("--span", help="Turn over which the views are spread; 180 deg by default, 360 deg with --half.")
@_scan("--start", default="0 deg", show_default=True, help="First angle.")
@_scan(
    "--axis", type=float, metavar="COLUMN", help="Column of the rotation axis; near the middle by default."
)
@_scan("--half", is_flag=True, help="Half acquisition: the axis near the last column, over a full turn.")
@_scan("--pixel", default="3.25 um", show_default=True, help="Pixel size.")
@_scan("--energy", default="25 keV", show_default=True, help="Photon energy.")
@_scan("--distance", default="5 cm", show_default=True, help="Distance from sample to detector.")
@_sample(
    "--absorption",
    default=1.2,
    show_default=True,
    help="Line integral of the attenuation through the specimen's middle, about.",
)
@_sample(
    "--wide", type=float, help="Largest width of the specimen over that of the field of view, such as 1.5."
)
@_sample(
    "--delta-beta",
    type=float,
    help="Ratio δ/β of the sample, whose edges then show fringes; 0, none, by default.",
)
@_sample(
    "--propagation",
    type=click.Choice(["transport", "wave"]),
    help="How fringes are made: by the transport of intensity, the default, or by the wave, true at any distance.",
)
@_sample("--phase", is_flag=True, help="Phase contrast: --delta-beta 200 --propagation wave, where not told.")
@_beam("--photons", default=10_000.0, show_default=True, help="Photons in a pixel of the open beam.")
@_beam(
    "--beam-drift", metavar="PX", help="How far the beam moves along rows during the scan, such as '2 px'."
)
@_beam("--beam-jitter", metavar="PX", help="Standard deviation of the beam's place from frame to frame.")
@_beam(
    "--stripes",
    default="6.5%",
    show_default=True,
    help="Stripes of a monochromator: sum of their amplitudes.",
)
@_beam(
    "--current-decay", metavar="PERCENT", help="Intensity lost from the first view to the last, such as 10%."
)
@_detector(
    "--rings", metavar="PERCENT", help="Standard deviation of the columns' response to the sample; 0.2%."
)
@_detector(
    "--fixed-pattern", metavar="PERCENT", help="Standard deviation of the pixels' gain, flats too; 2%."
)
@_detector("--dead", type=int, help="Pixels that count nothing; 8 by default.")
@_detector("--hot", type=int, help="Pixels that always count the most; 8 by default.")
@_detector(
    "--zingers",
    type=float,
    help="Hits by stray radiation for each pixel and frame, such as 1e-5; 0.5 a frame.",
)
@_detector(
    "--clean", is_flag=True, help="No dead or hot pixels, rings or hits but those asked for beside it."
)
@_motion(
    "--drift", metavar="PX", help="How far the sample moves during the scan: '3 px' along x, or '3,-2,1 px'."
)
@_motion("--jitter", metavar="PX", help="Standard deviation of the sample's place from view to view.")
@_motion(
    "--roll", metavar="DEG", help="Turn of the axis in the detector's plane, counter-clockwise: '0.3 deg'."
)
@_motion(
    "--blocked", multiple=True, metavar="A:B", help="A bar passes the beam from angle A to B in degrees."
)
@_series(
    "--heights", type=int, metavar="N", help="A series of N scans from the top down: OUT-0.h5, OUT-1.h5, …"
)
@_series(
    "--overlap", type=int, metavar="ROWS", help="Rows that two scans of a series share; a quarter by default."
)
@_series("--to", "format_name", default="data-exchange", show_default=True, help="data-exchange or nxtomo.")
def command(output: Path, heights: int | None, overlap: int | None, format_name: str, **options: Any) -> None:
    """Simulate a scan of a specimen made of ellipsoids, with its truth stored in the file OUT.

    Exact line integrals, transmission averaged over each pixel, photon noise, flats, darks, defects and motion. What
    was put in stands below /truth in the file: places of sample and beam in each view, responses, hits, bars.

    \b
    tomarium simulate scan.h5
    tomarium simulate small.nxs --size 128 --views 180 --seed 7 --to nxtomo
    tomarium simulate far.h5 --size 256 --absorption 0.05 --delta-beta 200 --distance '20 cm' --propagation wave
    tomarium simulate phase.h5 --phase --rings 2% --zingers 1e-5 --half
    tomarium simulate rings.h5 --rings 2% --zingers 1e-5 --dead 40
    tomarium simulate moves.h5 --span '360 deg' --drift '3,-2,1 px' --jitter '0.5 px' --beam-drift '2 px'
    tomarium simulate half.h5 --half --wide 1.2 --roll '0.3 deg' --current-decay 10%
    tomarium simulate tall.h5 --rows 64 --heights 3 --overlap 16
    """
    from tomarium.synth.scan import simulate
    from tomarium.synth.series import series

    tell = show.progress()
    config = _config(**options)
    if overlap is not None and heights is None:
        raise click.UsageError("--overlap goes with --heights")
    scans: tuple[SimulationConfig, ...] = (config,)
    files = [output]
    if heights is not None:
        scans = series(config, heights, config.rows // 4 if overlap is None else overlap)
        files = [output.with_stem(f"{output.stem}-{scan.part}") for scan in scans]
    for scan, file in zip(scans, files, strict=True):
        simulate(file, scan, to=format_name, on_progress=lambda done, all: tell("simulate", done, all))
    paths = ", ".join(map(str, files))
    then = f"tomarium info {files[0]}"
    if len(files) > 1:
        further_scans = ",".join(file.name for file in files[1:])
        then = f"tomarium run {files[0]} --step stitch --set stitch.scans={further_scans}"
    click.echo(
        f"{paths}: {config.views} views of {config.rows} × {config.columns}, seed {config.seed}; next: {then}"
    )


def _config(
    *,
    size: int,
    rows: int | None,
    views: int,
    seed: int,
    span: str | None,
    start: str,
    axis: float | None,
    half: bool,
    pixel: str,
    energy: str,
    distance: str,
    absorption: float,
    wide: float | None,
    delta_beta: float | None,
    propagation: Literal["transport", "wave"] | None,
    phase: bool,
    photons: float,
    clean: bool,
    blocked: tuple[str, ...],
    **defects: Any,
) -> SimulationConfig:
    """Return the scan that the words of the command line ask for."""
    from tomarium.synth.config import SimulationConfig

    span_deg = units.parse(span or ("360 deg" if half else "180 deg"), "deg")
    if half and span_deg < 360:
        raise ParameterError(
            f"--half with --span {span}: half acquisition needs a full turn; leave --span, or give 360 deg"
        )
    if half and axis is None:
        axis = round(0.89 * (size - 1)) + 0.37
    height = size if rows is None else rows
    return SimulationConfig(
        columns=size,
        rows=height,
        views=views,
        seed=seed,
        span_deg=span_deg,
        start_deg=units.parse(start, "deg"),
        axis_column=axis,
        photons=photons,
        gain=min(4.0, 50_000 / photons) if photons > 0 else 4.0,
        pixel_m=units.parse(pixel, "m"),
        energy_kev=units.parse(energy, "keV"),
        absorption=absorption,
        distance_m=units.parse(distance, "m"),
        delta_beta=(200.0 if phase else 0.0) if delta_beta is None else delta_beta,
        propagation=propagation or ("wave" if phase else "transport"),
        wide=0.0 if wide is None else wide,
        blocked_deg=tuple(_read_range(text) for text in blocked),
        **{**(_NONE if clean else {}), **_read_defects(height * size, **defects)},
    )


def _read_defects(
    pixels: int,
    *,
    beam_drift: str | None,
    beam_jitter: str | None,
    stripes: str,
    current_decay: str | None,
    rings: str | None,
    fixed_pattern: str | None,
    dead: int | None,
    hot: int | None,
    zingers: float | None,
    drift: str | None,
    jitter: str | None,
    roll: str | None,
) -> dict[str, Any]:
    """Return what was asked for of beam, detector and motion, by the names of the configuration."""
    defects: dict[str, Any] = {
        "beam_drift_rows": beam_drift and units.parse(beam_drift, "px"),
        "beam_jitter_rows": beam_jitter and units.parse(beam_jitter, "px"),
        "beam_stripes": _read_part(stripes),
        "current_decay": current_decay and _read_part(current_decay),
        "ring_error": rings and _read_part(rings),
        "fixed_pattern": fixed_pattern and _read_part(fixed_pattern),
        "dead_pixels": dead,
        "hot_pixels": hot,
        "zingers": None if zingers is None else zingers * pixels,
        "drift_px": drift and _read_drift(drift),
        "jitter_px": jitter and units.parse(jitter, "px"),
        "roll_deg": roll and units.parse(roll, "deg"),
    }
    return {name: value for name, value in defects.items() if value is not None}


def _read_part(text: str) -> float:
    return units.parse(text, "%") / 100


def _read_drift(text: str) -> tuple[float, float, float]:
    """Read "3 px" or "3,-2,1 px": along x, y and z."""
    *first, last = (part.strip() for part in text.split(","))
    unit = last.lstrip("+-.0123456789eE").strip()
    numbers = [units.parse(f"{part} {unit}" if unit else part, "px") for part in first]
    numbers.append(units.parse(last, "px"))
    if len(numbers) > 3:
        raise ParameterError(f"--drift {text}: {len(numbers)} numbers; give at most three, along x, y and z")
    x, y, z = (*numbers, 0.0, 0.0)[:3]
    return x, y, z


def _read_range(text: str) -> tuple[float, float]:
    """Read "40:55", degrees."""
    parts = text.removesuffix("deg").split(":")
    try:
        first, last = map(float, parts)
    except ValueError:
        raise ParameterError(f"--blocked {text}: give two angles in degrees, such as 40:55") from None
    return first, last
