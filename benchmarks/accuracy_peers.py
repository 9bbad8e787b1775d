"""Functions of nabu and httomolib that run on a processor, with the defaults of their pipelines."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from criteria import Array

from tomarium.synth import SimulationConfig

NABU = find_spec("nabu") is not None
HTTOMOLIB = find_spec("httomolib") is not None


def nabu_munch(sinogram: Array) -> Array:
    from nabu.reconstruction.rings import MunchDeringer

    made = np.array(sinogram, np.float32)
    return np.asarray(MunchDeringer(made.shape, 1.0, levels=10, padding=(100, 100)).remove_rings(made))


def nabu_mean(sinogram: Array) -> Array:
    from nabu.reconstruction.rings import SinoMeanDeringer

    made = np.array(sinogram, np.float32)
    by = SinoMeanDeringer(made.shape, filter_cutoff=(0, 30), fft_num_threads=1)
    return np.asarray(by.remove_rings_sinogram(made))


def nabu_paganin(intensity: Array, config: SimulationConfig) -> Array:
    from nabu.preproc.phase import PaganinPhaseRetrieval

    by = PaganinPhaseRetrieval(
        intensity.shape, distance=config.distance_m, energy=config.energy_kev, delta_beta=config.delta_beta,
        pixel_size=config.pixel_m, fft_num_threads=1,
    )  # fmt: skip
    return -np.log(by.apply_filter(intensity.astype(np.float32)))


def nabu_ctf(intensity: Array, config: SimulationConfig) -> Array:
    from nabu.preproc.ctf import CTFPhaseRetrieval, GeoPars

    wavelength = 1.239841984e-9 / config.energy_kev
    geometry = GeoPars(z2=config.distance_m, pix_size_det=config.pixel_m, wavelength=wavelength)
    by = CTFPhaseRetrieval(intensity.shape, geometry, config.delta_beta, fft_num_threads=1)
    return -2 / config.delta_beta * np.asarray(by.retrieve_phase(intensity.astype(np.float32)))


def httomolib_paganin(intensity: Array, config: SimulationConfig) -> Array:
    from httomolib.prep.phase import paganin_filter

    # Its `alpha` is called δ/β, and is β/δ in its formula; its frequencies are twice the true ones, so four of that.
    found = paganin_filter(
        intensity[None].astype(np.float32), pixel_size=100 * config.pixel_m, dist=100 * config.distance_m,
        energy=config.energy_kev, alpha=4 / config.delta_beta,
    )  # fmt: skip
    return np.asarray(found[0])
