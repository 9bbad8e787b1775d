"""Draw the pictures that stand on the pages of text of a portal, from simulated scans: CC0, by nobody's photograph.

tomarium simulate sim.h5 --size 288 --views 480 --photons 40000
tomarium simulate moved.h5 --size 288 --rows 8 --views 480 --photons 40000 --drift '9,-6,0 px'
tomarium simulate rings.h5 --size 288 --rows 8 --views 480 --photons 40000 --rings 1.5%
python benchmarks/page_pictures.py FOLDER src/tomarium/portal/static/pictures
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import median_filter

from tomarium.kernels.fbp import fbp

GAP = 12
"""Pixels between two pictures of a row."""
Grey = NDArray[np.float32]


def sinograms(path: Path) -> tuple[Grey, Grey, float]:
    """Return attenuation (angle, row, column), the angles in degrees and the column of the axis."""
    with h5py.File(path) as file:
        flat = np.mean(file["exchange/data_white"][...], axis=0, dtype=np.float32)
        dark = np.mean(file["exchange/data_dark"][...], axis=0, dtype=np.float32)
        data = np.asarray(file["exchange/data"][...], np.float32)
        angles = np.asarray(file["exchange/theta"][...], np.float32)
        axis = float(np.asarray(file["truth/axis_column"][...]))
    beam = flat - dark
    shown = np.clip((data - dark) / np.where(beam > 0, beam, np.inf), 1e-3, None)
    # Dead and hot pixels, and hits of stray radiation: what differs from its neighbours by far is taken from them.
    smooth = median_filter(shown, (1, 3, 3))
    shown = np.where(np.abs(shown - smooth) > 0.1, smooth, shown)
    return -np.log(shown), angles, axis


def beside(images: Sequence[Grey], low: float, high: float, gap: int = GAP) -> Image.Image:
    """Put pictures of one height beside each other, in the same greys."""
    tall = max(len(image) for image in images)
    parts = []
    for image in images:
        grey = np.clip((image - low) / (high - low), 0, 1) * 255
        missing = tall - len(grey)
        grey = np.pad(grey, ((missing // 2, missing - missing // 2), (0, gap)))
        parts.append(grey)
    return Image.fromarray(np.hstack(parts)[:, :-gap].astype(np.uint8))


def save(image: Image.Image, place: Path, width: int = 1152) -> None:
    """Save a picture as WebP, at most so wide, and say how large it is."""
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.save(place, "WEBP", quality=72, method=6)
    print(f"{place.name}: {image.width} x {image.height}, {place.stat().st_size / 1000:.0f} kB")


def main(folder: Path, out: Path) -> None:
    """Draw all pictures of the scans in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    scan, angles, axis = sinograms(folder / "sim.h5")
    views, rows, columns = scan.shape
    first = [scan[int(k * views / 4)] for k in range(4)]
    save(beside([-one for one in first], -float(np.max(first)), 0.0), out / "shadows.webp")
    middle = scan[:, rows // 2]
    save(beside([middle], 0.0, float(middle.max())), out / "sinogram.webp", 576)
    whole = fbp(middle[:, None], angles, axis)[0]
    low, high = -0.1 * float(np.percentile(whole, 99)), float(np.percentile(whole, 99.7))
    few = [fbp(middle[::step, None], angles[::step], axis)[0] for step in (60, 20, 5, 1)]
    save(beside(few, low, high), out / "projections.webp")
    coarse = [np.kron(_coarser(whole, step), np.ones((step, step), np.float32)) for step in (1, 4, 12)]
    save(beside(coarse, low, high), out / "voxels.webp")
    faults = [whole]
    for name in ("moved", "rings"):
        other, turned, place = sinograms(folder / f"{name}.h5")
        faults.append(fbp(other[:, 4][:, None], turned, place)[0])
    save(beside(faults, low, high), out / "faults.webp")
    volume = fbp(scan, angles, axis)
    planes = [volume[rows // 2], volume[:, columns // 2], volume[:, :, columns // 2]]
    save(beside(planes, low, high), out / "planes.webp")


def _coarser(image: Grey, step: int) -> Grey:
    size = len(image) // step * step
    return image[:size, :size].reshape(size // step, step, size // step, step).mean(axis=(1, 3))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
