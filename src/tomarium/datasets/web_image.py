"""An OME-Zarr image on the web, opened lazily: only the chunks that are looked at are fetched.

It stands above the catalogue and beside the portal, which imports nothing of it: an address that a stranger gives a
portal is fetched by no server of ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from tomarium.datasets.web_files import WebPath, web_path
from tomarium.errors import FormatError, InputError, ParameterError, StoreUnavailable
from tomarium.formats.format import CHOOSE, Format, Match
from tomarium.formats.zarr import reader as ome_zarr
from tomarium.formats.zarr.array import ZarrArray
from tomarium.model import Axis, Image, Volume

_SPACE: Final = ("z", "y", "x")
_ABSENT_NOTE: Final = "a chunk that the server does not have reads as the fill value, as Zarr tells"


@dataclass(frozen=True, eq=False)
class PartOfArray:
    """Part of a lazy array: some axes at one place, others between two places.

    Attributes
    ----------
    data : array
        Anything that slices like NumPy.
    places : tuple of int or range
        One for each axis of `data`; those at one place are no axes here.
    """

    data: Any
    places: tuple[int | range, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis that is left."""
        return tuple(len(place) for place in self.places if isinstance(place, range))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Length of a chunk of the whole array along each axis that is left."""
        return tuple(
            min(int(size), max(1, len(place)))
            for size, place in zip(self.data.chunks, self.places, strict=True)
            if isinstance(place, range)
        )

    def __getitem__(self, key: Any) -> Any:
        parts = list(key) if isinstance(key, tuple) else [key]
        if sum(part is Ellipsis for part in parts) == 1:
            at = next(number for number, part in enumerate(parts) if part is Ellipsis)
            parts[at : at + 1] = [slice(None)] * (len(self.shape) - len(parts) + 1)
        parts += [slice(None)] * (len(self.shape) - len(parts))
        plain = all(
            (isinstance(part, slice) and (part.step is None or part.step > 0))
            or (isinstance(part, int | np.integer) and not isinstance(part, bool))
            for part in parts
        )
        if not plain or len(parts) != len(self.shape):
            return np.asarray(self.data[self._key(list(map(slice, self.shape)))])[key]
        return self.data[self._key(parts)]

    def _key(self, parts: list[Any]) -> tuple[Any, ...]:
        wanted: list[Any] = []
        named = iter(parts)
        for place in self.places:
            if isinstance(place, int):
                wanted.append(place)
                continue
            chosen = place[next(named)]
            wanted.append(
                slice(chosen.start, max(chosen.start, chosen.stop), chosen.step)
                if isinstance(chosen, range)
                else chosen
            )
        return tuple(wanted)


def open_web_image(source: str | WebPath, on_read: Callable[[int], None] | None = None) -> Image:
    """Open an OME-Zarr image 0.4 or 0.5 at an address; only its metadata are fetched now.

    Parameters
    ----------
    source : str or WebPath
        "https://…/image.zarr" or "s3://BUCKET/image.zarr"; after "#" what of it is wanted, joined by "&": `level=2`,
        one place of an axis, `c=1`, or a range of one, `z=100:200`, in voxels of that level.
    on_read : callable or None
        Told how many bytes of chunks were fetched in all.

    Returns
    -------
    Image
        A `Volume` where its axes, without those of length 1 that are no axes of a volume, are z, y, x.

    Raises
    ------
    StoreUnavailable
        The server does not answer, or does not permit it.
    FormatError
        There is no OME-Zarr image at the address, or its metadata are damaged.
    ParameterError
        It has no such level, axis or place.
    """
    path = source if isinstance(source, WebPath) else web_path(source, on_read)
    path, notes = _image_folder(path)
    image = ome_zarr.read(cast(Path, path), Match(1.0, "", ""), in_part=True)
    datasets = _multiscale(path)["datasets"]
    arrays = [ZarrArray(cast(Path, path / str(level["path"]))) for level in datasets]
    _demand_all(path, arrays)
    tells_places = not isinstance(image, Volume) or bool(image.level_axes)
    chosen = _chosen(path, image, len(arrays))
    first = int(chosen.pop("level", 0))
    arrays = arrays[first:] if not _cuts_space(chosen) else arrays[first : first + 1]
    axes_of_levels = [
        _level_axes(path, image, first + number, array.shape) for number, array in enumerate(arrays)
    ]
    keys = [_places(path, image, array.shape, chosen) for array in arrays]
    parts = tuple(PartOfArray(array, places) for array, places in zip(arrays, keys, strict=True))
    placed = [_axes_left(axes, places) for axes, places in zip(axes_of_levels, keys, strict=True)]
    names = tuple(axis.name for axis in placed[0])
    notes = [*image.metadata.get("notes", ()), *notes, _ABSENT_NOTE]
    choose = {}
    if names != _SPACE and set(_SPACE) <= set(names):
        more = [name for name in names if name not in _SPACE]
        lengths = dict(zip(names, parts[0].shape, strict=True))
        told = ", ".join(f"{name} (0 to {lengths[name] - 1})" for name in more)
        example = "&".join(f"{name}=0" for name in more)
        choose = {CHOOSE: f"write #{example} behind the address, for one of {told}"}
    address = f"{path}#{path.part}" if path.part else str(path)
    metadata: dict[str, Any] = {**image.metadata, **choose, "notes": notes, "address": address}
    name = f"{image.name} {path.part}".strip()
    place = cast(Path, path)
    if names == _SPACE:
        return Volume(parts[0], placed[0], image.unit, name, place, metadata, levels=parts,
                      level_axes=tuple(placed) if tells_places else ())  # fmt: skip
    return Image(parts[0], placed[0], image.unit, name, place, metadata)


def recognised(image: Image) -> tuple[Format, Match]:
    """Tell by which format an image on the web was read.

    Parameters
    ----------
    image : Image
        As `open_web_image` gives it.

    Returns
    -------
    tuple of Format and Match
        With the version of the metadata.
    """
    path = cast(Path, image.path)
    old = ome_zarr.detect_0_4(path)
    match = old or ome_zarr.detect(path)
    assert match is not None
    return (ome_zarr.FORMAT_0_4 if old else ome_zarr.FORMAT), match


def _image_folder(path: WebPath) -> tuple[WebPath, list[str]]:
    """Find the image at an address: itself, or the first of a file of several that bioformats2raw wrote."""
    place = cast(Path, path)
    match = ome_zarr.detect_0_4(place) or ome_zarr.detect(place)
    if match is not None and match.dialect == "unfinished":
        raise FormatError(f"{path}: is unfinished; wait until the run that writes it has come to its end")
    if match is not None and match.score:
        return path, []
    attributes = ome_zarr.attributes_of(place)
    if attributes is None:
        _refuse_nothing(path, match)
    ome = attributes.get("ome", attributes) if attributes else {}
    if isinstance(ome, Mapping) and "bioformats2raw.layout" in ome and path.name != "0":
        found, _ = _image_folder(path / "0")
        return found, [f"{path.name} may hold several images; the first, {path}/0, was opened"]
    if isinstance(ome, Mapping) and isinstance(ome.get("plate"), Mapping):
        raise FormatError(f"{path}: is a plate of many images; give the address of one, such as {path}/A/1/0")
    if isinstance(ome, Mapping) and isinstance(ome.get("well"), Mapping):
        raise FormatError(f"{path}: is a well of several images; give the address of one, such as {path}/0")
    raise FormatError(
        f"{path}: {match.why if match else 'is a Zarr group without OME metadata'}; give the address of an OME-Zarr "
        f"image, the folder whose zarr.json or .zattrs tells of multiscales"
    )


def _refuse_nothing(path: WebPath, match: Match | None) -> None:
    """Say why there is no metadata at an address: what the server said of it, else that it is not there."""
    if match is not None:
        raise FormatError(match.why)
    for name in ("zarr.json", ".zattrs"):
        if (refusal := path.files.refusals.get(f"{path.path}/{name}")) is not None:
            raise StoreUnavailable(refusal)
    for name in (".zarray", "zarr.json"):
        if (path / name).is_file():
            raise FormatError(
                f"{path}: is a Zarr array and no image; give the address of the folder above it, {path.parent}"
            )
    raise FormatError(
        f"{path}: has neither zarr.json nor .zattrs, so it is no OME-Zarr image; give the address of its folder, which "
        f"often ends in .zarr; a record of a portal is opened by tomarium.load, or fetched with `tomarium pull`"
    )


def _multiscale(path: WebPath) -> Mapping[str, Any]:
    attributes = ome_zarr.attributes_of(cast(Path, path)) or {}
    multiscale: Mapping[str, Any] = attributes.get("ome", attributes)["multiscales"][0]
    return multiscale


def _demand_all(path: WebPath, arrays: list[ZarrArray]) -> None:
    """Demand every file of the levels of which the metadata tell that all were written, as tomarium does."""
    counts = ome_zarr.own_attributes(ome_zarr.attributes_of(cast(Path, path)) or {}).get("shards") or ()
    for array, count in zip(arrays, counts, strict=False):
        files = array.array.shards or array.array.chunks
        whole = math.prod(-(-length // size) for length, size in zip(array.shape, files, strict=True))
        if count == whole:
            path.files.complete.add(cast(WebPath, array.path).path)


def _level_axes(path: WebPath, image: Image, level: int, shape: tuple[int, ...]) -> tuple[Axis, ...]:
    from tomarium.model.image import axes_of_level

    if isinstance(image, Volume):
        return tuple(axes_of_level(image, level, shape))
    axes = ome_zarr.level_axes(cast(Path, path), level)
    attributes = ome_zarr.attributes_of(cast(Path, path)) or {}
    if ome_zarr.tells_places(attributes.get("ome", attributes), _multiscale(path)):
        return axes
    # As of a volume: levels are means of finer voxels, and lie in their middle.
    return tuple(
        replace(axis, offset=axis.offset + (axis.scale - fine.scale) / 2) if axis.name in _SPACE else axis
        for axis, fine in zip(axes, image.axes, strict=True)
    )


def _cuts_space(chosen: Mapping[str, int | slice]) -> bool:
    return any(name in _SPACE or isinstance(place, slice) for name, place in chosen.items())


def _chosen(path: WebPath, image: Image, levels: int) -> dict[str, Any]:
    """Read what of an image is wanted."""
    names = [axis.name for axis in image.axes]
    chosen: dict[str, Any] = {}
    for word in filter(None, path.part.split("&")):
        name, equals, text = word.partition("=")
        try:
            ends = [int(end) if end.strip() else None for end in text.split(":")]
        except ValueError:
            ends = []
        one = len(ends) == 1 and ends[0] is not None
        if not equals or not (one or len(ends) == 2) or name in chosen or (name == "level" and not one):
            raise ParameterError(
                f"{path}#{path.part[:120]}: {word[:60]!r} is not understood; write level=2, c=1 or z=100:200, each "
                f"once, joined by &"
            )
        if name != "level" and name not in names:
            raise ParameterError(
                f"{path}: has no axis {name[:60]!r}; it has {', '.join(names)}, and levels 0 to {levels - 1} (level=0)"
            )
        chosen[name] = ends[0] if one else slice(*ends)
    if not 0 <= chosen.get("level", 0) < levels:
        raise ParameterError(f"{path}: has no level {chosen['level']}; it has the levels 0 to {levels - 1}")
    return chosen


def _places(
    path: WebPath, image: Image, shape: tuple[int, ...], chosen: Mapping[str, Any]
) -> tuple[int | range, ...]:
    """Return what is taken of each axis of a level; axes of length 1 that no volume has are left out."""
    places: list[int | range] = []
    for axis, length in zip(image.axes, shape, strict=True):
        wanted = chosen.get(axis.name, 0 if length == 1 and axis.name not in _SPACE else slice(None))
        whole = range(length)
        if isinstance(wanted, slice):
            part = whole[wanted]
            ends_known = all(end is None or -length <= end <= length for end in (wanted.start, wanted.stop))
            if not part or not ends_known:
                raise ParameterError(
                    f"{path}: {axis.name}={'' if wanted.start is None else wanted.start}:"
                    f"{'' if wanted.stop is None else wanted.stop} was asked for, but {axis.name} is 0 to {length - 1} "
                    f"at this level; choose a range within it"
                )
            places.append(part)
            continue
        if not -length <= wanted < length:
            raise ParameterError(
                f"{path}: {axis.name}={wanted} was asked for, but {axis.name} is 0 to {length - 1} at this level"
            )
        at = whole[wanted]
        places.append(range(at, at + 1) if axis.name in _SPACE else at)
    return tuple(places)


def _axes_left(axes: tuple[Axis, ...], places: tuple[int | range, ...]) -> tuple[Axis, ...]:
    return tuple(
        replace(axis, offset=axis.offset + axis.scale * place.start)
        for axis, place in zip(axes, places, strict=True)
        if isinstance(place, range)
    )


def demand_no_more(given: Mapping[str, Any], address: object) -> None:
    """Refuse what only files are told by; raises InputError."""
    if more := sorted(set(given) - {"pixel_m"}):
        raise InputError(
            f"{address}: {', '.join(more)} was given, but an image on the web is opened by its own metadata; leave it "
            f"out, or convert the image to a file first"
        )
