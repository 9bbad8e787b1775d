"""Filtered backprojection: our engines, the portable one and the peers that are installed."""

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module

import nufft_peers
import numpy as np
from contest import Image, Row, in_turns, middle
from scene import Scene, make_scene

from tomarium.kernels.backprojection import reference
from tomarium.kernels.backprojection.geometry import make_task
from tomarium.kernels.engines import engines
from tomarium.kernels.fbp import fbp

SLICES = {"native": 64, "direct": 16, "nufft": 8}
SLOW = {"direct": 2}
"""Rounds of those that take half a minute and more for a call."""
BAND = 64
"""Rows of the picture that are scored, for the references in double precision are slow."""
LARGEST_IRADON = 1024
"""Columns up to which scikit-image is run: it takes some 40 s for a slice of twice as many."""


def measure(size: int, count: int, rounds: int, threads: int) -> list[Row]:
    """Time and score everything on one object; the first line, our default, is what ratios refer to."""
    scene = make_scene(size, count)
    topic = f"reconstruction of {size} columns x {count} projections, {threads} thread, per slice"
    status = engines()
    runs: dict[str, Callable[[], object]] = {}
    images: dict[str, Image] = {}
    for name, slices in SLICES.items():
        if status[name].available:
            stack = np.repeat(scene.sinogram[:, None].astype(np.float32), slices, axis=1)
            out = np.zeros((slices, size, size), np.float32)
            run = partial(
                fbp,
                stack,
                scene.angles_deg,
                (size - 1) / 2,
                window="ramp",
                engine=name,
                threads=threads,
                out=out,
            )
            images[name], runs[name] = run()[0].copy(), run
    peers, absent = nufft_peers.candidates(scene, size)
    for name, peer in peers.items():
        images[name], runs[name] = peer().copy(), peer
    taken = in_turns(runs, rounds, SLOW)
    rows = []
    for name in runs:
        slices = SLICES.get(name, nufft_peers.SLICES)
        cpu_ms, spread = middle(taken[name], slices)
        first = rows[0].cpu_ms if rows and rows[0].cpu_ms else cpu_ms
        scores = score(images[name][_band(size)], scene)
        note = f"{slices} slices a call"
        rows.append(Row(topic, name, cpu_ms, spread, cpu_ms / first, "slice", scores, note))
    rows += [
        Row(topic, name, None, None, None, "slice", {}, state.why)
        for name, state in status.items()
        if not state.available
    ]
    rows += [Row(topic, name, None, None, None, "slice", {}, why) for name, why in absent.items()]
    smooth = fbp(scene.sinogram, scene.angles_deg, (size - 1) / 2, window="shepp-logan", threads=threads)
    scores = score(smooth[_band(size)], scene)
    rows.append(Row(topic, "default, shepp-logan", None, None, None, "slice", scores, "accuracy only"))
    return rows + _references(topic, scene, size) + _peers(topic, scene, size, rows[0].cpu_ms or 1.0)


def score(strip: Image, scene: Scene) -> dict[str, float]:
    """Errors in the band against the exact picture, whose body is 1: far from edges, near them, mean."""
    band = _band(len(scene.picture))
    error, inside = strip - scene.picture[band], scene.inside[band]
    near = scene.body[band] & ~inside
    return {
        "rmse inside": float(np.sqrt(np.mean(error[inside] ** 2))),
        "rmse edges": float(np.sqrt(np.mean(error[near] ** 2))),
        "bias": float(error[inside].mean()),
    }


def _band(size: int) -> slice:
    return slice(size // 2 - BAND // 2, size // 2 + BAND // 2)


def _references(topic: str, scene: Scene, size: int) -> list[Row]:
    """Direct backprojection in double precision, read both ways between samples; scored on the band."""
    band = _band(size)
    rows = []
    for name, oversampling in (("band-limited", reference.OVERSAMPLING), ("linear", 1)):
        task = make_task(
            scene.angles_deg, size, (size - 1) / 2, size, (band.start, band.stop, 0, size), "ramp", 1.0,
            "zero", 1.0, 1,
        )  # fmt: skip
        out = np.zeros((1, BAND, size))
        reference.backproject(scene.sinogram[:, None], task, out, oversampling)
        scores, note = score(out[0], scene), "accuracy only"
        rows.append(Row(topic, f"float64 direct, {name}", None, None, None, "slice", scores, note))
    return rows


def _peers(topic: str, scene: Scene, size: int, ours_ms: float) -> list[Row]:
    """Whichever peers can be imported, one slice and one run each, for they take seconds."""
    rows = []
    small = make_scene(64, 32)
    for name, module, run in (
        ("ASTRA FBP, CPU, linear", "astra", _astra),
        ("algotom FBP, CPU", "algotom.rec.reconstruction", _algotom),
        ("scikit-image iradon", "skimage", _skimage),
        ("tomopy gridrec", "tomopy", _tomopy),
    ):
        if module == "skimage" and size > LARGEST_IRADON:
            rows.append(Row(topic, name, None, None, None, "slice", {}, "left out: some 40 s a slice"))
            continue
        try:
            import_module(module)
        except ImportError as error:
            rows.append(Row(topic, name, None, None, None, "slice", {}, f"not installed here: {error}"))
            continue
        run(small, 64)  # compiles, where the peer does so at run time
        start = time.process_time()
        image = run(scene, size)
        cpu_ms = 1e3 * (time.process_time() - start)
        scores, note = score(image[_band(size)], scene), "one slice, one run"
        rows.append(Row(topic, name, cpu_ms, 0.0, cpu_ms / ours_ms, "slice", scores, note))
    return rows


def _astra(scene: Scene, size: int) -> Image:
    import astra

    volume = astra.create_vol_geom(size, size)
    projections = astra.create_proj_geom("parallel", 1.0, size, np.deg2rad(scene.angles_deg))
    projector = astra.create_projector("linear", projections, volume)
    sinogram = astra.data2d.create("-sino", projections, scene.sinogram.astype(np.float32))
    image = astra.data2d.create("-vol", volume)
    settings = astra.astra_dict("FBP")
    settings |= {"ProjectorId": projector, "ProjectionDataId": sinogram, "ReconstructionDataId": image}
    algorithm = astra.algorithm.create(settings)
    astra.algorithm.run(algorithm)
    result = astra.data2d.get(image)
    astra.clear()
    return result


def _algotom(scene: Scene, size: int) -> Image:
    from algotom.rec.reconstruction import fbp_reconstruction

    return fbp_reconstruction(
        scene.sinogram.astype(np.float32), (size - 1) / 2, angles=np.deg2rad(scene.angles_deg), ratio=None,
        filter_name=None, apply_log=False, gpu=False, ncore=1,
    )  # fmt: skip


def _skimage(scene: Scene, size: int) -> Image:
    from skimage.transform import iradon

    # Its axis lies on a pixel: of an even width half a pixel from where the others have it.
    return iradon(
        scene.sinogram.T.astype(np.float32), theta=scene.angles_deg, filter_name="ramp", circle=True
    )


def _tomopy(scene: Scene, size: int) -> Image:
    import tomopy

    stack = scene.sinogram.astype(np.float32)[:, None]
    return tomopy.recon(
        stack, np.deg2rad(scene.angles_deg), center=(size - 1) / 2, algorithm="gridrec", ncore=1
    )[0]
