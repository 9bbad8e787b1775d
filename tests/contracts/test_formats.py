"""What every format promises; a new one joins by existing."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

import tomarium as tm
from formats.beamline_makers import example_map, write_als, write_bliss, write_flyscan, write_map
from formats.czi_example import example_czi, write_czi
from formats.dimax_maker import save_ring, stamped
from formats.ebsd_maker import example_columns, write_ctf
from formats.ole2_writer import ole2
from formats.test_data_exchange_maps import example_element_maps, write_element_maps
from formats.test_edax import PATTERNS, write_edax
from formats.txrm_example import zeiss_streams
from tomarium.errors import FormatError, TomariumError
from tomarium.formats import formats, recognise
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Axis, FrameKind, Geometry, Image, Scan, Value, Volume
from tomarium.model.scan import Reference
from warm import Warm

FORMATS = formats()
WRITERS = [name for name, form in FORMATS.items() if form.write is not None]


def read_value(value: float) -> Value[float]:
    return Value(value, "read", "the example")


def example_scan() -> Scan:
    """12 projections of 4 x 8 pixels, flats before, amid and after, darks before."""
    rng = np.random.default_rng(7)

    def frames(count: int) -> ArrayFrames:
        return ArrayFrames(rng.integers(0, 60000, (count, 4, 8), np.uint16))

    return Scan(
        path=Path("example"),
        name="example",
        format="memory",
        dialect="",
        why="made here",
        projections=frames(12),
        geometry=Geometry(
            angles_deg=Value(np.linspace(0, 165, 12), "read", "the example"),
            pixel_m=read_value(0.65e-6),
            energy_kev=read_value(20.0),
            distance_m=read_value(0.1),
            axis_column=read_value(3.7),
        ),
        flats=Reference(frames(4), np.array([-1.0, -1.0, 5.5, 12.0])),
        darks=Reference(frames(3), np.array([-1.0, -1.0, -1.0])),
        metadata={"title": Value("a title", "read", ""), "sample_name": Value("a bone", "read", "")},
    )


def example_volume() -> Volume:
    data = np.random.default_rng(8).normal(size=(10, 12, 14)).astype(np.float32)
    axes = tuple(Axis(name, 0.65e-6, 0.0, "m") for name in "zyx")
    return Volume(data, axes, "1/cm", "example")


def example_grey_volume() -> Volume:
    data = np.random.default_rng(9).integers(0, 60000, (10, 12, 14), np.uint16)
    return replace(example_volume(), data=data)


def example_spectrum() -> Image:
    return Image(
        np.array([1.0, 4.0, 9.0, 2.5, 0.5]), (Axis("Energy", 0.01, -0.2, "keV"),), "counts", "a spectrum"
    )


def write_spectrum(path: Path) -> None:
    """ISO 22029 by hand, the one vendor format that is text."""
    lines = ("FORMAT      : EMSA/MAS Spectral Data File", "VERSION     : 1.0", "TITLE       : a spectrum",
             "NPOINTS     : 5.0", "NCOLUMNS    : 1.0", "XUNITS      : keV", "YUNITS      : counts",
             "DATATYPE    : Y", "XPERCHAN    : 0.01", "OFFSET      : -0.2", "XLABEL      : Energy",
             "SPECTRUM    : Spectral Data Starts Here")  # fmt: skip
    text = (
        "\n".join(f"#{line}" for line in lines)
        + "\n1.0\n4.0\n9.0\n2.5\n0.5\n#ENDOFDATA   : End Of Data and File\n"
    )
    path.write_text(text)


def write_tiff_stack(path: Path) -> None:
    tifffile.imwrite(
        path, example_scan().projections.read(slice(None), slice(None)), photometric="minisblack"
    )


def write_tiff_slices(path: Path) -> None:
    path.mkdir()
    for number, one in enumerate(example_volume()[:]):
        file = path / f"rec_{number:05d}.tif"
        tifffile.imwrite(
            file, one, imagej=True, resolution=(1 / 0.65, 1 / 0.65), metadata={"unit": "um", "spacing": 0.65}
        )


def example_sinogram() -> np.ndarray:
    return example_scan().projections.read(slice(None), slice(0, 1))[:, 0]


def write_sinogram(path: Path, beside: Path | None = None) -> None:
    """A MATLAB array, and its angles in a text beside it (or beside a file of another name)."""
    with path.open("wb") as stream:
        scipy.io.savemat(stream, {"sinogram": example_sinogram()})
    place = (beside or path).with_name((beside or path).stem + ".angles.txt")
    place.write_text("\n".join(map(str, example_scan().angles_deg.value)))


def write_txrm(path: Path) -> None:
    scan = example_scan()
    frames = scan.projections.read(slice(None), slice(None))
    path.write_bytes(ole2(zeiss_streams(frames, scan.angles_deg.value)))


def write_large_txrm(path: Path) -> None:
    """Frames that fill whole sectors, so that every cut takes some of them."""
    frames = np.random.default_rng(5).integers(0, 60000, (2, 32, 64), np.uint16)
    path.write_bytes(ole2(zeiss_streams(frames, np.array([0.0, 90.0]))))


def write_mrc_series(path: Path) -> None:
    FORMATS["mrc"].write(path, Image(np.arange(8, dtype=np.int8).reshape(2, 2, 2), (Axis("image"), *PIXELS)))


PIXELS = (Axis("y", 1e-9, 0.0, "m"), Axis("x", 1e-9, 0.0, "m"))


def write_nxtomophase(path: Path) -> None:
    """One phase step, its frames numbered in the order of the example's positions."""
    scan = example_scan()
    order = np.argsort(
        np.concatenate([scan.darks.position, scan.flats.position, np.arange(12.0)]), kind="stable"
    )
    number = np.argsort(order, kind="stable")
    with h5py.File(path, "w") as file:
        file["entry/definition"] = "NXtomophase"
        stacks = (
            ("dark_field", scan.darks.frames),
            ("bright_field", scan.flats.frames),
            ("sample", scan.projections),
        )
        first = 0
        for name, frames in stacks:
            pixels = frames.read(slice(None), slice(None))
            one = np.s_[:, np.newaxis] if name == "sample" else np.s_[:]
            file[f"entry/instrument/{name}/data"] = pixels[one]
            file[f"entry/instrument/{name}/sequence_number"] = number[first : first + len(pixels)][one]
            first += len(pixels)
        file["entry/sample/rotation_angle"] = scan.angles_deg.value
        file["entry/sample/rotation_angle"].attrs["units"] = "degree"


def is_volume(name: str) -> bool:
    return "volume" in FORMATS[name].writes


def write_par_folder(path: Path) -> None:
    """Write a scan for PyHST2 into a folder of that name, which may end in .par."""
    FORMATS["pyhst-par"].write(path.with_name("draft"), example_scan())
    path.with_name("draft").rename(path)


def write_volume_folder(name: str) -> Callable[[Path], None]:
    """Write a volume with the text beside it into a folder of that name, whatever it ends in."""

    def make(path: Path) -> None:
        FORMATS[name].write(path.with_name("draft"), example_volume())
        path.with_name("draft").rename(path)

    return make


def write_record(path: Path) -> None:
    """The volume and the metadata of a record; what else lies there plays no part in opening it."""
    path.mkdir()
    FORMATS["ome-zarr"].write(path / "volume.ome.zarr", example_volume())
    (path / "ro-crate-metadata.json").write_text("{}")


def write_ring_buffer(path: Path) -> None:
    scan = example_scan()
    everything = (slice(None), slice(None))
    save_ring(path, stamped(scan.projections.read(*everything)), start=5, parts=2)
    for word, reference in (("flat", scan.flats), ("dark", scan.darks)):
        save_ring(path, reference.frames.read(*everything), start=0, name=word)
    (path / "rec.par").write_text(
        "NUM_FIRST_IMAGE = 0\nNUM_LAST_IMAGE = 11\nANGLE_BETWEEN_PROJECTIONS = 15\n"
    )


# One maker for each format; those that write make their own.
MAKERS: dict[str, Callable[[Path], object]] = {
    "als": lambda path: write_als(path, example_scan()),
    "bliss": lambda path: write_bliss(path, example_scan()),
    "flyscan": lambda path: write_flyscan(path, example_scan()),
    "nexus-maps": write_map,
    "data-exchange": lambda path: FORMATS["data-exchange"].write(path, example_scan()),
    "data-exchange-maps": write_element_maps,
    "dimax": write_ring_buffer,
    "csv": lambda path: FORMATS["csv"].write(path, example_spectrum_row()),
    "czi": write_czi,
    "ebsd": write_ctf,
    "edax": write_edax,
    "edf": lambda path: FORMATS["edf"].write(path, example_scan()),
    "jpeg2000": lambda path: FORMATS["jpeg2000"].write(path, example_grey_volume()),
    "microscopy": write_spectrum,
    "metaimage": lambda path: FORMATS["metaimage"].write(path, example_volume()),
    "mrc": lambda path: FORMATS["mrc"].write(path, example_volume()),
    "nrrd": lambda path: FORMATS["nrrd"].write(path, example_volume()),
    "nxtomo": lambda path: FORMATS["nxtomo"].write(path, example_scan()),
    "nxtomophase": write_nxtomophase,
    "nxtomoproc": lambda path: FORMATS["nxtomoproc"].write(path, example_volume()),
    "ome-zarr": lambda path: FORMATS["ome-zarr"].write(path, example_volume()),
    "ome-zarr-0.4": lambda path: FORMATS["ome-zarr-0.4"].write(path, example_volume()),
    "picture": lambda path: FORMATS["picture"].write(path, example_picture()),
    "record": write_record,
    "sinogram": write_sinogram,
    "txrm": write_txrm,
    "pyhst-par": write_par_folder,
    "pyhst-volume": write_volume_folder("pyhst-volume"),
    "raw-volume": write_volume_folder("raw-volume"),
    "tiff": lambda path: FORMATS["tiff"].write(path, example_scan()),
    "tiff-slices": write_tiff_slices,
    "tiff-volume": lambda path: FORMATS["tiff-volume"].write(path, example_volume()),
}
# What they hold, where it is not the example scan.
EXAMPLES: dict[str, Callable[[], Scan | Image]] = {
    "csv": lambda: example_spectrum_row(),
    "data-exchange-maps": example_element_maps,
    "dimax": lambda: ring_buffer_scan(),
    "czi": example_czi,
    "ebsd": lambda: Image(example_columns()["BC"].reshape(4, 5).astype(np.float32), ()),
    "edax": lambda: Image(PATTERNS.reshape(3, 4, 6, 5), (), "counts"),
    "nexus-maps": example_map,
    "jpeg2000": example_grey_volume,
    "microscopy": example_spectrum,
    "metaimage": example_volume,
    "mrc": example_volume,
    "nrrd": example_volume,
    "ome-zarr": example_volume,
    "ome-zarr-0.4": example_volume,
    "picture": lambda: example_picture(),
    "record": example_volume,
    "sinogram": lambda: replace(
        example_scan(), projections=ArrayFrames(example_sinogram()[:, None]), flats=None, darks=None
    ),
    "tiff-slices": lambda: replace(example_volume(), unit=""),
    "txrm": lambda: replace(example_scan(), flats=None, darks=None),
}
# What reads a format where that is an extra, which the development environment need not have.
EXTRAS = {"czi": "pylibCZIrw", "microscopy": "rsciio"}
# Single files that are damaged byte by byte below.
FILES: dict[str, Callable[[Path], object]] = {
    "als": MAKERS["als"],
    "bliss": MAKERS["bliss"],
    "csv": MAKERS["csv"],
    "data-exchange-maps": MAKERS["data-exchange-maps"],
    "ebsd": MAKERS["ebsd"],
    "edax": MAKERS["edax"],
    "nexus-maps": MAKERS["nexus-maps"],
    "data-exchange": MAKERS["data-exchange"],
    "metaimage": MAKERS["metaimage"],
    "mrc": write_mrc_series,
    "nrrd": MAKERS["nrrd"],
    "nxtomo": MAKERS["nxtomo"],
    "sinogram": lambda path: write_sinogram(path, path.with_name("damaged.mat")),
    "nxtomophase": MAKERS["nxtomophase"],
    "nxtomoproc": MAKERS["nxtomoproc"],
    "tiff": write_tiff_stack,
    "txrm": write_large_txrm,
}


# What a format holds that is no scan.


class Made(dict[str, Path]):
    """A file of a format, made in the folder when it is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, name: str) -> Path:
        self[name] = self.folder / f"{name}{(FORMATS[name].suffixes or ('',))[0]}"
        MAKERS[name](self[name])
        return self[name]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """For tests that change what they open."""
    return Made(tmp_path)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of every format, side by side, for tests that only read."""
    kept = Made(tmp_path_factory.mktemp("formats"))
    return {name: kept[name] for name in FORMATS}


def example_spectrum_row() -> Image:
    """Counts over energy, as a spectrometer gives them."""
    counts = np.random.default_rng(5).poisson(40, 64)
    return Image(counts, (Axis("energy", 0.01, 1.5, "keV"),), "counts", "spot 3", None, {"dwell": 0.5})


def example_picture() -> Image:
    """A micrograph of several times and channels."""
    planes = np.random.default_rng(6).integers(0, 60000, (8, 2, 30, 40), np.uint16)
    axes = tuple(Axis(name, 1.0, 0.0, "px") for name in ("time", "channel"))
    return Image(planes, (*axes, *(Axis(name, 2e-6, 0.0, "m") for name in "yx")), "", "picture")


def ring_buffer_scan() -> Scan:
    """What the ring buffer's maker wrote: a camera's time stamps take the place of pixels."""
    scan = example_scan()
    return replace(scan, projections=ArrayFrames(stamped(scan.projections.read(slice(None), slice(None)))))


def same(one: Scan | Image, other: Scan | Image) -> None:
    if isinstance(one, Image):
        assert isinstance(other, Image)
        assert isinstance(one, Volume) == isinstance(other, Volume)
        np.testing.assert_array_equal(one[:], other[:])
        assert one.unit == other.unit
        if other.axes:  # the maker of the maps has tests of its own for them
            assert one.axes == other.axes
        return
    assert isinstance(other, Scan)
    everything = (slice(None), slice(None))
    np.testing.assert_array_equal(one.projections.read(*everything), other.projections.read(*everything))
    np.testing.assert_allclose(one.angles_deg.value, other.angles_deg.value, rtol=1e-12)
    for a, b in ((one.flats, other.flats), (one.darks, other.darks)):
        assert (a is None) == (b is None)
        if a is None or b is None:
            continue
        np.testing.assert_array_equal(a.frames.read(*everything), b.frames.read(*everything))


@pytest.mark.parametrize("name", FORMATS)
class TestFormat:
    def test_has_a_maker_here(self, name: str) -> None:
        assert name in MAKERS, "give the new format a maker, so that all below is tested for it"

    def test_describes_itself(self, name: str) -> None:
        form = FORMATS[name]
        assert name == form.name == name.lower()
        assert form.title
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in form.suffixes)

    def test_is_recognised_first_and_says_why(self, name: str, kept: dict[str, Path]) -> None:
        form, match = recognise(kept[name])[0]
        assert form.name == name
        assert 0 < match.score <= 1
        assert match.why
        assert match.dialect

    def test_is_recognised_whatever_it_is_called(self, name: str, made: Made) -> None:
        renamed = made[name].rename(made[name].with_name("scan.of.unknown.kind"))
        assert recognise(renamed)[0][0].name == name

    def test_refuses_other_formats(self, name: str, kept: dict[str, Path]) -> None:
        for other, path in kept.items():
            match = FORMATS[name].detect(path)
            if other != name:
                assert match is None or (match.score == 0 and match.why)
                with pytest.raises(FormatError, match="tomarium can read"):
                    tm.open(path, as_format=name)

    def test_never_raises_for_what_is_no_scan(self, name: str, tmp_path: Path) -> None:
        for content in (b"", b"\0", b"hello\n", b"\x89HDF\r\n\x1a\n", b"II*\0", b"II*\0\x08\0\0\0", b"{}"):
            path = tmp_path / "thing"
            path.write_bytes(content)
            match = FORMATS[name].detect(path)
            assert match is None or match.score == 0
        assert FORMATS[name].detect(tmp_path / "absent") is None
        (tmp_path / "empty").mkdir()
        assert FORMATS[name].detect(tmp_path / "empty") is None

    def test_reads_what_was_made(self, name: str, kept: dict[str, Path]) -> None:
        pytest.importorskip(EXTRAS.get(name, "tomarium"))
        expected = EXAMPLES.get(name, example_volume if is_volume(name) else example_scan)()
        same(tm.open(kept[name]), expected)

    def test_reads_any_part_as_the_whole_has_it(self, name: str, kept: dict[str, Path]) -> None:
        pytest.importorskip(EXTRAS.get(name, "tomarium"))
        opened = tm.open(kept[name])
        if not isinstance(opened, Scan):
            key = (slice(3, 7), slice(None, None, 2), 5)[: opened.ndim]
            np.testing.assert_array_equal(opened[key], opened[:][key])
            return
        for frames in (opened.projections, *([opened.flats.frames] if opened.flats else [])):
            whole = frames.read(slice(None), slice(None))
            assert whole.shape == frames.shape
            assert whole.dtype == np.dtype(frames.dtype)
            for some in (
                slice(1, 3),
                slice(None, None, 2),
                np.array([2, 0]),
                np.array([3, 3, 1]),
                np.array([], int),
            ):
                for rows in (slice(1, 3), slice(0, 1), slice(2, 2), slice(None)):
                    np.testing.assert_array_equal(frames.read(some, rows), whole[some][:, rows])
            read, decoded = frames.cost(frames.shape[0], slice(None))
            assert read > 0
            assert decoded >= 0

    def test_is_lazy(self, name: str, made: Made) -> None:
        """Opening keeps no file open, and a file that has gone is missed only on reading."""
        pytest.importorskip(EXTRAS.get(name, "tomarium"))
        opened = tm.open(made[name])
        if isinstance(opened, Scan):
            made[name].rename(made[name].with_name("gone"))
            with pytest.raises(FormatError):
                opened.projections.read(slice(None), slice(None))


@pytest.mark.parametrize("name", WRITERS)
class TestWriter:
    def test_round_trip_keeps_everything(self, name: str, kept: dict[str, Path], tmp_path: Path) -> None:
        first = tm.open(kept[name])
        FORMATS[name].write(tmp_path / "again", first)
        second = tm.open(tmp_path / "again")
        same(first, second)
        if isinstance(first, Scan):
            assert isinstance(second, Scan)
            for value in ("pixel_m", "energy_kev", "distance_m", "axis_column"):
                expected = getattr(example_scan(), value).value
                assert getattr(second, value).value == pytest.approx(expected, rel=1e-12), value
            assert second.warnings == second.repaired == second.missing == ()
            assert second.counts[FrameKind.FLAT] == 4
            assert second.flats is not None
            assert second.darks is not None
            assert second.flats.position.tolist() == [-1.0, -1.0, 5.5, 12.0]
            assert second.darks.position.tolist() == [-1.0, -1.0, -1.0]
            assert second.metadata["title"].value == "a title"
            assert second.metadata["sample_name"].value == "a bone"

    def test_leaves_nothing_beside_the_file(self, name: str, tmp_path: Path) -> None:
        MAKERS[name](tmp_path / "only")
        assert [path.name for path in tmp_path.iterdir()] == ["only"]


ROOM = 512 << 20
"""Bytes that a reader may take of a damaged file that claims more; all of what it claims would take it seconds."""

# Damage is met in a process of its own, so that a crash or an endless loop there is one failure here.
DAMAGE = (
    f"ROOM = {ROOM}"
    + """
import os, resource, sys
from pathlib import Path
import numpy as np
import tomarium as tm
from tomarium.errors import TomariumError
from tomarium.model import Scan

pages = Path("/proc/self/statm")
taken = int(pages.read_text().split()[0]) * resource.getpagesize() if pages.exists() else 4 << 30
resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
path, whole, how = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), sys.argv[3]
count, seed = map(int, sys.argv[4:])
rng = np.random.default_rng(seed)
opened = refused = 0
for trial in range(count):
    damaged = bytearray(whole)
    if how == "cut":
        del damaged[trial * len(whole) // count :]
    else:
        for place in rng.integers(0, len(whole), rng.integers(1, 12)):
            damaged[place] = rng.integers(0, 256)
    path.write_bytes(damaged)
    os.utime(path, (10**9 + trial,) * 2)  # at rest, each at a time of its own: nobody waits for its writer
    try:
        found = tm.open(path)
        if isinstance(found, Scan):
            found.projections.cost(2, slice(0, 2))
            found.projections.read(slice(0, 2), slice(0, 2))
        else:
            np.asarray(found[0])
        opened += 1
    except TomariumError as problem:
        assert str(path) in str(problem) and len(str(problem)) > len(str(path)) + 20, problem
        refused += 1
print(opened, refused)
"""
)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("warm"), "-W", "error") as warm:
        yield warm


@pytest.mark.parametrize("how", ["cut", "flip"])
@pytest.mark.parametrize("name", FILES)
def test_damage_is_always_refused_in_words(name: str, how: str, warm: Warm, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    FILES[name](whole)
    count = 120
    seed = zlib.crc32(name.encode())
    done = warm.run(DAMAGE, tmp_path / "damaged", whole, how, count, seed)
    assert done.returncode == 0, done.output
    opened, refused = map(int, done.output.split())
    assert opened + refused == count
    assert refused > count // 10  # the damage was felt
    if how == "cut" and name != "tiff":  # a stack cut between two pages is a shorter stack
        assert opened == 0


# Folders and single files alike: one of their files is cut, deleted, renamed or has bytes changed.
FILE_DAMAGE = (
    f"ROOM = {ROOM}"
    + """
import os, resource, sys
from pathlib import Path
import numpy as np
import tomarium as tm
from tomarium.errors import TomariumError
from tomarium.model import Scan

pages = Path("/proc/self/statm")
taken = int(pages.read_text().split()[0]) * resource.getpagesize() if pages.exists() else 4 << 30
resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
path, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(seed)

def frames():
    found = tm.open(path)
    return found.projections.read(slice(None), slice(None)) if isinstance(found, Scan) else np.asarray(found[:])

good = frames()
files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
refused = 0
for trial in range(count):
    file = files[rng.integers(len(files))]
    aside, whole = file.with_name(file.name + "-aside"), file.read_bytes()
    how = ("cut", "flip", "delete", "rename")[trial % 4] if path.is_dir() else ("cut", "flip")[trial % 2]
    if how == "cut":
        file.write_bytes(whole[: rng.integers(max(len(whole), 1))])
    elif how == "flip":
        damaged = bytearray(whole)
        for place in rng.integers(0, max(len(damaged), 1), rng.integers(1, 8) if damaged else 0):
            damaged[place] = rng.integers(0, 256)
        file.write_bytes(damaged)
    elif how == "delete":
        file.unlink()
    else:
        file.rename(aside)
    if file.exists():
        os.utime(file, (10**9 + 2 * trial,) * 2)  # at rest, as above
    try:
        found = frames()
        if how != "flip":  # what is left are frames of the whole, in their order
            held = [frame.tobytes() for frame in good]
            places = [held.index(frame.tobytes()) for frame in found]
            assert places == sorted(set(places)), (how, file, places)
    except TomariumError as problem:
        assert len(str(problem)) > 20, problem
        refused += 1
    aside.unlink(missing_ok=True)
    file.write_bytes(whole)
    os.utime(file, (10**9 + 2 * trial + 1,) * 2)
print(refused)
"""
)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_to_any_file_never_gives_wrong_frames(name: str, made: Made, warm: Warm) -> None:
    pytest.importorskip(EXTRAS.get(name, "tomarium"))
    done = warm.run(FILE_DAMAGE, made[name], 48, zlib.crc32(name.encode()))
    assert done.returncode == 0, done.output
    assert int(done.output) > 0  # the damage was felt


@pytest.mark.parametrize("name", ["ome-zarr", "ome-zarr-0.4"])
def test_damaged_zarr_is_refused_in_words(made: Made, name: str) -> None:
    group = made[name]
    for file in sorted(group.rglob("*")):
        if not file.is_file():
            continue
        whole = file.read_bytes()
        for content in (b"", whole[: len(whole) // 2], bytes(reversed(whole))):
            file.write_bytes(content)
            if file.name in ("zarr.json", ".zattrs") or file.relative_to(group).parts[0] == "0":
                with pytest.raises(TomariumError, match=re.escape(str(group))):
                    tm.open(group)[:]
        file.write_bytes(whole)
    assert isinstance(tm.open(group), Volume)


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(io.BytesIO(b"abc").getvalue())
    with pytest.raises(
        TomariumError, match="no format 'dicom'; there are als, bliss, csv, czi, data-exchange, "
    ):
        tm.open(tmp_path / "x", as_format="dicom")


def test_frames_are_indexed_like_an_array() -> None:
    frames = example_scan().projections
    stack = frames.read(slice(0, 12), slice(0, 4))
    assert len(frames) == 12
    np.testing.assert_array_equal(np.asarray(frames), stack)
    for key in (
        3, -1, slice(2, 5), slice(None, None, 3), (slice(0, 10), 2), (0, 1, 2), (slice(None), slice(3, 0, -1)), ...,
        (..., 5), (np.array([4, 1]), slice(1, 3)), ([7, 8, 9],), (slice(5, 5),), (2, slice(None), slice(0, 8, 2)),
    ):  # fmt: skip
        np.testing.assert_array_equal(frames[key], stack[key])
    with pytest.raises(IndexError, match="frame 12 was asked for, but there are 12, from 0 to 11"):
        frames[12]
    with pytest.raises(IndexError, match="three axes, but 4 indices"):
        frames[0, 0, 0, 0]


@pytest.mark.parametrize("name", ["data-exchange", "nxtomo", "edf", "tiff", "pyhst-par"])
def test_what_was_written_is_indexed_too(name: str, tmp_path: Path) -> None:
    target = tmp_path / f"x{FORMATS[name].suffixes[0] if name not in ('edf', 'tiff') else ''}"
    FORMATS[name].write(target, example_scan())  # type: ignore[misc]
    opened = tm.open(target, as_format=name)
    assert isinstance(opened, Scan)
    stack = opened.projections.read(slice(0, 12), slice(0, 4))
    np.testing.assert_array_equal(opened.projections[2:9:3, 1:3, ::2], stack[2:9:3, 1:3, ::2])
    np.testing.assert_array_equal(np.asarray(opened.projections), stack)
