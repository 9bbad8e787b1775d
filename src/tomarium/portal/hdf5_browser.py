"""HDF5 files that the browser itself reads: addresses of its script, worker and filters, and tables of layouts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from markupsafe import Markup
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tomarium.formats.data_exchange import geometry as data_exchange
from tomarium.formats.data_exchange.fields import FIELDS
from tomarium.formats.data_exchange.reader import FORMAT as DATA_EXCHANGE
from tomarium.formats.data_exchange.reader import ROTATION
from tomarium.formats.hdf5.image_key import IMAGE_KEY_KINDS
from tomarium.formats.hdf5.source import NO_UNIT
from tomarium.formats.nexus import nxtomo
from tomarium.formats.nexus.nxtomo_entries import DATA, IMAGE_KEY
from tomarium.portal.built import FOLDER, built
from tomarium.portal.hdf5 import SUFFIXES
from tomarium.portal.request_context import RequestContext
from tomarium.units import SPELLINGS

WORKER: Final = "built/hdf5-worker.js"
# It compiles HDF5, and nothing more: whatever it reads, it can send nowhere.
WORKER_POLICY: Final = "default-src 'none'; script-src 'wasm-unsafe-eval'"


class StaticFolder(StaticFiles):
    """The folder `static`; the worker that reads HDF5 gets a policy of its own, under which it reaches no network."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file."""
        answer = await super().get_response(path, scope)
        if path == WORKER:
            answer.headers["Content-Security-Policy"] = WORKER_POLICY
        return answer


@dataclass(frozen=True)
class Hdf5Browser:
    """What a page needs so that the browser reads HDF5 files.

    Attributes
    ----------
    script, worker, style : str
        Addresses.
    filters : Mapping of str to str
        Name of a filter → its address.
    suffixes : str
        How the files' names end, for a choice of files.
    layouts : Markup
        Where NXtomo and Data Exchange have the numbers of a scan, JSON.
    """

    script: str
    worker: str
    style: str
    filters: Mapping[str, str]
    suffixes: str
    layouts: Markup


def hdf5_browser(request_context: RequestContext) -> Hdf5Browser | None:
    """Tell what a page needs so that the browser reads HDF5 files; None where the scripts are not built."""
    script, worker = built("hdf5-file"), built("hdf5-worker")
    if script is None or worker is None:
        return None

    def static(path: str) -> str:
        return request_context.link("static", {"path": path})

    filters = sorted((FOLDER / "hdf5-filters").glob("*.wasm"))
    return Hdf5Browser(
        script=static(script),
        worker=static(worker),
        style=static("hdf5-file.css"),
        filters={file.stem: static(f"built/hdf5-filters/{file.name}") for file in filters},
        suffixes=",".join(SUFFIXES),
        layouts=Markup(json.dumps(layouts(), ensure_ascii=False).replace("<", "\\u003c")),
    )


@cache
def layouts() -> dict[str, Any]:
    """Gather the readers' own tables: a path is told once, and read here and in the browser.

    Returns
    -------
    dict
        As `Layouts` in `web/src/shared/hdf5-file.ts`.
    """
    units_used = ("m", "keV", "deg")
    magnification = next(field for field in FIELDS if field.name == data_exchange.MAGNIFICATION)
    return {
        "units": {text: list(unit) for text, unit in SPELLINGS.items() if unit[0] in units_used},
        "noUnit": sorted(NO_UNIT),
        "kinds": {str(code): kind.value for code, kind in IMAGE_KEY_KINDS.items()},
        "nxtomo": {
            "title": nxtomo.FORMAT.title,
            "data": DATA,
            "imageKey": IMAGE_KEY,
            "angles": nxtomo.ANGLES,
            "pixel": nxtomo.PIXEL,
            "energy": nxtomo.ENERGY,
            "distance": nxtomo.DISTANCE,
        },
        "dataExchange": {
            "title": DATA_EXCHANGE.title,
            "pixel": data_exchange.PIXEL,
            "detectorPixel": data_exchange.DETECTOR_PIXEL,
            "magnification": magnification.paths,
            "energy": data_exchange.ENERGY,
            "highestKev": data_exchange.HIGHEST_PHOTON_KEV,
            "distance": data_exchange.DISTANCE,
            "rotation": ROTATION,
        },
    }
