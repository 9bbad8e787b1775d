"""What a simulated scan is asked to be, and what is true of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import ParameterError
from tomarium.kernels.phantom import Ellipsoid
from tomarium.synth.course import Course, all_hits, course
from tomarium.synth.specimen import BODY, specimen


@dataclass(frozen=True)
class SimulationConfig:
    """A scan to simulate.

    Attributes
    ----------
    columns, rows, views : int
        Detector size in px and number of projections.
    start_deg, span_deg : float
        First angle, and the turn over which the views are spread; the end itself is not taken.
    axis_column : float or None
        Column of the rotation axis, 0-based, pixel centres at integers; near an edge for half acquisition.
        None draws it within 3 % of the width about the middle.
    ellipsoids : tuple of Ellipsoid or None
        Phantom in px; None draws a specimen that fits in the field of view, which for a full turn about an
        axis near an edge is that of a half acquisition.
    absorption : float
        About the line integral of the attenuation through the middle of a specimen that is drawn.
    seed : int
        Seed of everything that is drawn.
    subrays : int
        Rays along each edge of a pixel, whose transmissions are averaged.
    photons : float
        Photons detected in a pixel of the open beam at its brightest.
    gain : float
        Counts for one photon.
    dark_level, read_noise : float
        Mean and standard deviation of a frame without beam, in counts.
    flats : int
        Flat frames before the scan, and again after it.
    darks : int
        Dark frames before the scan.
    beam_drift_rows : float
        Rows by which the beam moves from the first projection to the last; it drifts through the flats too.
    fixed_pattern : float
        Relative standard deviation of the pixels' gain; the same in flats, so that flat-fielding removes it.
    beam_jitter_rows : float
        Standard deviation in rows of the beam's place from frame to frame, flats and projections alike.
    beam_stripes : float
        Sum of the relative amplitudes of the stripes that a multilayer monochromator leaves; they move with the beam.
    current_decay : float
        Part of the beam's intensity that is lost from the first projection to the last, as exp(-t); flats too.
    ring_error : float
        Relative standard deviation of the columns' response to a sample against that to the flats: rings.
    dead_pixels, hot_pixels : int
        Pixels that count nothing, or always the most.
    zingers : float
        Mean number of hits by stray radiation in a frame; each is one to three pixels along a row.
    drift_px : tuple of float
        How far the sample moves from the first projection to the last along x, y and z (down), in px. It stands in
        its place in the middle of the scan.
    jitter_px : float
        Standard deviation in px of the sample's place in each view, along columns and along rows.
    roll_deg : float
        How far the axis is turned in the detector's plane, degrees, counter-clockwise.
    blocked_deg : tuple of (float, float)
        Ranges of angle in degrees over which a bar passes the beam, such as a column of a press.
    wide : float
        Largest width of a drawn specimen over that of the field of view; 0 for one that fits with a margin.
    specimen_rows : int or None
        Height in px over which a specimen is drawn; the detector's where it is None.
    height_rows : float
        How far the middle of the detector stands below the middle of the specimen, in px.
    part : int
        Number of the scan in a series: noise, jitter and hits differ, specimen and detector are the same.
    pixel_m, energy_kev, distance_m : float
        Pixel size at the sample in m, photon energy in keV and distance from sample to detector in m.
    delta_beta : float
        Ratio δ/β of the sample, whose edges then show the fringes of free propagation; 0 for none.
    propagation : {"transport", "wave"}
        How they are made: by the transport of intensity, quick, which Paganin's filter undoes exactly; or by the wave
        itself, which is true at any distance.
    """

    columns: int = 512
    rows: int = 512
    views: int = 900
    start_deg: float = 0.0
    span_deg: float = 180.0
    axis_column: float | None = None
    ellipsoids: tuple[Ellipsoid, ...] | None = None
    absorption: float = 1.2
    seed: int = 0
    subrays: int = 2
    photons: float = 10_000.0
    gain: float = 4.0
    dark_level: float = 100.0
    read_noise: float = 4.0
    flats: int = 20
    darks: int = 20
    beam_drift_rows: float = 0.0
    beam_jitter_rows: float = 0.0
    beam_stripes: float = 0.065
    current_decay: float = 0.0
    fixed_pattern: float = 0.02
    ring_error: float = 0.002
    dead_pixels: int = 8
    hot_pixels: int = 8
    zingers: float = 0.5
    drift_px: tuple[float, float, float] = (0.0, 0.0, 0.0)
    jitter_px: float = 0.0
    roll_deg: float = 0.0
    blocked_deg: tuple[tuple[float, float], ...] = ()
    wide: float = 0.0
    specimen_rows: int | None = None
    height_rows: float = 0.0
    part: int = 0
    pixel_m: float = 3.25e-6
    energy_kev: float = 25.0
    distance_m: float = 0.05
    delta_beta: float = 0.0
    propagation: Literal["transport", "wave"] = "transport"

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        for name in (
            "columns",
            "rows",
            "views",
            "subrays",
            "photons",
            "absorption",
            "gain",
            "pixel_m",
            "energy_kev",
            "span_deg",
        ):
            if not 0 < getattr(self, name) < inf:
                raise ParameterError(f"simulation: {name} is {getattr(self, name)}; give a number above 0")
        for name in (
            "flats",
            "darks",
            "read_noise",
            "fixed_pattern",
            "ring_error",
            "zingers",
            "delta_beta",
            "seed",
            "beam_jitter_rows",
            "beam_stripes",
            "jitter_px",
            "wide",
            "part",
        ):
            if not 0 <= getattr(self, name) < inf:
                raise ParameterError(f"simulation: {name} is {getattr(self, name)}; give 0 or more")
        if self.propagation not in ("transport", "wave"):
            raise ParameterError(
                f"simulation: there is no propagation {self.propagation!r}; choose from transport, wave"
            )
        if self.axis_column is not None and not -self.columns <= self.axis_column <= 2 * self.columns - 1:
            raise ParameterError(
                f"simulation: axis_column is {self.axis_column} on a detector of {self.columns} columns; "
                f"give the rotation axis in pixels, at most {self.columns} beyond either edge"
            )
        for name in ("beam_stripes", "current_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ParameterError(
                    f"simulation: {name} is {getattr(self, name)}; give a part of the beam, 0 or more and below 1"
                )
        if abs(self.roll_deg) > 45:
            raise ParameterError(f"simulation: roll_deg is {self.roll_deg}; give at most 45 degrees")
        for first, last in self.blocked_deg:
            if not self.start_deg <= first < last <= self.start_deg + self.span_deg:
                raise ParameterError(
                    f"simulation: blocked_deg has {first:g} to {last:g} degrees, but the scan goes from "
                    f"{self.start_deg:g} to {self.start_deg + self.span_deg:g}; give a rising range within it"
                )
        if self.dead_pixels + self.hot_pixels > self.rows * self.columns:
            raise ParameterError(
                f"simulation: {self.dead_pixels} dead and {self.hot_pixels} hot pixels were asked for, but "
                f"the detector has {self.rows * self.columns}; ask for fewer"
            )


@dataclass(frozen=True)
class Truth:
    """What is true of a simulated scan.

    Attributes
    ----------
    ellipsoids : tuple of Ellipsoid
        Phantom; lengths in px from the axis and the middle row, attenuation in 1/px.
    angles_deg : array of float64, shape (view,)
        Rotation angles in degrees.
    axis_column : float
        Column of the rotation axis, 0-based, pixel centres at integers.
    pixel_gain : array of float32, shape (row, column)
        Relative gain of each pixel, in flats and projections alike.
    column_response : array of float32, shape (column,)
        Response to the sample over response to the flats.
    dead, hot : array of intp, shape (pixel,)
        Flat index row · columns + column of the defective pixels.
    course : Course
        What changes from frame to frame: places of sample and beam, intensity, bars.
    config : SimulationConfig
        What was asked for.
    """

    ellipsoids: tuple[Ellipsoid, ...]
    angles_deg: NDArray[np.float64]
    axis_column: float
    pixel_gain: NDArray[np.float32]
    column_response: NDArray[np.float32]
    dead: NDArray[np.intp]
    hot: NDArray[np.intp]
    course: Course
    config: SimulationConfig

    @property
    def seed(self) -> int:
        """Seed all of it was drawn from."""
        return self.config.seed

    def entries(self) -> Mapping[str, NDArray[np.generic] | str | float]:
        """Return it as named arrays and numbers, for a file's own group of truth.

        Returns
        -------
        Mapping of str to array, str or float
            `ellipsoids` has the columns that `ellipsoid_columns` names, `zingers` those that `zinger_columns` names,
            and `settings` all that was asked for, as JSON; the rest as the attributes say.
        """
        settings = {field.name: getattr(self.config, field.name) for field in fields(self.config)}
        del settings["ellipsoids"]
        table = [[*e.centre, *e.half_axes, *e.rotation_deg, e.attenuation] for e in self.ellipsoids]
        return {
            "ellipsoids": np.array(table, np.float64).reshape(-1, 10),
            "ellipsoid_columns": "centre z y x (px), half axes z y x (px), rotation z y x (deg), "
            "attenuation (1/px)",
            "attenuation_per_cm": np.array([row[-1] for row in table]) / (100 * self.config.pixel_m),
            "angles_deg": self.angles_deg,
            "axis_column": self.axis_column,
            "axis_roll_deg": self.config.roll_deg,
            "height_rows": self.config.height_rows,
            "pixel_gain": self.pixel_gain,
            "column_response": self.column_response,
            "dead_pixels": self.dead,
            "hot_pixels": self.hot,
            **self.course.entries(),
            "zingers": all_hits(self.config),
            "zinger_columns": "projection, row, first column, columns hit, height (counts)",
            "settings": json.dumps(settings),
            "seed": float(self.seed),
        }


def truth(config: SimulationConfig) -> Truth:
    """Draw what is true of a scan.

    Parameters
    ----------
    config : SimulationConfig
        The scan.

    Returns
    -------
    Truth
        The same for the same configuration.
    """
    draw = np.random.default_rng((config.seed, 0))
    middle = (config.columns - 1) / 2
    drawn_axis = middle + float(draw.uniform(-0.03, 0.03)) * config.columns
    axis_column = drawn_axis if config.axis_column is None else config.axis_column
    is_drawn = config.ellipsoids is None
    height = config.rows if config.specimen_rows is None else config.specimen_rows
    ellipsoids = (
        specimen(_diameter(config, axis_column), height, config.seed, absorption=config.absorption)
        if is_drawn
        else config.ellipsoids
    )
    broken = draw.choice(config.rows * config.columns, config.dead_pixels + config.hot_pixels, replace=False)
    pattern = draw.standard_normal((config.rows, config.columns), np.float32)
    columns = draw.standard_normal(config.columns, np.float32)
    angles_deg = np.float64(config.start_deg) + np.arange(config.views) * (config.span_deg / config.views)
    return Truth(
        ellipsoids=ellipsoids or (),
        angles_deg=angles_deg,
        axis_column=float(axis_column),
        pixel_gain=np.maximum(1 + np.float32(config.fixed_pattern) * pattern, np.float32(0.1)),
        column_response=np.maximum(1 + np.float32(config.ring_error) * columns, np.float32(0.1)),
        dead=broken[: config.dead_pixels],
        hot=broken[config.dead_pixels :],
        course=course(config, angles_deg),
        config=config,
    )


def _diameter(config: SimulationConfig, axis_column: float) -> float:
    """Return the diameter in px of the drawn specimen: what the detector sees about the axis, less 5 %."""
    near, far = sorted((axis_column, config.columns - 1 - axis_column))
    half_acquisition = config.span_deg >= 360 and near < 0.35 * config.columns
    seen = max(far if half_acquisition else near, 0.25 * config.columns)
    return 2 * seen * config.wide / BODY if config.wide else 1.9 * seen
