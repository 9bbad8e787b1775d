"""Zeiss (Xradia) .txrm scans, .xrm images and .txm volumes: streams of an OLE2 file.

Zeiss publishes no specification; names, types and units of the streams are those that the readers dxchange and
txrm2tiff found, compared with a real file. What was decided here:

- **Sign of the angle**: as it is stored. Readers disagree (TomographicImaging/CIL#829 took an inversion out
  again); the other sign gives the mirror image of every slice.
- **Distances**: StoRADistance and DtoRADistance in mm, without their sign. Where both are 1 in every frame they
  are placeholders (a synchrotron's microscope writes so) and not taken.
- **Energy**: below 1000 it is keV, else eV, since no such instrument reaches 1 MeV.
- **Reference image**: offered as the flat field, taken before the scan; not where the file says that its frames
  were divided by it already.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.one_frame import OneFrame
from tomarium.formats.opening.image_user_values import SOURCES
from tomarium.formats.zeiss.frames import TxrmFrames
from tomarium.formats.zeiss.ole2 import SIGNATURE, opened_ole, stream_bytes, stream_names, stream_offset
from tomarium.model import Axis, FrameKind, Geometry, Image, Scan, Value, Volume
from tomarium.model.scan import Reference

# ImageInfo/DataType → type of a pixel; any other code is told by the length of the streams.
DATA_TYPES: Final = {2: "i1", 3: "u1", 4: "i2", 5: "u2", 6: "i4", 7: "u4", 10: "f4", 11: "f8"}
BY_LENGTH: Final = {1: "u1", 2: "u2", 4: "f4"}
# Metadata under the name that all formats share: stream, kind of its values ("text" or a NumPy type).
KNOWN: Final = {
    "instrument": ("ImageInfo/CameraName", "text"),
    "objective": ("ImageInfo/ObjectiveName", "text"),
    "magnification": ("ImageInfo/OpticalMagnification", "<f4"),
    "sample_name": ("SampleInfo/SampleID", "text"),
    "experimenter": ("SampleInfo/Analyst", "text"),
    "facility": ("SampleInfo/Facility", "text"),
    "voltage_kv": ("ImageInfo/Voltage", "<f4"),
}
_DATE: Final = re.compile(r"(\d\d)/(\d\d)/(\d{4}|\d\d) (\d\d):(\d\d):(\d\d)")
_MOST_IMAGES: Final = 1 << 20
_MOST_PIXELS: Final = 1 << 30
_LONGEST_STREAM: Final = 1 << 20
_LONGEST_METADATA: Final = 16 << 20
_EV_FROM: Final = 1000.0
# A displacement at the edge of the field above this many pixels is said aloud.
_CONE_PIXELS: Final = 0.5


@dataclass(frozen=True)
class _Info:
    """Typed access to the small streams."""

    path: Path
    ole: Any
    names: frozenset[str]

    def content(self, name: str) -> bytes | None:
        if name not in self.names:
            return None
        return stream_bytes(self.ole, self.path, name, _LONGEST_STREAM)

    def values(self, name: str, dtype: str, most: int | None = None) -> NDArray[Any] | None:
        content = self.content(name)
        size = np.dtype(dtype).itemsize
        if content is None or len(content) < size:
            return None
        return np.frombuffer(content, dtype, len(content) // size)[:most]

    def whole_number(self, name: str, least: int, most: int) -> int:
        numbers = self.values(name, "<u4")
        if numbers is None:
            raise FormatError(f"{self.path}: lacks {name}, which every Zeiss file has; copy it again")
        number = int(numbers[0])
        if not least <= number <= most:
            raise FormatError(f"{self.path}: {name} is {number}, which cannot be; copy it again")
        return number

    def text(self, name: str) -> str:
        return (self.content(name) or b"").split(b"\0")[0].decode("latin-1").strip()

    def place(self, name: str) -> str:
        return f"{self.path.name}:{name}"


def detect(path: Path) -> Match | None:
    """Look for an OLE2 file whose streams say how many images it holds and how large they are."""
    try:
        with path.open("rb") as stream:
            if stream.read(8) != SIGNATURE:
                return None
    except OSError:
        return None
    try:
        with opened_ole(path) as ole:
            names = frozenset(stream_names(ole))
            if "ImageInfo/NoOfImages" not in names:
                some = ", ".join(sorted(names)[:3]) or "nothing"
                return no_match(f"an OLE2 file that holds {some} and no ImageInfo, so none of Zeiss's")
            info = _Info(path, ole, names)
            count = info.whole_number("ImageInfo/NoOfImages", 1, _MOST_IMAGES)
            dialect = _dialect(info, count)
    except FormatError as problem:
        return no_match(str(problem))
    return Match(0.95, dialect, f"an OLE2 file with the ImageInfo of {count} images")


def _dialect(info: _Info, count: int) -> str:
    if count == 1:
        return "xrm"
    angles = _angles(info)
    turned = angles is not None and len(angles) > 1 and bool(np.ptp(angles[:count]) > 0)
    return "txrm" if turned and info.path.suffix.lower() != ".txm" else "txm"


def _angles(info: _Info) -> NDArray[np.float64] | None:
    angles = info.values("ImageInfo/Angles", "<f4")
    return None if angles is None else angles.astype(np.float64)


def read(path: Path, match: Match) -> Scan | Image:
    """Read the header of a Zeiss file.

    Result: a scan of a .txrm, a volume of a .txm, an image of an .xrm, whose metadata tell `energy_kev`,
    `angle_deg`, `distance_m` and, in `sources`, the stream of each. Raises FormatError: it is damaged,
    truncated, or its frames are not of one size.
    """
    with opened_ole(path) as ole:
        names = stream_names(ole)
        info = _Info(path, ole, frozenset(names))
        repaired: list[str] = []
        warnings: list[str] = []
        frames = _frames(info, repaired)
        metadata = _metadata(info, names, warnings)
        pixel = _pixel(info)
        if match.dialect != "txrm":
            if path.suffix.lower() == ".txrm" and frames.shape[0] > 1:
                metadata["notes"] = Value(
                    ["its name says that it is a scan, but its angles are absent or all the same: it is damaged, or a "
                     "scan without rotation"], "derived", path.name,
                )  # fmt: skip
            return _image(path, frames, pixel, _taken(info, frames, pixel) | metadata, repaired)
        flats = _flats(info, frames, metadata, warnings)
        distance = _geometry(info, frames, pixel, metadata, warnings)
        angles = _angles(info)
        if angles is not None and len(angles) > frames.shape[0] and repaired:
            angles = angles[: frames.shape[0]]  # the others were planned, and not taken
        _say_shifts(info, warnings)
        return Scan(
            path=path,
            name=path.stem,
            format=FORMAT.name,
            dialect=match.dialect,
            why=match.why,
            projections=frames,
            geometry=Geometry(
                angles_deg=Value(
                    np.zeros(0) if angles is None else angles,
                    "read",
                    f"{info.place('ImageInfo/Angles')}, degrees with the sign of the file",
                ),
                pixel_m=pixel,
                energy_kev=_energy(info),
                distance_m=distance,
            ),
            flats=flats,
            counts={
                FrameKind.PROJECTION: frames.shape[0],
                FrameKind.FLAT: 0 if flats is None else 1,
                FrameKind.DARK: 0,
            },
            metadata=metadata,
            repaired=tuple(repaired),
            warnings=tuple(warnings),
        )


def _frames(info: _Info, repaired: list[str]) -> TxrmFrames:
    count = info.whole_number("ImageInfo/NoOfImages", 1, _MOST_IMAGES)
    columns = info.whole_number("ImageInfo/ImageWidth", 1, _MOST_PIXELS)
    rows = info.whole_number("ImageInfo/ImageHeight", 1, _MOST_PIXELS // columns)
    images = _numbered(info, "ImageData")
    images_taken = info.values("ImageInfo/ImagesTaken", "<u4")
    if len(images) < count and images_taken is not None and 0 < int(images_taken[0]) == len(images):
        repaired.append(f"{count} images were planned and {len(images)} taken: the scan was stopped")
        count = len(images)
    if len(images) < count:
        raise FormatError(
            f"{info.path}: says it has {count} images and holds {len(images)}; it is cut or still being written"
        )
    for place, (_, image) in enumerate(images[:count], 1):
        if image != f"Image{place}":
            raise FormatError(
                f"{info.path}: Image{place} should be frame {place} and {image} is, so each angle after it would be "
                f"another frame's; an image is lost or there twice, so copy it again"
            )
    names = [f"{group}/{image}" for group, image in images[:count]]
    dtype = _pixel_type(info, names[0], rows * columns, repaired)
    frame_bytes = rows * columns * dtype.itemsize
    for name in names:
        if (size := int(info.ole.get_size(name))) != frame_bytes:
            raise FormatError(
                f"{info.path}: its stream {name} has {size} bytes; {rows} x {columns} pixels of {dtype} need "
                f"{frame_bytes}, so it is damaged or a mosaic, which is not read"
            )
    offsets = tuple(stream_offset(info.ole, info.path, name) for name in names)
    return TxrmFrames(info.path, tuple(names), offsets, (rows, columns), dtype)


def _numbered(info: _Info, group: str) -> list[tuple[str, str]]:
    """List ImageData1/Image1 … ImageData2/Image101 … by the number of the image."""
    pattern = re.compile(rf"({group}\d*)/(Image(\d{{1,9}}))")
    matches = [match for name in info.names if (match := pattern.fullmatch(name))]
    return [(match[1], match[2]) for match in sorted(matches, key=lambda match: int(match[3]))]


def _pixel_type(info: _Info, name: str, pixels: int, repaired: list[str]) -> np.dtype[Any]:
    code = info.values("ImageInfo/DataType", "<u4")
    length = int(info.ole.get_size(name)) / pixels
    if code is not None and int(code[0]) in DATA_TYPES:
        return np.dtype(DATA_TYPES[int(code[0])])
    if length not in BY_LENGTH:
        raise FormatError(
            f"{info.path}: its data type {None if code is None else int(code[0])} is unknown and {name} has "
            f"{length:g} bytes a pixel; {', '.join(map(str, BY_LENGTH))} are read"
        )
    dtype = np.dtype(BY_LENGTH[int(length)])
    repaired.append(f"the data type was taken from the length of the frames: {dtype}")
    return dtype


def _pixel(info: _Info) -> Value[float] | None:
    size = info.values("ImageInfo/PixelSize", "<f4")
    if size is None or not math.isfinite(size[0]) or size[0] <= 0:
        return None
    return Value(_decimal(size[0], 1e-6), "read", f"{info.place('ImageInfo/PixelSize')}, in µm")


def _decimal(number: np.float32, factor: float) -> float:
    """Scale the shortest decimal that a float32 stands for."""
    return float(f"{float(str(number)) * factor:.15g}")


def _energy(info: _Info) -> Value[float] | None:
    energy = info.values("ImageInfo/Energy", "<f4")
    if energy is None or not math.isfinite(energy[0]) or energy[0] <= 0:
        return None
    unit, factor = ("eV", 1e-3) if energy[0] >= _EV_FROM else ("keV", 1.0)
    return Value(
        _decimal(energy[0], factor), "read", f"{info.place('ImageInfo/Energy')}, its size says {unit}"
    )


def _geometry(
    info: _Info,
    frames: TxrmFrames,
    pixel: Value[float] | None,
    metadata: dict[str, Value[Any]],
    warnings: list[str],
) -> Value[float] | None:
    """Read the distances and say how far the beam is from parallel."""
    source = info.values("ImageInfo/StoRADistance", "<f4")
    detector = info.values("ImageInfo/DtoRADistance", "<f4")
    if source is None or detector is None or not (np.isfinite(source).all() and np.isfinite(detector).all()):
        warnings.append(
            "no distances from source and detector to the axis are given; a parallel beam is assumed"
        )
        return None
    if (source == 1).all() and (detector == 1).all():
        warnings.append(
            "the distances of source and detector to the axis are both 1 mm, a placeholder, and were not taken; a "
            "parallel beam is assumed"
        )
        return None
    source_m, detector_m = (_decimal(abs(distance[0]), 1e-3) for distance in (source, detector))
    metadata["source_distance_m"] = Value(source_m, "read", f"{info.place('ImageInfo/StoRADistance')}, in mm")
    if pixel is not None and source_m > 0:
        # A point at radius r is magnified by 1 ± r / source, so at the edge it is off by r² / source.
        half = frames.size[1] / 2
        deviation_px = half**2 * pixel.value / source_m
        if deviation_px > _CONE_PIXELS:
            warnings.append(
                f"the beam is a cone: {units.show(source_m, 'm')} from the source the edge of the field is off by up "
                f"to {deviation_px:.3g} px from a parallel beam's; a reconstruction for parallel beams blurs there"
            )
    return Value(detector_m, "read", f"{info.place('ImageInfo/DtoRADistance')}, in mm")


def _flats(
    info: _Info, frames: TxrmFrames, metadata: dict[str, Value[Any]], warnings: list[str]
) -> Reference | None:
    """Offer the reference images as flats, unless the frames were divided by them already."""
    warnings.append("the file has no dark fields; its camera subtracts them where it does so at all")
    corrected = info.values("ImageInfo/OriginalDataRefCorrected", "<u4")
    if corrected is not None and int(corrected[0]) == 1:
        warnings.append("its frames were divided by the reference image already, as the file says")
        return None
    names = ["/".join(pair) for pair in _numbered(info, "MultiReferenceData")]
    names = names or [name for name in ("ReferenceData/Image",) if name in info.names]
    if not names:
        warnings.append(
            "no reference image was found; give a flat field, or leave flat_field out of the protocol"
        )
        return None
    pixels = frames.size[0] * frames.size[1]
    lengths = {int(info.ole.get_size(name)) / pixels for name in names}
    if len(lengths) != 1 or (length := lengths.pop()) not in BY_LENGTH:
        warnings.append("the reference images are of another size than the frames and were left out")
        return None
    codes = [info.values(f"ReferenceData/{place}", "<u4") for place in ("DataType", "ImageInfo/DataType")]
    stated_type = next((DATA_TYPES.get(int(code[0])) for code in codes if code is not None), None)
    dtype = np.dtype(
        stated_type if stated_type and np.dtype(stated_type).itemsize == length else BY_LENGTH[int(length)]
    )
    offsets = tuple(stream_offset(info.ole, info.path, name) for name in names)
    metadata["flat_source"] = Value(names[0], "read", info.place(names[0]))
    exposures = [info.values(name, "<f4") for name in ("ImageInfo/ExpTimes", "ReferenceData/ExpTime")]
    if all(exposure is not None and math.isfinite(exposure[0]) and exposure[0] > 0 for exposure in exposures):
        frame_s, flat_s = (float(exposure[0]) for exposure in exposures if exposure is not None)
        if not math.isclose(frame_s, flat_s, rel_tol=1e-3):
            warnings.append(
                f"the reference was exposed {flat_s:g} s, the frames {frame_s:g} s: its counts must be scaled by "
                f"{frame_s / flat_s:.4g}"
            )
    stack = TxrmFrames(info.path, tuple(names), offsets, frames.size, dtype)
    return Reference(stack, np.full(len(names), -1.0))


def _say_shifts(info: _Info, warnings: list[str]) -> None:
    shifts = [info.values(f"Alignment/{axis}-Shifts", "<f4") for axis in "XY"]
    largest = max(
        (float(np.abs(shift).max()) for shift in shifts if shift is not None and np.isfinite(shift).all()),
        default=0,
    )
    if largest > 0:
        warnings.append(
            f"alignment shifts of up to {largest:.3g} px are stored with the frames and were not applied"
        )


def _metadata(info: _Info, names: list[str], warnings: list[str]) -> dict[str, Value[Any]]:
    metadata: dict[str, Value[Any]] = {}
    for key, (name, kind) in KNOWN.items():
        if kind == "text":
            if text := info.text(name):
                metadata[key] = Value(text, "read", info.place(name))
        elif (numbers := info.values(name, kind, 1)) is not None and math.isfinite(numbers[0]) and numbers[0]:
            metadata[key] = Value(_decimal(numbers[0], 1.0), "read", info.place(name))
    exposures = info.values("ImageInfo/ExpTimes", "<f4")
    if exposures is not None and math.isfinite(exposures[0]):
        metadata["exposure_s"] = Value(_decimal(exposures[0], 1.0), "read", info.place("ImageInfo/ExpTimes"))
    if start := _date(info.text("ImageInfo/Date")):
        metadata["start_time"] = Value(
            start, "derived", f"{info.place('ImageInfo/Date')}, read as month/day/year"
        )
    return metadata | _everything(info, names, warnings)


def _date(text: str) -> str:
    match = _DATE.match(text)
    if match is None:
        return ""
    month, day, year, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second).isoformat()
    except ValueError:
        return ""


def _everything(info: _Info, names: list[str], warnings: list[str]) -> dict[str, Value[Any]]:
    """Keep every other stream under its own name: as text where it is text, else as hexadecimal digits."""
    streams: dict[str, Value[Any]] = {}
    left_out: list[str] = []
    total = 0
    for name in names:
        if re.search(r"(^|/)(\w*ImageData\d*|MultiReferenceData|ReferenceData)/Image\d*$", name):
            continue
        size = int(info.ole.get_size(name))
        if size > _LONGEST_STREAM or total + size > _LONGEST_METADATA:
            left_out.append(name)
            continue
        total += size
        content = stream_bytes(info.ole, info.path, name, _LONGEST_STREAM)
        text = content.rstrip(b"\0").decode("latin-1")
        # Four bytes may be letters by chance; longer ones that all print are text.
        plain = len(content) > 4 and text.isprintable()
        streams[f"/{name}"] = Value(text if plain else f"0x{content.hex()}", "read", info.place(name))
    if left_out:
        warnings.append(
            f"{len(left_out)} streams were too large to keep with the metadata: {', '.join(left_out[:3])}"
        )
    return streams


def _taken(info: _Info, frames: TxrmFrames, pixel: Value[float] | None) -> dict[str, Value[Any]]:
    """Read how an image was taken: its energy, its angle and its distances, as those of a scan."""
    metadata: dict[str, Value[Any]] = {}
    distance = _geometry(info, frames, pixel, metadata, [])
    angles = _angles(info)
    if angles is not None and info.path.suffix.lower() != ".txm":
        own = angles[: frames.shape[0]]
        if len(own) and np.isfinite(own).all() and not np.ptp(own):
            source = f"{info.place('ImageInfo/Angles')}, degrees with the sign of the file"
            metadata["angle_deg"] = Value(_decimal(np.float32(own[0]), 1.0), "read", source)
    values = {"energy_kev": _energy(info), "distance_m": distance}
    return {**{name: value for name, value in values.items() if value is not None}, **metadata}


def _image(
    path: Path,
    frames: TxrmFrames,
    pixel: Value[float] | None,
    metadata: dict[str, Value[Any]],
    repaired: list[str],
) -> Image:
    single = frames.shape[0] == 1
    size = pixel.value if pixel else 1.0
    unit = "m" if pixel else "px"
    axes = tuple(Axis(name, size, 0.0, unit) for name in ("zyx"[1:] if single else "zyx"))
    metadata_kept: dict[str, Any] = {key: value.value for key, value in metadata.items()}
    metadata_kept[SOURCES] = {
        key: {"origin": value.origin, "source": value.source}
        for key, value in metadata.items()
        if not key.startswith("/")
    }
    if pixel is None:
        metadata_kept["uncalibrated"] = True
    if repaired:
        metadata_kept["repaired"] = repaired
    kind = Image if single else Volume
    return kind(OneFrame(frames) if single else frames, axes, "", path.stem, path, metadata_kept)


FORMAT = Format(
    name="txrm",
    title="Zeiss Xradia txrm, xrm, txm",
    suffixes=(".txrm", ".xrm", ".txm"),
    detect=detect,
    read=read,
)
