"""States of Neuroglancer: made from a record, and checked before one that a reader sends is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import numpy as np

from tomarium.errors import FormatError, InputError
from tomarium.model import Record
from tomarium.model.link import Row4
from tomarium.specimen.pose import apply
from tomarium.viewers.place import place_of
from tomarium.viewers.volume import open_volume, volume_path, volume_window

# Addresses in states have no host: a link lives as long as the record, wherever the portal moves.
ADDRESS: Final = re.compile(
    r"/records/([A-Za-z0-9][\w.-]{0,100})/files/[\w][\w./ %~+-]{0,400}(\|zarr[23]?:)?", re.ASCII
)
KEYS: Final = frozenset((
    "dimensions", "relativeDisplayScales", "displayDimensions", "position", "crossSectionOrientation",
    "crossSectionScale", "crossSectionDepth", "projectionOrientation", "projectionScale", "projectionDepth",
    "layers", "showAxisLines", "showScaleBar", "showSlices", "wireFrame", "enableAdaptiveDownsampling",
    "gpuMemoryLimit", "systemMemoryLimit", "concurrentDownloads", "prefetch", "layout", "selectedLayer",
    "crossSectionBackgroundColor", "projectionBackgroundColor", "showDefaultAnnotations", "toolPalettes",
    "layerListPanel", "selection", "statistics", "helpPanel", "settingsPanel", "partialViewport",
    "hideCrossSectionBackground3D", "toolBindings", "enableLayerColorWidget", "velocity",
))  # fmt: skip
KINDS: Final = frozenset({"image", "segmentation", "annotation", "mesh"})
LONGEST_SHADER: Final = 8 << 10
MOST_LAYERS: Final = 32
_DEEPEST: Final = 24
# Screen pixels that a panel has at least, to choose a scale at which the whole volume is seen.
_PANEL_PX: Final = 250
_OUTPUT_M: Final = 1e-6
_COLOURS: Final = ("", "vec3(0.1, 1.0, 0.3)", "vec3(1.0, 0.2, 1.0)", "vec3(1.0, 0.7, 0.1)")


@dataclass(frozen=True)
class Source:
    """A volume as Neuroglancer finds it.

    Attributes
    ----------
    record : Record
        It is of.
    address : str
        Below this portal, without host.
    scale_m : tuple of float or None
        Size of a voxel along z, y, x in m; None where it is not known.
    start : tuple of float
        Centre of the first voxel along z, y, x, in voxels.
    shape : tuple of int
        Voxels along z, y, x.
    window : tuple of float
        Grey values shown black and white.
    labels : tuple of str
        Addresses of its label volumes.
    matrix : tuple of 4 tuples of 4 float, or None
        Maps points (x, y, z, 1) of its frame to those of the frame that all sources share, m; None where its own
        coordinates put it.
    """

    record: Record
    address: str
    scale_m: tuple[float, ...] | None
    start: tuple[float, ...]
    shape: tuple[int, ...]
    window: tuple[float, float]
    labels: tuple[str, ...]
    matrix: tuple[Row4, Row4, Row4, Row4] | None = None


def source_of(record: Record, folder: Path, file: Callable[[str], str]) -> Source | None:
    """Describe the volume of a record.

    Parameters
    ----------
    record : Record
        The record.
    folder : Path
        Its folder.
    file : callable
        `file(path) -> str`: address of one of its files.

    Returns
    -------
    Source or None
        None where it has no OME-Zarr volume.

    Raises
    ------
    FormatError
        The volume is damaged.
    """
    path = volume_path(record)
    place = place_of(folder, path) if path else None
    if path is None or place is None:
        return None
    volume = open_volume(place)
    ome, form = _metadata(place)
    image = ome["multiscales"][0]
    scale, shift = _transform(image["datasets"][0].get("coordinateTransformations", ()))
    micrometres = all(axis.get("unit") == "micrometer" for axis in image["axes"][-3:])
    address = file(path)
    return Source(
        record=record,
        address=f"{address}/|{form}:",
        scale_m=tuple(1e-6 * value for value in scale) if micrometres else None,
        start=tuple(move / value for move, value in zip(shift, scale, strict=True)),
        shape=tuple(volume.levels[0].shape),
        window=volume_window(record, folder),
        labels=tuple(
            f"{address}/labels/{name}/|{form}:" for name in _names(ome) if (place / "labels" / name).is_dir()
        ),
    )


def _metadata(place: Path) -> tuple[Mapping[str, Any], str]:
    """Read what an OME-Zarr image says of itself, and which Zarr it is, in Neuroglancer's word."""
    try:
        if (place / "zarr.json").is_file():
            return json.loads((place / "zarr.json").read_text())["attributes"]["ome"], "zarr3"
        return json.loads((place / ".zattrs").read_text()), "zarr2"
    except (OSError, ValueError, KeyError) as problem:
        raise FormatError(f"{place.name}: its metadata cannot be read ({problem})") from problem


def _names(ome: Mapping[str, Any]) -> list[str]:
    names = ome.get("labels")
    return (
        [name for name in names if isinstance(name, str) and re.fullmatch(r"[\w-]+", name)] if names else []
    )


def _transform(steps: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    scale, shift = [1.0] * 3, [0.0] * 3
    for step in steps:
        scale = [float(number) for number in step["scale"][-3:]] if step.get("type") == "scale" else scale
        if step.get("type") == "translation":
            shift = [float(number) for number in step["translation"][-3:]]
    return scale, shift


def make_state(sources: Sequence[Source], *, rendering: bool = False) -> dict[str, Any]:
    """Make the state with which Neuroglancer shows volumes: four panels, the middle, the whole volume in sight.

    Parameters
    ----------
    sources : sequence of Source
        At least one; the first says where the middle is. Volumes lie over each other where their own coordinates put
        them, or where their matrices do.
    rendering : bool
        Whether the fourth panel renders the volume instead of showing the slices in space.

    Returns
    -------
    dict
        JSON. Addresses are without host.
    """
    first = sources[0]
    unit = "m" if first.scale_m else ""
    scales = first.scale_m or (1.0, 1.0, 1.0)
    dimensions = {name: [scales[axis], unit] for name, axis in (("x", 2), ("y", 1), ("z", 0))}
    middle = [first.start[axis] + (first.shape[axis] - 1) / 2 for axis in (2, 1, 0)]
    if first.matrix is not None:
        across = np.array([scales[axis] for axis in (2, 1, 0)])
        middle = (apply(np.asarray(first.matrix), np.array(middle) * across) / across).tolist()
    longest = max(first.shape)
    layers = []
    for number, source in enumerate(sources):
        layers += list(_layers(source, number, rendering, len(sources) > 1))
    return {
        "dimensions": dimensions,
        "position": middle,
        "crossSectionScale": 1.05 * longest / _PANEL_PX,
        "projectionScale": 2.0 * longest,
        "projectionOrientation": [0.35, -0.2, -0.1, 0.9],
        "layers": layers,
        "showSlices": not rendering,
        "showDefaultAnnotations": True,
        "layout": "4panel",
        "crossSectionBackgroundColor": "#000000",
        "projectionBackgroundColor": "#000000",
        "selectedLayer": {"layer": layers[0]["name"], "visible": False},
    }


def _layers(source: Source, number: int, rendering: bool, several: bool) -> Iterator[dict[str, Any]]:
    low, high = source.window
    wide = high - low
    colour = _COLOURS[number % len(_COLOURS)] if several else ""
    shown = f"emitRGB(normalized() * {colour})" if colour else "emitGrayscale(normalized())"
    yield {
        "type": "image",
        "name": f"{source.record.title[:60]} ({source.record.id})",
        "source": _placed(source.address, source),
        "tab": "rendering",
        "shader": f"#uicontrol invlerp normalized\nvoid main() {{\n  {shown};\n}}\n",
        "shaderControls": {"normalized": {"range": [low, high], "window": [low - wide / 4, high + wide / 4]}},
        "blend": "additive" if several else "default",
        "volumeRendering": "on" if rendering else "off",
        "volumeRenderingDepthSamples": 128,
    }
    for address in source.labels:
        name = address.split("/")[-2]
        yield {
            "type": "segmentation",
            "name": f"{name} ({source.record.id})",
            "source": _placed(address, source),
            "tab": "segments",
        }


def _placed(address: str, source: Source) -> Any:
    """Return a data source, with the transform that puts it where its matrix does.

    Neuroglancer's matrix maps the dimensions of the source, z, y, x here, to those named in `outputDimensions`, in
    their order; its last column is in their units, the others are lengths over lengths.
    """
    if source.matrix is None:
        return address
    matrix = np.asarray(source.matrix)
    back = [2, 1, 0]
    rows = np.column_stack([matrix[:3, :3][np.ix_(back, back)], matrix[:3, 3][back] / _OUTPUT_M])
    dimensions = {name: [_OUTPUT_M, "m"] for name in "zyx"}
    return {"url": address, "transform": {"matrix": rows.tolist(), "outputDimensions": dimensions}}


def check_state(state: Any, may_open: Callable[[str], bool]) -> dict[str, Any]:
    """Check a state that a reader wants to keep: it may hold nothing but views of this portal's own volumes.

    Parameters
    ----------
    state : any
        JSON.
    may_open : callable
        `may_open(id) -> bool`: whether the files of a record are open to the reader.

    Returns
    -------
    dict
        The state.

    Raises
    ------
    InputError
        It holds an address that is not a volume of a record here, a shader that is too long, or what no view has.
    """
    if not isinstance(state, dict):
        raise InputError("the view is no JSON object; send the state of the viewer")
    unknown = sorted(set(state) - KEYS)
    if unknown:
        raise InputError(f"the view holds {', '.join(unknown)[:120]}, which no view has")
    layers = state.get("layers", [])
    if not isinstance(layers, list) or not 0 < len(layers) <= MOST_LAYERS:
        raise InputError(f"a view has 1 to {MOST_LAYERS} layers")
    for layer in layers:
        if not isinstance(layer, dict) or layer.get("type") not in KINDS:
            raise InputError(f"a layer of a view is one of {', '.join(sorted(KINDS))}")
        for address in _addresses(layer.get("source")):
            _demand_own(address, may_open)
    without_layers = {key: value for key, value in state.items() if key != "layers"}
    _demand_no_address(without_layers, 0)
    for layer in layers:
        _demand_no_address({key: value for key, value in layer.items() if key != "source"}, 0)
        for part in _transforms(layer.get("source")):
            _demand_no_address(part, 0)
    return state


def without_closed(state: Mapping[str, Any], may_open: Callable[[str], bool]) -> dict[str, Any]:
    """Leave out of a saved view what its reader may not know: layers of records that are not open to them.

    Parameters
    ----------
    state : Mapping
        One that `check_state` let through when it was saved, by somebody who may open more, or did then.
    may_open : callable
        `may_open(id) -> bool`: whether the files of a record are open to the reader.

    Returns
    -------
    dict
        The state, without these layers and without their names wherever they stand.
    """
    opened: dict[str, bool] = {}

    def is_closed(layer: Mapping[str, Any]) -> bool:
        matches = (ADDRESS.fullmatch(str(address)) for address in _addresses(layer.get("source")))
        ids = {match[1] for match in matches if match}
        return not all(opened.setdefault(id, may_open(id)) for id in ids)

    closed = [layer for layer in state["layers"] if is_closed(layer)]
    shown = dict(state) | {"layers": [layer for layer in state["layers"] if layer not in closed]}
    names = {str(layer.get("name", "")) for layer in closed}
    return _without(shown, names) if closed else shown


def _without(value: Any, names: Collection[str]) -> Any:
    """Leave out entries that are, or are called by, one of some names."""
    if isinstance(value, dict):
        remaining = {
            key: child for key, child in value.items() if key not in names and child not in tuple(names)
        }
        return {key: _without(child, names) for key, child in remaining.items()}
    if isinstance(value, list):
        return [_without(child, names) for child in value if child not in tuple(names)]
    return value


def _addresses(source: Any) -> Iterator[Any]:
    for entry in source if isinstance(source, list) else [source]:
        yield entry.get("url") if isinstance(entry, dict) else entry


def _transforms(source: Any) -> Iterator[Any]:
    for entry in source if isinstance(source, list) else [source]:
        if isinstance(entry, dict):
            yield {key: value for key, value in entry.items() if key != "url"}


def _demand_own(address: Any, may_open: Callable[[str], bool]) -> None:
    if address == "local://annotations":
        return
    match = ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None or ".." in unquote(address):  # a browser goes up for "%2e%2e" too
        raise InputError(f"{str(address)[:120]!r} is no volume of a record here; a view shows only these")
    if not may_open(match[1]):
        raise InputError(f"the files of {match[1]} are not open to you; take that layer away")


def _demand_no_address(value: Any, depth: int, key: str = "") -> None:
    if depth > _DEEPEST:
        raise InputError("the view is nested too deeply")
    if isinstance(value, dict):
        for name, child in value.items():
            _demand_no_address(name, depth + 1)
            _demand_no_address(child, depth + 1, str(name))
    elif isinstance(value, list):
        for child in value:
            _demand_no_address(child, depth + 1, key)
    elif isinstance(value, str):
        if key in ("shader", "skeletonShader"):
            if len(value) > LONGEST_SHADER:
                raise InputError(f"a shader has at most {LONGEST_SHADER} letters")
        elif "//" in value or "|" in value or len(value) > 2_000:
            raise InputError(f"{value[:80]!r}: a view holds no address but those of its layers")
