"""Files in and out: each module holds one format; `open` finds the right one by looking at the bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tomarium import registry
from tomarium.errors import FormatError, ParameterError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.hdf5.half_written import looks_truncated, while_written
from tomarium.formats.hdf5.held_open import held_open
from tomarium.formats.hdf5.user_paths import open_paths, stacks_in, with_paths
from tomarium.formats.opening.drop_unwritten import without_unwritten
from tomarium.formats.opening.image_user_values import scan_of, settled
from tomarium.formats.opening.messages import explain, place_of, unusable
from tomarium.formats.opening.per_view import is_place, numbers_given
from tomarium.formats.opening.profile_values import ProfileValues, with_profile_values
from tomarium.formats.opening.sandbox import open_in_subprocess
from tomarium.formats.opening.shift_file import shifts_given
from tomarium.formats.opening.stored_axes import with_axes
from tomarium.formats.opening.trusted_folders import trusted, trusting
from tomarium.formats.opening.unpacked import bare
from tomarium.formats.opening.user_values import checked, with_domain, with_user_values
from tomarium.formats.pictures import picture
from tomarium.formats.provenance.embedded_source import with_geometry_beside
from tomarium.formats.sinogram.reader import SinogramFrames, angles_named, oriented
from tomarium.formats.tiff.references import with_tiff_references
from tomarium.model import Image, Scan, Value
from tomarium.model.geometry import BY_NAME, user_value

Number: TypeAlias = float | str
"""A number in the unit of its name, or text with a unit, such as "0.65 um"."""

PerView: TypeAlias = Sequence[float] | NDArray[np.float64] | str | PathLike[str]
"""One number for each projection: a list; "FIRST:LAST:COUNT", the last one included; a text file (.txt, .csv, .dat)
with one number a line; or a place in HDF5."""


@dataclass(frozen=True)
class _Named:
    """What a user names of a file when opening it."""

    entry: str | None
    data: str | None
    flats: str | None
    darks: str | None
    angles: str | None
    image_key: str | None
    domain: str | None
    axes: str | None


PLACES = tuple(field.name for field in fields(_Named))
"""What a user may name of a file when opening it; each that was named is kept in the scan's metadata as `opened_…`,
so that the scan can be opened again."""

# Formats of frames in order of which the first need not be the angle.
_UNSAID = ("tiff",)
_SLICES = ("tiff-slices", "tiff-volume")
"""Formats of volumes that are projections, as `tiff` reads them, where a user tells what only those have."""

__all__ = ["Format", "Match", "formats", "open", "recognise", "trusting"]


def formats() -> dict[str, Format]:
    """List the formats there are.

    Returns
    -------
    dict of str to Format
        Name → format, those of other installed packages included.
    """
    return registry.collect("formats", Format)


def recognise(path: str | PathLike[str]) -> tuple[tuple[Format, Match], ...]:
    """Ask every format what it makes of a file or folder.

    Parameters
    ----------
    path : path
        File or folder.

    Returns
    -------
    tuple of (Format, Match)
        The formats that have something to say, the best first; a score of 0 is a "no" with its reason.

    Raises
    ------
    FormatError
        There is nothing at the path, or nothing that can be read.
    """
    place = place_of(path)
    problem = unusable(place)
    if problem:
        raise FormatError(problem)
    with held_open(place):
        matches = [
            (format_, match) for format_ in formats().values() if (match := _ask(format_, place)) is not None
        ]
    suffix = bare(place).suffix.lower()
    return tuple(sorted(matches, key=lambda pair: (-pair[1].score, suffix not in pair[0].suffixes)))


def _ask(form: Format, place: Path) -> Match | None:
    try:
        return form.detect(place)
    except PermissionError as problem:  # of something within a folder
        return no_match(f"{problem.filename} may not be read")


def open(
    path: str | PathLike[str],
    *,
    as_format: str | None = None,
    entry: str | None = None,
    data: str | None = None,
    flats: str | PathLike[str] | None = None,
    darks: str | PathLike[str] | None = None,
    angles: str | None = None,
    image_key: str | None = None,
    angles_deg: PerView | None = None,
    pixel_m: Number | None = None,
    pixel_aspect: Number | None = None,
    energy_kev: Number | None = None,
    distance_m: Number | None = None,
    axis_column: Number | None = None,
    axis_roll_deg: Number | None = None,
    axis_tilt_deg: Number | None = None,
    shift_columns_px: PerView | None = None,
    shift_rows_px: PerView | None = None,
    beam_intensity: PerView | None = None,
    shifts: PerView | None = None,
    domain: str | None = None,
    axes: str | None = None,
    profile: ProfileValues | None = None,
    trust: Sequence[str | PathLike[str]] = (),
    isolated: bool = False,
) -> Scan | Image:
    """Open a scan or a volume; only its header is read now, its frames when they are asked for.

    Parameters
    ----------
    path : path
        File or folder, in any of the formats `tomarium.formats.formats()` lists; of `tomarium.open` also the address
        of an OME-Zarr image on the web: "https://data.example.org/bone.zarr#level=2", or "s3://BUCKET/…".
    as_format : str or None
        Name of the format to read it as; None lets the file decide.
    entry : str or None
        Which scan or image, for a file that holds several, as `recognise` lists them; None takes the first.
    data : str or None
        Place of the frames, for an HDF5 file of no known format: "/entry/data", "other.h5:/entry/data", or one of
        them and "[50:3051]" for some of the frames. None lets the format find them.
    flats, darks : path or None
        Reference frames to take in place of the file's, for a scan of any format: a place in it, "/b", one in
        another file, "flats.h5:/b", or that file alone, where one dataset fits; or a folder of TIFF files, or one such
        file. None keeps the file's.
    angles : str or None
        Place of the angles to take in place of the file's, degrees where it gives no unit; or any other text that
        `angles_deg` takes.
    image_key : str or None
        With `data`: place of what each frame shows, numbers as in NXtomo or words.
    angles_deg : array of float, shape (angle,), str, path or None
        Rotation angles in degrees to take in place of the file's: numbers; "0:180:721" for so many equal steps, the
        last angle included; a text file with one angle a line; or a place in HDF5. With them an image of the axes
        (angle, row, column), or one sinogram (angle, column), is a scan. None keeps the file's, here and below.
    pixel_m : float, str or None
        Pixel size at the sample, m, or text with a unit such as "0.65 um"; of an image, that of each of its axes of
        length. Its width, where a pixel is no square.
    pixel_aspect : float, str or None
        Height of a pixel (along the rotation axis) over its width, where it is no square.
    energy_kev : float, str or None
        Photon energy, keV, or text with a unit.
    distance_m : float, str or None
        Distance from sample to detector, m, or text with a unit.
    axis_column : float, str or None
        Column of the rotation axis, 0-based, pixel centres at integers.
    axis_roll_deg, axis_tilt_deg : float, str or None
        Turn of the axis in the detector's plane, and its lean along the beam, degrees.
    shift_columns_px, shift_rows_px : array of float, shape (angle,), str, path or None
        Where the sample stands in each view beside its place in a perfect scan, pixels; written like the angles.
    beam_intensity : array of float, shape (angle,), str, path or None
        Intensity of the beam in each view over that in the flats; written like the angles.
    shifts : array of float, shape (angle,) or (angle, 2), str, path or None
        Both shifts at once, along columns and rows: a correction file as PyHST2 and nabu write it, or its numbers.
    domain : {"counts", "transmission", "attenuation"} or None
        What the numbers of the projections are: detector counts, I/I0 or -ln(I/I0). None takes what the file says,
        counts where it says nothing.
    axes : str or None
        Names of the stored axes, where the file does not say them: "column,angle" for a sinogram whose columns come
        first, "row,angle,column" for a stack of sinograms. None takes (angle, row, column); of one sinogram (angle,
        column), unless the angles are as many as the second axis is long and not the first.
    profile : ProfileValues or None
        What the profile of a beamline tells of its scans (`tomarium.beamtime.profile_file.read_profile(…).scan`): taken
        for what neither you nor the file tells. An image takes nothing of it.
    trust : sequence of path
        Folders that the scan may point to besides its own, with all that lies below them: for files that refer to raw
        data elsewhere. A record that repeats the run is told of them anew.
    isolated : bool
        Whether to open it first in a process of its own, which costs about a second: damaged bytes can crash
        the library that reads them, or keep it for ever. For files of strangers.

    Returns
    -------
    Scan or Image
        A scan where the file holds projections or its angles are given, an image (a `Volume` where it has
        the axes z, y, x) otherwise.

    Raises
    ------
    FormatError
        The file is of no known format, is damaged, or its parts do not fit together.
    ParameterError
        There is no format or entry of that name, or a value given cannot be.
    UnitError
        A text has no unit, or one of another kind.
    """
    place = place_of(path)
    if angles is not None and angles_deg is not None:
        raise ParameterError(f"{place}: angles (a place) and angles_deg (numbers) were both given; give one")
    geometry: dict[str, Any] = {
        "angles_deg": angles if angles_deg is None else angles_deg,
        "pixel_m": pixel_m,
        "pixel_aspect": pixel_aspect,
        "energy_kev": energy_kev,
        "distance_m": distance_m,
        "axis_column": axis_column,
        "axis_roll_deg": axis_roll_deg,
        "axis_tilt_deg": axis_tilt_deg,
        "shift_columns_px": shift_columns_px,
        "shift_rows_px": shift_rows_px,
        "beam_intensity": beam_intensity,
    }
    if shifts is not None:
        if shift_columns_px is not None or shift_rows_px is not None:
            raise ParameterError(
                f"{place}: shifts was given beside shift_columns_px or shift_rows_px; give one of both"
            )
        geometry |= shifts_given(shifts, place)
    flats = None if flats is None else fspath(flats)
    darks = None if darks is None else fspath(darks)
    paths_named = _Named(entry, data, flats, darks, None, image_key, domain, axes)
    with trusting([trust] if isinstance(trust, str | PathLike) else trust):
        if isolated:
            open_in_subprocess(place, as_format, trust=trusted())
        values = _user_values(place, geometry)
        opened = while_written(place, lambda: _open(place, as_format, paths_named, dict(values)))
    return opened if profile is None or isinstance(opened, Image) else with_profile_values(opened, profile)


def _open(place: Path, as_format: str | None, paths_named: _Named, values: dict[str, Any]) -> Scan | Image:
    if isinstance(values.get("angles_deg"), str):
        paths_named = replace(paths_named, angles=values.pop("angles_deg"))
    if paths_named.data is not None or paths_named.image_key is not None:
        scan = _open_by_paths(place, as_format, paths_named, values.pop("angles_deg", None))
    else:
        opened = _page_as_image(
            place,
            _open_by_format(place, as_format, paths_named.entry, _tells_scan(paths_named, values)),
            as_format,
            paths_named,
            values,
        )
        if isinstance(opened, Image):
            if paths_named.angles is not None:
                values["angles_deg"] = numbers_given(BY_NAME["angles_deg"], paths_named.angles, place)
                paths_named = replace(paths_named, angles=None)
            opened = _as_scan(place, opened, values.get("angles_deg"), paths_named.axes)
            if isinstance(opened, Image):
                _refuse(place, paths_named.axes, paths_named.flats, paths_named.darks)
                return settled(opened, {**values, "domain": paths_named.domain})
            scan = opened
        else:
            with_angles = with_user_values(with_paths(opened, angles=paths_named.angles), values)
            scan = _in_order(with_angles, paths_named.axes)
        scan, flats, darks = with_tiff_references(scan, paths_named.flats, paths_named.darks)
        scan = with_paths(scan, flats=flats, darks=darks)
    places = {
        f"opened_{name}": Value(text, "user", "given when the scan was opened")
        for name in PLACES
        if (text := getattr(paths_named, name)) is not None
    }
    scan = replace(scan, metadata={**scan.metadata, **places}) if places else scan
    return checked(with_domain(with_user_values(scan, values), paths_named.domain))


def _page_as_image(
    place: Path, opened: Scan | Image, as_format: str | None, paths_named: _Named, values: Mapping[str, Any]
) -> Scan | Image:
    """Take one grey TIFF page for a picture where nobody says that it is a sinogram."""
    options = (
        as_format,
        paths_named.angles,
        values.get("angles_deg"),
        paths_named.axes,
        paths_named.flats,
        paths_named.darks,
    )
    if not isinstance(opened, Scan) or (opened.format, opened.dialect) != ("sinogram", "tiff"):
        return opened
    if any(option is not None for option in options) or len(opened.angles_deg.value):
        return opened
    match = picture.detect(place)
    return opened if match is None or not match.score else picture.read(place, match)


def _as_scan(
    place: Path, image: Image, angles: Value[NDArray[np.float64]] | None, axes: str | None
) -> Scan | Image:
    """Take an image for projections where its angles are given, or lie beside it; else return it as it is."""
    if angles is None and image.ndim == 2 and place.is_file():
        angles = angles_named(place)
    return image if angles is None else scan_of(place, image, angles, axes)


def _refuse(place: Path, *options: str | None) -> None:
    """Refuse what only projections have, told of an image."""
    if any(option is not None for option in options):
        raise ParameterError(
            f"{place}: is an image, which has no flats, darks or angles; give its angles too, or name its frames, as "
            f"data=…, to open it as a scan"
        )


def _in_order(scan: Scan, axes: str | None) -> Scan:
    """Bring frames into order where their format does not say which axis is which."""
    if isinstance(scan.projections, SinogramFrames):
        return oriented(scan, axes)
    if scan.format in _UNSAID:
        return with_axes(scan, axes)
    if axes is not None:
        raise ParameterError(
            f"{scan.path}: axes={axes!r} was given, but {scan.format} says itself which axis is which; leave it out"
        )
    return scan


def _user_values(place: Path, geometry: Mapping[str, Any]) -> dict[str, Any]:
    """Make values of what the user gave; angles that are a place in HDF5 stay text, for the reader of the frames."""
    values: dict[str, Any] = {}
    for name, number in geometry.items():
        if number is None:
            continue
        field = BY_NAME[name]
        if isinstance(number, Value):
            values[name] = number
        elif field.per_view and isinstance(number, str | PathLike):
            text = fspath(number)
            values[name] = (
                text if name == "angles_deg" and is_place(text) else numbers_given(field, text, place)
            )
        else:
            values[name] = user_value(name, number)
    return values


def _open_by_paths(
    place: Path, as_format: str | None, paths_named: _Named, angles: Value[NDArray[np.float64]] | None
) -> Scan:
    if paths_named.data is None:
        raise ParameterError(f"{place}: image_key was given without data; name the frames it belongs to")
    if as_format or paths_named.entry:
        raise ParameterError(
            f"{place}: data was given, which leaves no choice of format or entry; give either"
        )
    problem = unusable(place)
    if problem:
        raise FormatError(problem)
    return open_paths(
        place,
        data=paths_named.data,
        flats=paths_named.flats,
        darks=paths_named.darks,
        angles=paths_named.angles if angles is None else angles,
        image_key=paths_named.image_key,
        axes=paths_named.axes,
    )


def _tells_scan(paths_named: _Named, values: Mapping[str, Any]) -> bool:
    """Tell whether a user named what only projections have."""
    named = (paths_named.angles, paths_named.flats, paths_named.darks, paths_named.domain, paths_named.axes)
    return "angles_deg" in values or any(text is not None for text in named)


def _open_by_format(place: Path, as_format: str | None, entry: str | None, is_scan: bool) -> Scan | Image:
    with held_open(place):
        return _opened(place, as_format, entry, is_scan)


def _opened(place: Path, as_format: str | None, entry: str | None, is_scan: bool) -> Scan | Image:
    form, match = _choose(place, recognise(place), as_format, is_scan)
    if entry is not None:
        entry_found = next((name for name in match.entries if name.strip("/") == entry.strip("/")), None)
        if entry_found is None:
            entries_text = ", ".join(match.entries) or "only one, without a name"
            raise ParameterError(f"{place}: holds no scan called {entry!r}; it holds {entries_text}")
        match = replace(match, entry=entry_found)
    opened = form.read(place, match)
    return with_geometry_beside(without_unwritten(opened)) if isinstance(opened, Scan) else opened


def _choose(
    place: Path, matches: tuple[tuple[Format, Match], ...], as_format: str | None, is_scan: bool = False
) -> tuple[Format, Match]:
    if as_format is not None:
        if as_format not in formats():
            raise ParameterError(f"there is no format {as_format!r}; there are {', '.join(formats())}")
        matches = tuple(pair for pair in matches if pair[0].name == as_format)
    chosen = [pair for pair in matches if pair[1].score > 0]
    if not chosen:
        refusals = [(form, match.why) for form, match in matches if match.why]
        as_asked, stacks = (formats()[as_format], []) if as_format else (None, stacks_in(place))
        raise FormatError(explain(place, refusals, as_asked, stacks))
    cut = next((match.why for _, match in matches if not match.score and looks_truncated(match.why)), None)
    if cut is not None:  # another moment's answer would be that of a file half-written
        raise FormatError(cut if cut.startswith(f"{place}: ") else f"{place}: {cut}")
    if is_scan and chosen[0][0].name in _SLICES:
        return next((pair for pair in chosen if pair[0].name == "tiff"), chosen[0])
    return chosen[0]
