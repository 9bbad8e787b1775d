"""Filtered backprojection as a user of ducc0 or finufft would write it: two slices as one complex, one transform."""

from collections.abc import Callable
from importlib import import_module

import numpy as np
from contest import Image
from numpy.typing import NDArray
from scene import Scene

ACCURACY = 1e-3
SLICES = 2


def candidates(scene: Scene, size: int) -> tuple[dict[str, Callable[[], Image]], dict[str, str]]:
    """Return what can be run, each giving two slices, and why the others cannot."""
    runs: dict[str, Callable[[], Image]] = {}
    absent: dict[str, str] = {}
    for name, module, make in (("ducc0 NUFFT", "ducc0", _ducc0), ("finufft", "finufft", _finufft)):
        try:
            import_module(module)
        except ImportError as error:
            absent[name] = f"not installed here: {error}"
        else:
            runs[name] = make(scene, size)
    return runs, absent


def _prepared(scene: Scene, size: int) -> tuple[NDArray[np.float32], NDArray[np.complex64]]:
    """Coordinates (sample, 2) in cycles per pixel, and filter and shift (angle, frequency), for 2 N frequencies."""
    padded = 2 * size
    theta = np.deg2rad(scene.angles_deg)[:, None]
    place = np.fft.fftfreq(padded, 1 / padded)
    # Kak & Slaney eq. 3.61: the ramp sampled in space, else a DC offset
    ramp = np.where(place % 2 == 1, -1 / (np.pi * np.where(place == 0, 1, place)) ** 2, 0.0)
    ramp[0] = 0.25
    frequency = np.fft.fftfreq(padded)
    half = 0.5 * (1 - size % 2)  # pixels of an even image lie between the integers of the transform
    shift = (size - 1) / 2 + half * (np.cos(theta) - np.sin(theta))
    factors = np.fft.fft(ramp).real * np.exp(2j * np.pi * frequency * shift)
    factors *= np.pi / len(theta) / padded
    coordinates = np.stack([-np.sin(theta) * frequency, np.cos(theta) * frequency], axis=-1)
    return coordinates.reshape(-1, 2).astype(np.float32), factors.astype(np.complex64)


def _pair(scene: Scene, size: int) -> NDArray[np.complex64]:
    both = np.zeros((len(scene.angles_deg), 2 * size), np.complex64)
    both.real[:, :size] = both.imag[:, :size] = scene.sinogram
    return both


def _ducc0(scene: Scene, size: int) -> Callable[[], Image]:
    import ducc0

    coordinates, factors = _prepared(scene, size)
    pair, image = _pair(scene, size), np.empty((size, size), np.complex64)

    def run() -> Image:
        points = ducc0.fft.c2c(pair, axes=[1], nthreads=1)
        points *= factors
        return ducc0.nufft.nu2u(
            points=points.reshape(-1), coord=coordinates, forward=False, epsilon=ACCURACY, nthreads=1,
            periodicity=1.0, out=image,
        ).real  # fmt: skip

    return run


def _finufft(scene: Scene, size: int) -> Callable[[], Image]:
    import ducc0
    import finufft

    coordinates, factors = _prepared(scene, size)
    y, x = (np.ascontiguousarray(2 * np.pi * one) for one in coordinates.T)
    pair, image = _pair(scene, size), np.empty((size, size), np.complex64)

    def run() -> Image:
        points = ducc0.fft.c2c(pair, axes=[1], nthreads=1)
        points *= factors
        finufft.nufft2d1(y, x, points.reshape(-1), out=image, eps=ACCURACY, isign=1, nthreads=1)
        return image.real

    return run
