"""What a multi-page TIFF says of itself: a volume with a voxel size, as ImageJ, OME or tomarium describe it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element

from tomarium import units
from tomarium.errors import FormatError, UnitError
from tomarium.formats.opening.xml_text import parsed

if TYPE_CHECKING:
    from tifffile import TiffFile

_MOST_CHANNELS: Final = 32
_LONGEST: Final = 16 << 20
_NO_UNIT: Final = ("", "pixel", "pixels", "px", "reference frame")


@dataclass(frozen=True)
class Calibration:
    """A volume in TIFF pages."""

    dialect: str  # "ImageJ" or "OME"
    voxel_m: tuple[float, float, float] | None  # z, y, x, m
    unit: str  # unit of the values
    name: str  # short name, or ""
    grey_range: tuple[float, float] | None  # the values the least and the greatest integer stand for
    metadata: Mapping[str, Any]  # the description as it stands
    notes: tuple[str, ...]  # what could not be understood


def calibration_of(tif: TiffFile) -> Calibration | None:
    """Find out whether a file of many pages is a volume.

    Result: None where its description tells neither a voxel size nor that tomarium wrote a volume.
    """
    page: Any = tif.pages[0]
    description = str(page.description or "")
    if len(description) > _LONGEST:
        return None
    if description.startswith("ImageJ="):
        return _imagej(page, description)
    return _ome(description) if "<OME" in description[:4096] else None


def _imagej(page: Any, description: str) -> Calibration | None:
    values = {key: value for key, equals, value in _pairs(description) if equals}
    if "spacing" not in values and "tomarium" not in values:
        return None
    if any(
        int(values.get(axis, "1") or 1) > 1
        for axis in ("channels", "frames")
        if values.get(axis, "1").isdigit()
    ):
        return None
    notes: list[str] = []
    voxel = _imagej_voxel(page, values, notes)
    return Calibration(
        "ImageJ", voxel, values.get("value_unit", ""), values.get("value_name", ""), _grey(values), values,
        tuple(notes),
    )  # fmt: skip


def _imagej_voxel(
    page: Any, values: Mapping[str, str], notes: list[str]
) -> tuple[float, float, float] | None:
    """Read lengths as ImageJ writes them: units in escapes as Java has them, one of its own for each axis."""
    names = [_imagej_unit(values, key) for key in ("zunit", "yunit", "unit")]
    if any(name.lower() in _NO_UNIT for name in names):
        return None
    try:
        z, y, x = (Fraction(repr(units.factor(name, "m"))) for name in names)
        tall, wide = (_pixel(page, tag) for tag in (283, 282))
        # ImageJ keeps the sign of the stack's direction in old files; the distance is its size.
        return _check_voxel((abs(Fraction(values.get("spacing", "nan"))) * z, tall * y, wide * x), notes)
    except (ValueError, KeyError, ZeroDivisionError, OverflowError):
        notes.append("the description's spacing or the resolution tags are no numbers")
    except UnitError as problem:
        notes.append(str(problem))
    return None


def _imagej_unit(values: Mapping[str, str], key: str) -> str:
    text = values.get(key) or values.get("unit", "")
    try:
        return text.encode("ascii").decode("unicode_escape").strip() or "pixel"
    except UnicodeError:  # it is written as it is, or what looks like an escape is none
        return text.strip()


def ome_stack(description: str) -> Element | None:
    """Return the element Pixels of an OME description; None of another, or of one of several images."""
    root = parsed(description) if "<OME" in description[:4096] else None
    stacks = [] if root is None else list(root.iterfind(".//{*}Image/{*}Pixels"))
    return stacks[0] if len(stacks) == 1 else None


def planes_described(tif: TiffFile) -> dict[str, int]:
    """Return how many times, slices and channels a file's description tells.

    Result: "times", "slices", "channels" as ImageJ or OME tells them; empty where it is of neither, or of
    several images.
    """
    description = str(getattr(tif.pages[0], "description", "") or "")
    values: Mapping[str, str] = {}
    names: tuple[str, ...] = ()
    if len(description) > _LONGEST:
        return {}
    if description.startswith("ImageJ="):
        values = {key: value for key, equals, value in _pairs(description) if equals}
        names = ("frames", "slices", "channels")
    elif (stack := ome_stack(description)) is not None:
        values = dict(stack.attrib)
        names = ("SizeT", "SizeZ", "SizeC")
    counts = (values.get(name, "1").strip() for name in names)
    return {
        word: int(count) if count.isdecimal() and len(count) < 10 else 1
        for word, count in zip(("times", "slices", "channels"), counts, strict=False)
    }


def hyperstack_said(tif: TiffFile) -> str | None:
    """Say that a file's pages run through several of times, slices and channels, or are channels.

    Result: the evidence, in words; None where its description tells of slices or times alone, or of more channels than
    any microscope has.
    """
    planes = {word: count for word, count in planes_described(tif).items() if count > 1}
    page: Any = tif.pages[0]
    # ImageJ's writers call any stack channels; the colours of one page are no pages.
    has_ome_channels = "<OME" in str(page.description or "")[:4096] and int(page.samplesperpixel) == 1
    channels = has_ome_channels and set(planes) == {"channels"} and planes["channels"] <= _MOST_CHANNELS
    if len(planes) < 2 and not channels:
        return None
    counts = " x ".join(f"{count} {word}" for word, count in planes.items())
    return f"its description tells of {counts}: its pages are no series of angles"


def slice_calibration(tif: TiffFile) -> tuple[tuple[float, float, float] | None, tuple[str, ...]]:
    """Read the voxel size from one slice of a series, as ImageJ describes it.

    Result: voxel size (z, y, x) in m, or None; and what was assumed or could not be understood, in words.
    """
    values = _imagej_values(tif)
    if values is None:
        return None, ()
    notes: list[str] = []
    page: Any = tif.pages[0]
    if "spacing" in values:
        return _imagej_voxel(page, values, notes), tuple(notes)
    pixel, notes_of_pixel = pixel_calibration(tif)
    if pixel is None:
        return None, notes_of_pixel
    y, x = pixel
    assumed = f"the distance of slices is not told: that of columns, {units.show(x, 'm')}, was taken"
    return (x, y, x), (*notes_of_pixel, assumed)


def pixel_calibration(tif: TiffFile) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """Read the size of a pixel of a file's first page, as ImageJ describes it.

    Result: height and width in m, or None; and what is doubtful or could not be understood, in words.
    """
    values = _imagej_values(tif)
    if values is None:
        return None, ()
    page: Any = tif.pages[0]
    notes: list[str] = []
    voxel = _imagej_voxel(page, {"spacing": "1", **values}, notes)
    if voxel is None:
        return None, tuple(notes)
    # ImageJ: TiffEncoder writes pixels per unit, so that 1 is a pixel of one unit; others write 1 for "not known".
    if _pixel(page, 282) == _pixel(page, 283) == 1:
        unit = _imagej_unit(values, "unit")
        notes.append(
            f"its resolution is 1 pixel per {unit}, which programs also write where they know none: a pixel of "
            f"1 {unit} was taken, as ImageJ takes it"
        )
    return voxel[1:], tuple(notes)


def _imagej_values(tif: TiffFile) -> dict[str, str] | None:
    """Return the lines of ImageJ's description; None where the first page has none."""
    page: Any = tif.pages[0]
    description = str(page.description or "")
    if not description.startswith("ImageJ=") or len(description) > _LONGEST:
        return None
    return {key: value for key, equals, value in _pairs(description) if equals}


def _pairs(description: str) -> Iterator[tuple[str, str, str]]:
    return (line.partition("=") for line in description.splitlines())


def _pixel(page: Any, tag: int) -> Fraction:
    numerator, denominator = page.tags[tag].value
    return Fraction(int(denominator), int(numerator))


def _check_voxel(
    voxel: tuple[Fraction, Fraction, Fraction], notes: list[str]
) -> tuple[float, float, float] | None:
    z, y, x = map(float, voxel)
    if all(math.isfinite(length) and length > 0 for length in (z, y, x)):
        return z, y, x
    notes.append(f"a voxel of {z:g} x {y:g} x {x:g} m (z, y, x) cannot be and was left out")
    return None


def _ome(description: str) -> Calibration | None:
    root = parsed(description)
    pixels = None if root is None else root.find(".//{*}Image/{*}Pixels")
    if root is None or pixels is None:
        return None
    own_values = {
        str(item.get("K")): item.text or "" for item in root.iterfind(".//{*}MapAnnotation/{*}Value/{*}M")
    }
    sizes = {axis: pixels.get(f"Size{axis}", "1") for axis in "ZCT"}
    if sizes["C"] != "1" or sizes["T"] != "1" or sizes["Z"] in ("0", "1"):
        return None
    notes: list[str] = []
    voxel = None
    try:
        lengths = tuple(
            Fraction(pixels.attrib[f"PhysicalSize{axis}"])
            * Fraction(repr(units.factor(pixels.get(f"PhysicalSize{axis}Unit", "µm"), "m")))
            for axis in "ZYX"
        )
        voxel = _check_voxel((lengths[0], lengths[1], lengths[2]), notes)
    except KeyError:
        if "tomarium" not in own_values:
            return None
    except (ValueError, ZeroDivisionError, OverflowError, UnitError) as problem:
        notes.append(f"the physical size of the voxels cannot be read ({problem})")
    metadata = {**dict(pixels.attrib), **own_values}
    name = own_values.get("value_name", "")
    return Calibration(
        "OME", voxel, own_values.get("value_unit", ""), name, _grey(own_values), metadata, tuple(notes)
    )


def _grey(values: Mapping[str, str]) -> tuple[float, float] | None:
    try:
        low, high = float(values["grey_low"]), float(values["grey_high"])
    except (KeyError, ValueError):
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None


def is_volume(tif: TiffFile) -> str | None:
    """Say why a file of many pages is a volume and no scan.

    Result: the evidence, in words; None where there is none.
    """
    try:
        calibration = calibration_of(tif)
    except FormatError:
        return None
    if calibration is None:
        return None
    if calibration.voxel_m is not None:
        size = " x ".join(units.show(length, "m") for length in calibration.voxel_m)
        return f"its {calibration.dialect} description tells voxels of {size} (z, y, x)"
    return f"its {calibration.dialect} description says that it is a volume, without a voxel size"
