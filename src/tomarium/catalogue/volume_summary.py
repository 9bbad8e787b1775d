"""Statistics and histogram of a stored volume, for records whose run did not count on its way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.model.image import Sliceable

BINS: Final = 512
SLAB_VOXELS: Final = 64 * 1024 * 1024


def summarise(volume: Sliceable) -> dict[str, Any]:
    """Count the grey values of a volume, slab by slab.

    Parameters
    ----------
    volume : array, shape (z, y, x)
        Read twice, at most 64 Mi voxels (or one slice) at a time. NaN and infinity do not count.

    Returns
    -------
    dict
        `minimum`, `maximum`, `mean` and `histogram` {`edges` (513), `counts` (512)}, in the volume's unit;
        an empty dict where there is no finite value.
    """
    low, high, total, count = np.inf, -np.inf, 0.0, 0
    for values in _slabs(volume):
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            total, count = total + float(values.sum(dtype=np.float64)), count + values.size
    if not count:
        return {}
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    counts = sum((np.histogram(values, edges)[0] for values in _slabs(volume)), np.zeros(BINS, np.int64))
    return {
        "minimum": low,
        "maximum": high,
        "mean": total / count,
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }


def _slabs(volume: Sliceable) -> Iterator[NDArray[Any]]:
    rows = max(1, SLAB_VOXELS // (volume.shape[1] * volume.shape[2]))
    for start in range(0, volume.shape[0], rows):
        values = np.asarray(volume[start : start + rows]).ravel()
        yield values if values.dtype.kind in "biu" else values[np.isfinite(values)]
