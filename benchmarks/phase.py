"""The phase steps on simulated scans whose truth is known: prints tables, and draws docs/pictures/phase-*.png.

Waves are propagated by Fresnel's transfer function. Errors are root mean squares over the middle slice, in parts of the
body's attenuation. Where algotom and scikit-image are installed their filters are tried on the same projections.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import tomarium as tm
from tomarium.kernels.phantom import line_integrals, pixel_coordinates, voxelise
from tomarium.kernels.zernike import halo_response
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import from_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.evaluate import evaluate
from tomarium.synth import SimulationConfig, simulate, truth

Array = NDArray[Any]
PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
COLUMNS, ROWS, VIEWS, RATIO, PHOTONS = 192, 64, 240, 200.0, 4000.0
BASE = SimulationConfig(
    columns=COLUMNS,
    rows=ROWS,
    views=VIEWS,
    axis_column=(COLUMNS - 1) / 2,
    absorption=0.05,
    photons=PHOTONS,
    dead_pixels=0,
    hot_pixels=0,
    zingers=0.0,
    ring_error=0.0,
    fixed_pattern=0.0,
    read_noise=0.0,
    flats=50,
    pixel_m=1e-6,
    energy_kev=20.0,
    delta_beta=RATIO,
    propagation="wave",
)


def exact(config: SimulationConfig) -> Array:
    """The middle slice in 1/cm."""
    centre = pixel_coordinates(COLUMNS, config.axis_column or 0.0)
    made = voxelise(truth(config).ellipsoids, np.array([0.0]), centre, centre)[0, ::-1]
    return np.asarray(made / (100 * config.pixel_m))


def middle(scan: Scan, *steps: Any) -> Array:
    """The middle slice of a protocol."""
    steps = (*steps, {"fbp": {"padding": "zero", "axis_column": (COLUMNS - 1) / 2}})
    resolution = resolve(from_data({"steps": list(steps)}, "benchmark"), scan)
    row = resolution.scan.shape[1] // 2
    return np.asarray(evaluate(resolution, resolution.work, [slice(row, row + 1)], 2)[0].data[0])


def judged(found: Array, wanted: Array) -> tuple[float, float]:
    """Error over the field, and slope of the grey values."""
    place = np.arange(COLUMNS) - (COLUMNS - 1) / 2
    field = np.hypot(place[:, None], place) < 0.47 * COLUMNS
    body = float(np.median(wanted[wanted > 0]))
    error = float(np.sqrt(np.mean((found - wanted)[field] ** 2))) / body
    return error, float(np.sum((found * wanted)[field]) / np.sum(wanted[field] ** 2))


def save(name: str, slices: list[Array], high: list[float]) -> None:
    """Draw slices side by side, grey from -0.2 to 1 times what is told for each."""
    tiles = []
    for one, top in zip(slices, high, strict=True):
        grey = np.clip((one + 0.2 * top) / (1.2 * top), 0, 1)
        tiles.append(np.pad(np.uint8(255 * grey), ((0, 0), (0, 4)), constant_values=255))
    sheet = Image.fromarray(np.hstack(tiles)[:, :-4])
    sheet.quantize(64).save(PICTURES / f"phase-{name}.png", optimize=True)


def table(title: str, found: dict[str, Array], wanted: Array) -> None:
    """Print errors and slopes as Markdown."""
    print(f"\n| {title} | error | slope |\n|---|---|---|")
    for name, one in found.items():
        error, slope = judged(one, wanted)
        print(f"| {name} | {error:.3f} | {slope:.3f} |")


def one_distance(folder: Path) -> None:
    """Paganin's filter and its neighbours at 5 cm."""
    config = replace(BASE, distance_m=0.05)
    scan: Any = tm.open(simulate(folder / "one.h5", config))
    flat, log = {"flat_field": {"log": False}}, "minus_log"
    found = {
        "no phase step": middle(scan, "flat_field"),
        "`paganin`, δ/β 200 (true)": middle(scan, flat, {"paganin": {"delta_beta": RATIO}}, log),
        "δ/β 20": middle(scan, flat, {"paganin": {"delta_beta": 20.0}}, log),
        "δ/β 2000": middle(scan, flat, {"paganin": {"delta_beta": 2000.0}}, log),
        "δ/β 200, `form=discrete`": middle(
            scan, flat, {"paganin": {"delta_beta": RATIO, "form": "discrete"}}, log
        ),
        "δ/β 200, `unsharp_coefficient=0.5`": middle(
            scan, flat, {"paganin": {"delta_beta": RATIO, "unsharp_coefficient": 0.5}}, log
        ),
        "`ctf`, δ/β 200": middle(scan, flat, {"ctf": {"delta_beta": RATIO}}),
    }
    wanted = exact(config)
    table("one distance, 5 cm", found, wanted)
    shown = [found[name] for name in list(found)[:4]]
    save("paganin", shown, [2 * float(wanted.max())] + 3 * [0.5 * float(wanted.max())])
    beside_peers(scan)


def beside_peers(scan: Scan) -> None:
    """The same filters of other programs on one projection."""
    from tomarium.kernels.paganin import length_m, paganin
    from tomarium.kernels.unsharp import Unsharp

    frames, flats = scan.projections, scan.flats
    assert flats is not None
    frame = (frames[0] - 100.0) / (np.asarray(flats.frames).mean(axis=0) - 100.0)
    try:
        from skimage.filters import unsharp_mask

        theirs = unsharp_mask(frame, radius=2.0, amount=0.5, preserve_range=True)
        ours = paganin(frame[None], 0.0, unsharp=Unsharp(2.0, 0.5))[0]
        inner = np.s_[12:-12, 12:-12]
        print(
            f"\nunsharp against scikit-image: {np.abs(ours - theirs)[inner].max():.1e} of the open beam at most"
        )
    except ImportError:
        print("\nscikit-image is not installed")
    try:
        from algotom.prep.filtering import fresnel_filter

        length = length_m(RATIO, 20.0, 0.05) / 1e-6
        ours = paganin(frame[None], length)[0]
        best = min(
            (float(np.sqrt(np.mean((fresnel_filter(frame, ratio, apply_log=False) - ours) ** 2))), ratio)
            for ratio in np.geomspace(1, 1e4, 41)
        )
        print(f"fresnel_filter of algotom at its nearest ratio {best[1]:.0f}: rms {best[0]:.1e} from paganin")
    except ImportError:
        print("algotom is not installed")


def several_distances(folder: Path) -> None:
    """CTF at four distances beside one, with the same photons in all."""
    far = (0.01, 0.03, 0.08, 0.2)
    for number, distance in enumerate(far):
        simulate(folder / f"d{number}.h5", replace(BASE, distance_m=distance, photons=PHOTONS / 4, gain=10.0))
    simulate(folder / "all.h5", replace(BASE, distance_m=0.2))
    first: Any = tm.open(folder / "d0.h5")
    alone: Any = tm.open(folder / "all.h5")
    flat, others = {"flat_field": {"log": False}}, "d1.h5,d2.h5,d3.h5"
    found = {
        "`paganin`, 20 cm, all photons": middle(alone, flat, {"paganin": {"delta_beta": RATIO}}, "minus_log"),
        "`ctf`, 20 cm, all photons": middle(alone, flat, {"ctf": {"delta_beta": RATIO}}),
        "`ctf`, 4 distances, first order": middle(
            first, flat, {"ctf": {"delta_beta": RATIO, "scans": others, "iterations": 0}}
        ),
        "`ctf`, 4 distances": middle(first, flat, {"ctf": {"delta_beta": RATIO, "scans": others}}),
    }
    wanted = exact(BASE)
    table("a quarter of the photons at each distance", found, wanted)
    save("ctf", [*found.values(), wanted], 5 * [0.5 * float(wanted.max())])


def grating_pictures() -> None:
    """Absorption, dark field and phase of one stepping scan; half of the body scatters."""
    steps, visibility, period, distance = 5, 0.25, 2.4e-6, 0.3
    config = replace(BASE, absorption=0.3, seed=1)
    known, rows = truth(config), 4
    z = pixel_coordinates(rows, 1.5)
    edges = line_integrals(known.ellipsoids, known.angles_deg, z, pixel_coordinates(COLUMNS + 1, COLUMNS / 2))
    absorption = (edges[..., 1:] + edges[..., :-1]) / 2
    beta = 1.239841984e-9 / 20.0 / (4 * np.pi * 1e-6)  # of an attenuation of 1 per pixel
    shift = 2 * np.pi * distance / period * RATIO * 0.03 * beta * np.diff(edges, axis=2)
    vessels = [e for e in known.ellipsoids if e.attenuation < 0 and e.half_axes[1] < 12]
    centre = pixel_coordinates(COLUMNS, (COLUMNS - 1) / 2)
    scatter = -3 * line_integrals(vessels, known.angles_deg, z, centre)
    at = 2 * np.pi * np.arange(steps)[:, None, None, None] / steps
    draw = np.random.default_rng(0)
    light = 2e4 * np.exp(-absorption)
    counts = draw.poisson(light * (1 + visibility * np.exp(-scatter) * np.cos(at + shift)))
    flats = draw.poisson(2e4 * (1 + visibility * np.cos(at[:, 0])) * np.ones((20, 1, rows, COLUMNS))[:, None])
    scan = tm.scan_of_arrays(
        np.moveaxis(counts, 0, 1).reshape(-1, rows, COLUMNS).astype(np.float32),
        np.repeat(known.angles_deg, steps),
        flats=flats.reshape(-1, rows, COLUMNS).astype(np.float32),
        axis_column=(COLUMNS - 1) / 2,
        pixel_m=1e-6,
        energy_kev=20.0,
    )
    lengths = {"grating_period_m": period, "grating_distance_m": distance, "air": 4}
    pictures = [
        middle(scan, {"grating": {"output": output, **lengths}})
        for output in ("absorption", "dark_field", "phase")
    ]
    save("grating", pictures, [0.7 * float(np.percentile(one, 99.7)) for one in pictures])


def unwrapped() -> None:
    """Slices of the phase of a strong sample, its differential phase taken as it is and unwrapped."""
    from scipy.ndimage import gaussian_filter1d

    steps, visibility, fine = 5, 0.3, 4
    known, rows = truth(replace(BASE, absorption=0.3, seed=1)), 1
    place = np.arange(COLUMNS * fine + 1) / fine - COLUMNS / 2
    edges = line_integrals(known.ellipsoids, known.angles_deg, pixel_coordinates(rows, 0.0), place)
    edges = gaussian_filter1d(edges, 1.5 * fine, axis=2, mode="nearest")  # the size of the source
    largest = float(np.abs(np.diff(edges, axis=2)).max()) * fine
    wanted = exact(replace(BASE, absorption=0.3, seed=1)) * 1e-4  # attenuation a pixel
    found: dict[str, Array] = {}
    for turns in (0.6, 3.0):
        shift = turns * np.pi / largest * fine * np.diff(edges, axis=2)
        fringes = np.exp(1j * shift).reshape(VIEWS, rows, COLUMNS, fine).mean(axis=3)
        at = 2 * np.pi * np.arange(steps)[:, None, None, None] / steps
        draw = np.random.default_rng(0)
        counts = draw.poisson(2e4 * (1 + visibility * np.real(fringes * np.exp(1j * at))))
        flats = draw.poisson(2e4 * (1 + visibility * np.cos(at)) * np.ones((1, 20, rows, COLUMNS)))
        scan = tm.scan_of_arrays(
            np.moveaxis(counts, 0, 1).reshape(-1, rows, COLUMNS).astype(np.float32),
            np.repeat(known.angles_deg, steps),
            flats=np.moveaxis(flats, 1, 0).reshape(-1, rows, COLUMNS).astype(np.float32),
            axis_column=(COLUMNS - 1) / 2, pixel_m=1e-6, energy_kev=20.0,
        )  # fmt: skip
        factor = (
            100 * 1e-6 * largest / (turns * np.pi)
        )  # 1/cm of the phase with a scale of 1 → attenuation a pixel
        lengths = {"grating_period_m": 1.239841984e-9 / 20.0 / 1e-6, "grating_distance_m": 1.0, "air": 4}
        for unwrap in (False, True):
            name = f"largest {turns:g} π, {'unwrapped' if unwrap else 'as it is'}"
            found[name] = factor * middle(scan, {"grating": {"output": "phase", "unwrap": unwrap, **lengths}})
    table("differential phase", found, wanted)
    save("unwrapped", [*list(found.values())[2:], wanted], 3 * [1.1 * float(np.percentile(wanted, 99.7))])


def zernike_halo() -> None:
    """A stem in Zernike phase contrast, before and after."""
    config = replace(BASE, absorption=1.0, seed=2, rows=6 * ROWS)  # it goes on above and below
    known, sigma, far = truth(config), 20.0, 160
    z, u = (
        pixel_coordinates(ROWS + 2 * far, far + (ROWS - 1) / 2),
        pixel_coordinates(COLUMNS, (COLUMNS - 1) / 2),
    )
    views = line_integrals(known.ellipsoids, known.angles_deg, z, u)
    wide = np.pad(views, ((0, 0), (0, 0), (far, far)))
    left = halo_response(np.fft.fftfreq(wide.shape[1]), np.fft.rfftfreq(wide.shape[2]), sigma, 1.0)
    shown = np.stack([np.fft.irfft2(np.fft.rfft2(one) * left, s=one.shape) for one in wide])
    shown = shown[:, far:-far, far:-far] + np.random.default_rng(0).normal(0, 0.01, (VIEWS, ROWS, COLUMNS))
    scan = tm.scan_of_arrays(
        shown.astype(np.float32), known.angles_deg, domain="attenuation",
        axis_column=(COLUMNS - 1) / 2, pixel_m=1e-6,
    )  # fmt: skip
    found = {
        "as it is": middle(scan),
        "`correct_zernike_halo`, true width": middle(scan, {"correct_zernike_halo": {"sigma_px": sigma}}),
        "a fifth too narrow": middle(scan, {"correct_zernike_halo": {"sigma_px": 0.8 * sigma}}),
    }
    wanted = exact(config)
    table("Zernike phase contrast", found, wanted)
    shown_slices = [*list(found.values())[:2], wanted]
    save("zernike", shown_slices, 3 * [1.1 * float(np.percentile(shown_slices[1], 99.5))])


def main() -> None:
    """Run all of it."""
    with tempfile.TemporaryDirectory() as place:
        one_distance(Path(place))
        several_distances(Path(place))
    grating_pictures()
    unwrapped()
    zernike_halo()


if __name__ == "__main__":
    main()
