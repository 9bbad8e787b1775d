"""What is solved in iterative reconstruction: the geometry that slices share, and one slice's least squares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.array import empty_there, lies_elsewhere, like, namespace
from tomarium.errors import InputError
from tomarium.kernels.cuda.device import kernels_of
from tomarium.kernels.normal_operator import NormalOperator, make_normal_operator
from tomarium.kernels.projection import Rays, adjoint, forward, make_rays

Image = NDArray[np.float32]

NARROWEST: Final = 8.0
"""Diameter in pixels of the narrowest field that is reconstructed."""

FEWEST_VIEWS: Final = 16
"""Of fewer views none are held out: too much would be lost."""

StopBy = Literal["error", "held-out", "iterations"]
"""What tells that further iterations would only fit the noise."""


@dataclass(frozen=True, eq=False)
class Setup:
    """What all slices of a scan share. Made by `make_setup`.

    Attributes
    ----------
    angles_deg : array of float64, shape (view,)
        Of all views.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    stop_by : StopBy
        What is watched.
    used, watched : array of int
        Views that are fitted, and views that are watched: the same, some that are held out, or none.
    rays, watched_rays : Rays
        Their geometries.
    normal : NormalOperator
        A'A of the views that are fitted.
    watched_normal : NormalOperator or None
        A'WA of the views that are watched.
    weights : array of float32, shape (frequency,)
        W, of the frequencies of a projection.
    diameter : float
        Of the field that every view sees, in pixels.
    inside : array of bool, shape (y, x)
        The field; of a setup that was moved, 1 there and 0 elsewhere, float32.
    host : Setup or None
        Of one that was moved to a device, the one on the host.
    """

    angles_deg: NDArray[np.float64]
    axis_column: float
    stop_by: StopBy
    used: NDArray[np.intp]
    watched: NDArray[np.intp]
    rays: Rays
    watched_rays: Rays
    normal: NormalOperator
    watched_normal: NormalOperator | None
    weights: NDArray[np.float32]
    diameter: float
    inside: Any
    host: Setup | None = None

    @property
    def pixels(self) -> int:
        """How many pixels the field has."""
        return int(np.count_nonzero((self.host or self).inside))

    def moved(self, array: Any) -> Setup:
        """Return it for slices that lie where an array does: their iterations are done there."""
        watched = None if self.watched_normal is None else self.watched_normal.moved(array)
        return replace(
            self,
            normal=self.normal.moved(array),
            watched_normal=watched,
            inside=like(self.inside.astype(np.float32), array),
            host=self,
        )

    @cached_property
    def _tables(self) -> Any:
        """Geometry of the views that are fitted, on the device."""
        return kernels_of(self.inside).projection_tables(
            self.angles_deg[self.used], self.axis_column, self.rays.columns, self.rays.size
        )

    def forward(self, image: Any) -> Any:
        """Project a slice onto the views that are fitted, shape (view, column)."""
        if self.host is None:
            return forward(self.rays, image)
        out = empty_there(image, (self.rays.views, 1, self.rays.columns))
        kernels_of(image).project(image[None, ...], self._tables, out)
        return out[:, 0, :]

    def adjoint(self, sinogram: Any) -> Any:
        """Backproject these views, without filter: the transpose of `forward`."""
        if self.host is None:
            return adjoint(self.rays, sinogram)
        out = empty_there(sinogram, (1, self.rays.size, self.rays.size))
        kernels_of(sinogram).project_adjoint(sinogram[:, None, :], self._tables, out)
        return out[0, ...]

    def put(self, image: Image) -> Any:
        """Return an image of the host where the iterations are done."""
        return image if self.host is None else like(image, self.inside)


@dataclass(frozen=True)
class Iterate:
    """A slice on the way, with the squared norm of its residual, and that of the residual that is watched."""

    image: Image
    residual2: float
    watched2: float


def field_diameter(axis_column: float, columns: int, size: int) -> float:
    """Return the diameter of the field that every view sees, in pixels.

    Parameters
    ----------
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    columns, size : int
        Columns of the detector and pixels along an edge of the slices.

    Returns
    -------
    float
        Pixels.
    """
    return min(float(size), 2 * (min(axis_column, columns - 1 - axis_column) + 0.5))


def make_setup(
    angles_deg: NDArray[np.float64],
    axis_column: float,
    columns: int,
    stop_by: StopBy = "error",
    held_out_percent: float = 5.0,
) -> Setup:
    """Work out what all slices of a scan share; the last two are kept.

    Parameters
    ----------
    angles_deg : array of float64, shape (view,)
        Degrees, in any order.
    axis_column : float
        Rotation axis in pixels from the centre of column 0.
    columns : int
        Columns of the detector, and pixels along an edge of the slices.
    stop_by : {"error", "held-out", "iterations"}
        What is watched, see `solve`.
    held_out_percent : float
        Views that are not fitted but watched, evenly spread, at least 2; none of fewer than 16.

    Returns
    -------
    Setup
        For `make_problem`.

    Raises
    ------
    InputError
        The axis lies so near an edge of the detector that no field is seen by all views.
    """
    if field_diameter(axis_column, columns, columns) < NARROWEST:
        raise InputError(
            f"the rotation axis at column {axis_column:.2f} of {columns} leaves no field that every view sees; "
            f"check the axis, or reconstruct a half acquisition by fbp"
        )
    angles = np.ascontiguousarray(angles_deg, np.float64)
    return _make_setup(angles.tobytes(), float(axis_column), columns, stop_by, float(held_out_percent))


@lru_cache(maxsize=2)
def _make_setup(
    angles: bytes, axis_column: float, columns: int, stop_by: StopBy, held_out_percent: float
) -> Setup:
    degrees = np.frombuffer(angles, np.float64)
    used = np.arange(len(degrees))
    watched = used[: len(used) if stop_by == "error" else 0]
    if stop_by == "held-out" and len(degrees) >= FEWEST_VIEWS:
        count = min(max(round(len(degrees) * held_out_percent / 100), 2), len(degrees) // 2)
        order = np.argsort(degrees, kind="stable")
        watched = order[((np.arange(count) + 0.5) * len(order) / count).astype(np.intp)]
        used = np.setdiff1d(used, watched)
    rays = make_rays(degrees[used], axis_column, columns, columns)
    watched_rays = rays if stop_by == "error" else make_rays(degrees[watched], axis_column, columns, columns)
    diameter = field_diameter(axis_column, columns, columns)
    frequency = np.arange(rays.length // 2) / rays.length
    # What a view tells of the slice is a spoke of its transform, 1 / diameter wide; where spokes overlap, each counts
    # for its share, which grows with the frequency.
    apart = _apart(degrees[used], diameter) if stop_by == "error" else 1.0
    weights = np.minimum(frequency, apart).astype(np.float32)
    place = np.arange(columns) - (columns - 1) / 2
    inside: NDArray[np.bool_] = place**2 + place[:, None] ** 2 <= 0.25 * diameter**2
    watched_normal = make_normal_operator(watched_rays, weights) if len(watched) else None
    return Setup(
        degrees, axis_column, stop_by, used, watched, rays, watched_rays, make_normal_operator(rays), watched_normal,
        weights, diameter, inside,
    )  # fmt: skip


def _apart(angles_deg: NDArray[np.float64], diameter: float) -> float:
    """Return the frequency from which on the spokes of neighbouring views lie apart, in cycles per pixel."""
    steps = np.diff(np.unique(np.round(angles_deg % 180, 4)))
    return float(1 / (diameter * np.radians(np.median(steps)))) if len(steps) else 0.0


@dataclass(frozen=True, eq=False)
class Problem:
    """One slice to be found. Made by `make_problem`.

    Attributes
    ----------
    setup : Setup
        The geometry.
    data : array of float32, shape (view, column)
        All views.
    target : array of float32, shape (y, x)
        A'y inside the field.
    norm2 : float
        ‖y‖² of the views that are fitted.
    watched_target : array of float32 or None
        A'Wy of the views that are watched.
    """

    setup: Setup
    data: NDArray[np.float32]
    target: Image
    norm2: float
    watched_target: Image | None

    def multiply(self, image: Image) -> tuple[Image, float]:
        """Return A'A image inside the field, and ‖A image - y‖² of what is watched, less a constant."""
        watched_operator = None if self.watched_target is None else self.setup.watched_normal
        product, energy = self.setup.normal.apply(image, watched_operator)
        product *= self.setup.inside
        return product, self._watched(image, energy)

    def watched(self, image: Image) -> float:
        """Return ‖A image - y‖² of what is watched, less a constant, alone."""
        if self.watched_target is None or self.setup.watched_normal is None:
            return float("nan")
        return self._watched(image, self.setup.watched_normal.energy(image))

    def _watched(self, image: Image, energy: float) -> float:
        return float("nan") if self.watched_target is None else energy - 2 * dot(image, self.watched_target)

    def iterate(self, image: Image, product: Image, watched2: float) -> Iterate:
        """Return an iterate with its residuals, of what `multiply` gave for it."""
        residual2 = self.norm2 - 2 * dot(image, self.target) + dot(image, product)
        return Iterate(image, residual2, watched2)


def make_problem(setup: Setup, sinogram: NDArray[np.float32], watch: bool = True) -> Problem:
    """Backproject a sinogram, shape (view, column), with which a slice is compared from then on.

    Parameters
    ----------
    setup : Setup
        The geometry.
    sinogram : array of float32, shape (view, column)
        All views.
    watch : bool
        Whether what the setup watches is worked out.

    Returns
    -------
    Problem
        For the methods and `solve`.
    """
    data = np.ascontiguousarray(sinogram, np.float32)
    used = data[setup.used]
    target = adjoint(setup.rays, used) * (setup.host or setup).inside
    watched = None
    if watch and setup.watched_normal is not None:
        watched = setup.put(adjoint(setup.watched_rays, data[setup.watched], setup.weights))
    return Problem(setup, data, setup.put(target), dot(used, used), watched)


def dot(a: Any, b: Any) -> float:
    """Inner product: in float32 along rows, in float64 over them.

    Parameters
    ----------
    a, b : array of float32, shape (row, column)
        Two images or sinograms, wherever they lie.

    Returns
    -------
    float
        Sum of the products.
    """
    if lies_elsewhere(a):
        xp = namespace(a)
        return float(xp.sum(xp.sum(a * b, axis=1), dtype=xp.float64))
    return float(np.einsum("ij,ij->i", a, b).sum(dtype=np.float64))
