"""tomarium, a herbarium for tomograms: from the beamline's raw file to an open, citable, browsable record.

>>> import tomarium as tm                                                   # doctest: +SKIP
>>> scan = tm.open("scan.h5")                                               # doctest: +SKIP
>>> axis = tm.find_axis(scan)                                               # doctest: +SKIP
>>> volume = tm.reconstruct(scan)                                           # doctest: +SKIP
>>> tm.save(volume, "tooth.ome.zarr")                                       # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tomarium.conversion.save import save
    from tomarium.datasets.load import load
    from tomarium.datasets.open_anywhere import open
    from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
    from tomarium.kernels.fbp import fbp
    from tomarium.kernels.projection import project
    from tomarium.live.nodes import open_h5
    from tomarium.live.writer import LiveWriter
    from tomarium.model import Scan, Volume
    from tomarium.pipeline.protocol.read import as_protocol as protocol
    from tomarium.pipeline.run.reconstruct import reconstruct
    from tomarium.steps.probes.find_axis import find_axis
    from tomarium.steps.views.bin import bin
    from tomarium.steps.views.concatenate import concatenate
    from tomarium.steps.views.crop import crop
    from tomarium.steps.views.join_half_turns import join_half_turns
    from tomarium.steps.views.select_views import select_views, window
    from tomarium.steps.views.stitch import stitch

__version__ = "0.1.0"

__all__ = [
    "LiveWriter",
    "Scan",
    "Volume",
    "__version__",
    "bin",
    "concatenate",
    "crop",
    "fbp",
    "find_axis",
    "join_half_turns",
    "load",
    "open",
    "open_h5",
    "project",
    "protocol",
    "reconstruct",
    "save",
    "scan_of_arrays",
    "select_views",
    "stitch",
    "window",
]

_HOMES: Final = {
    "LiveWriter": "tomarium.live.writer",
    "Scan": "tomarium.model",
    "Volume": "tomarium.model",
    "bin": "tomarium.steps.views.bin",
    "concatenate": "tomarium.steps.views.concatenate",
    "crop": "tomarium.steps.views.crop",
    "fbp": "tomarium.kernels.fbp",
    "find_axis": "tomarium.steps.probes.find_axis",
    "join_half_turns": "tomarium.steps.views.join_half_turns",
    "load": "tomarium.datasets.load",
    "open": "tomarium.datasets.open_anywhere",
    "open_h5": "tomarium.live.nodes",
    "project": "tomarium.kernels.projection",
    "protocol": "tomarium.pipeline.protocol.read:as_protocol",
    "reconstruct": "tomarium.pipeline.run.reconstruct",
    "save": "tomarium.conversion.save",
    "scan_of_arrays": "tomarium.formats.frames.scan_of_arrays",
    "select_views": "tomarium.steps.views.select_views",
    "stitch": "tomarium.steps.views.stitch",
    "window": "tomarium.steps.views.select_views",
}


def __getattr__(name: str) -> Any:
    """Import a public function on first use, so that `import tomarium` stays quick."""
    if name in _HOMES:
        module, _, inside = _HOMES[name].partition(":")
        return getattr(import_module(module), inside or name)
    raise AttributeError(f"module 'tomarium' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")


def __dir__() -> list[str]:
    return __all__
