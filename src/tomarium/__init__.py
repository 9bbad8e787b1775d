"""tomarium, a herbarium for tomograms: from the beamline's raw file to an open, citable, browsable record.

>>> import tomarium as tm                                                   # doctest: +SKIP
>>> scan = tm.open("scan.h5")                                               # doctest: +SKIP
>>> axis = tm.find_axis(scan)                                               # doctest: +SKIP
>>> volume = tm.reconstruct(scan)                                           # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tomarium.formats import open
    from tomarium.formats.live.nodes import open_h5
    from tomarium.formats.live.writer import LiveWriter
    from tomarium.kernels.fbp import fbp
    from tomarium.model import Scan, Volume
    from tomarium.pipeline.reconstruct import reconstruct
    from tomarium.steps.find_axis import find_axis

__version__ = "0.1.0"

__all__ = [
    "LiveWriter",
    "Scan",
    "Volume",
    "__version__",
    "fbp",
    "find_axis",
    "open",
    "open_h5",
    "reconstruct",
]

_HOMES: Final = {
    "LiveWriter": "tomarium.formats.live.writer",
    "Scan": "tomarium.model",
    "Volume": "tomarium.model",
    "fbp": "tomarium.kernels.fbp",
    "find_axis": "tomarium.steps.find_axis",
    "open": "tomarium.formats",
    "open_h5": "tomarium.formats.live.nodes",
    "reconstruct": "tomarium.pipeline.reconstruct",
}


def __getattr__(name: str) -> Any:
    """Import a public function on first use, so that `import tomarium` stays quick."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tomarium' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")


def __dir__() -> list[str]:
    return __all__
