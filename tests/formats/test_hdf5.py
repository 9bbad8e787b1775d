"""HDF5 underneath the formats: texts, numbers, links, layouts, what they cost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tomarium.errors import FormatError
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.frames import frames_of
from tomarium.formats.hdf5.heap_check import check_heaps
from tomarium.formats.hdf5.names import numbered
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import reading

ALL = slice(None)


@pytest.mark.parametrize(
    "value",
    [
        "µm",
        "µm".encode(),
        b"\xb5m",
        np.bytes_(b"\xb5m\0\0\0"),
        np.array([b"\xb5m"], "S256"),
        np.array(["µm"], object),
        np.array([["µm"]], object),
        np.frombuffer(b"\xb5m" + bytes(254), np.int8).reshape(1, 256),
        np.frombuffer(b"\xc2\xb5m ", np.uint8),
    ],
)
def test_text_is_read_however_it_is_spelt(value: object) -> None:
    assert as_text(value) == "µm"


@pytest.mark.parametrize(
    "value", ["", b"", b"\0\0", "Error: Unknown Attribute", np.array([], object), 3.0, None]
)
def test_no_text_is_none(value: object) -> None:
    assert as_text(value) is None


def test_numbered_names_sort_with_the_unnumbered_first(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name in ("exchange_10", "exchange2", "exchange", "exchange_3", "exchanges", "exchange_x"):
            file.create_group(name)
        assert numbered(file, "exchange") == ["exchange", "exchange2", "exchange_3", "exchange_10"]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.65, "um", 0.65e-6),
        (np.float32(6.7e-6), "m", 6.7e-6),
        (np.array([1.18]), b"microns", 1.18e-6),
        (b"750", "µm", 750e-6),
        (np.array([b"2.5"], "S8"), np.bytes_(b"mm"), 2.5e-3),
        (3, None, 3.0),
    ],
)
def test_quantity_reads_numbers_with_units(
    tmp_path: Path, value: object, unit: object, expected: float
) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["size"] = value
        if unit is not None:
            file["size"].attrs["units"] = unit
    with reading(tmp_path / "x.h5") as source:
        found = source.quantity("/size", "m", "m")
        assert found is not None
        assert found.value == pytest.approx(expected, rel=1e-12)
        assert found.source == "x.h5:/size"
        assert source.warnings == []


@pytest.mark.parametrize(
    ("value", "unit", "why"),
    [
        (np.nan, "undefined", "nan is no finite number"),
        (np.inf, "m", "inf is no finite number"),
        ("b2017b74-c39d-478d-b4fe-ab0c5347227c", None, "is no finite number"),
        (1.0, "degree", "measures deg, not m"),
        (1.0, "furlongs per moon", "cannot be read as m"),
        (1.0, "undefined", "has no unit"),
    ],
)
def test_what_cannot_be_read_is_a_warning(tmp_path: Path, value: object, unit: str | None, why: str) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["size"] = value
        if unit:
            file["size"].attrs["units"] = unit
    with reading(tmp_path / "x.h5") as source:
        assert source.quantity("/size", "m", None) is None
        assert len(source.warnings) == 1
        assert why in source.warnings[0]
        assert source.quantity("/absent", "m", None) is None


def test_a_default_unit_that_is_not_the_wanted_one_is_said(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["energy"] = 1.602176634e-15
    with reading(tmp_path / "x.h5") as source:
        energy = source.quantity("/energy", "keV", "J")
        assert energy is not None
        assert energy.value == pytest.approx(10.0)
        assert "J was taken" in source.warnings[0]


STACK = np.random.default_rng(3).integers(0, 60000, (23, 7, 11), np.uint16)
LAYOUTS = {
    "contiguous": {},
    "frame chunks": {"chunks": (1, 7, 11)},
    "frame chunks, gzip": {"chunks": (1, 7, 11), "compression": "gzip"},
    "odd chunks, lzf": {"chunks": (5, 3, 4), "compression": "lzf"},
    "one chunk, gzip": {"chunks": (23, 7, 11), "compression": "gzip"},
}


@pytest.fixture(scope="module")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("layouts") / "x.h5"
    with h5py.File(path, "w") as file:
        for name, how in LAYOUTS.items():
            file.create_dataset(name, data=STACK, **how)
        file.create_dataset("big endian", data=STACK.astype(">u2"))
        file.create_dataset(
            "sinograms", data=STACK.transpose(1, 0, 2), chunks=(1, 23, 11), compression="gzip"
        )
    return path


@given(
    st.sampled_from([*LAYOUTS, "big endian", "sinograms"]),
    st.lists(st.integers(0, 22), max_size=30),
    st.integers(0, 7),
    st.integers(0, 7),
    st.booleans(),
)
@example("one chunk, gzip", [4, 2, 2], 0, 1, True)  # a frame twice and a gap make a run's length, not a run
@settings(deadline=None)
def test_any_choice_of_frames_and_rows(
    layouts: Path, name: str, frames: list[int], first: int, last: int, chosen: bool
) -> None:
    index = np.arange(22, -1, -1) if chosen else None
    with reading(layouts) as source:
        dataset = source.find(f"/{name}")
        assert isinstance(dataset, h5py.Dataset)
        stack = frames_of(source, dataset, (1, 0, 2) if name == "sinograms" else (0, 1, 2), index)
    whole = STACK[::-1] if chosen else STACK
    assert stack.shape == STACK.shape
    wanted = np.array(frames, dtype=np.intp)
    block = stack.read(wanted, slice(first, last))
    assert block.dtype == np.uint16
    assert block.dtype.isnative
    np.testing.assert_array_equal(block, whole[wanted, first:last])


def test_cost_tells_what_a_row_really_costs(layouts: Path) -> None:
    def cost(name: str, frames: int, rows: slice) -> tuple[int, int]:
        with reading(layouts) as source:
            dataset = source.find(f"/{name}")
            assert isinstance(dataset, h5py.Dataset)
            order = (1, 0, 2) if name == "sinograms" else (0, 1, 2)
            return frames_of(source, dataset, order).cost(frames, rows)

    frame, one_row = 7 * 11 * 2, slice(2, 3)
    assert cost("contiguous", 10, one_row) == (10 * 11 * 2, 0)
    assert cost("frame chunks", 10, one_row) == (10 * frame, 0)
    read, decoded = cost("frame chunks, gzip", 10, one_row)
    assert decoded == 10 * frame
    assert 0 < read <= decoded
    assert cost("odd chunks, lzf", 10, one_row)[1] == 2 * 5 * 3 * 12 * 2
    assert cost("one chunk, gzip", 1, one_row)[1] == 23 * frame
    assert cost("sinograms", 23, one_row)[1] == 23 * 11 * 2
    assert cost("contiguous", 0, one_row) == cost("frame chunks, gzip", 5, slice(3, 3)) == (0, 0)


def test_each_chunk_is_decoded_once(layouts: Path) -> None:
    """Frames of one chunk, asked for out of order, come from one read of it."""
    with reading(layouts) as source:
        dataset = source.find("/one chunk, gzip")
        assert isinstance(dataset, h5py.Dataset)
        stack = frames_of(source, dataset)
    from tomarium.formats.hdf5.frames import _pieces

    assert len(list(_pieces(np.array([20, 3, 9, 3]), 23))) == 1
    assert len(list(_pieces(np.array([20, 3, 9, 3]), 1))) == 3
    assert [(p.first, p.last) for p in _pieces(np.arange(4, 9), 1)] == [(4, 9)]
    np.testing.assert_array_equal(stack.read(np.array([20, 3, 9, 3]), ALL), STACK[[20, 3, 9, 3]])


def test_hdf5plugin_is_loaded_only_for_its_filters(tmp_path: Path) -> None:
    code = """
import sys, h5py, numpy as np
from pathlib import Path
from tomarium.formats.hdf5.source import reading
from tomarium.formats.hdf5.frames import frames_of
for name, needed in (("plain", False), ("shuffled", True)):
    with reading(Path(sys.argv[1])) as source:
        stack = frames_of(source, source.find(name))
    assert (stack.read(slice(None), slice(1, 2)) == 7).all()
    assert ("hdf5plugin" in sys.modules) is needed, name
    assert stack.cost(3, slice(0, 1))[1] == (3 * 4 * 5 * 2 if needed else 0)
"""
    import hdf5plugin

    with h5py.File(tmp_path / "x.h5", "w") as file:
        stack = np.full((3, 4, 5), 7, np.uint16)
        file["plain"] = stack
        file.create_dataset(
            "shuffled", data=stack, chunks=(1, 4, 5), compression=hdf5plugin.Bitshuffle(cname="zstd")
        )
    subprocess.run([sys.executable, "-c", code, tmp_path / "x.h5"], check=True)


def virtual(path: Path, sources: list[Path | str], shape: tuple[int, int, int] = (4, 3, 5)) -> None:
    layout = h5py.VirtualLayout((shape[0] * len(sources), *shape[1:]), np.uint16)
    for number, source in enumerate(sources):
        part = h5py.VirtualSource(str(source), "/data", shape)
        layout[number * shape[0] : (number + 1) * shape[0]] = part
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("data", layout)


def raw(path: Path, number: int, **how: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=np.full((4, 3, 5), number, np.uint16), **how)


def stack_of(path: Path, name: str = "/data"):  # type: ignore[no-untyped-def]
    with reading(path) as source:
        dataset = source.find(name)
        assert isinstance(dataset, h5py.Dataset)
        return frames_of(source, dataset), list(source.missing)


def test_virtual_frames_read_and_name_their_absent_files(tmp_path: Path) -> None:
    raw(tmp_path / "raw" / "a.h5", 1, chunks=(1, 3, 5), compression="gzip")
    raw(tmp_path / "raw" / "b.h5", 2)
    virtual(tmp_path / "scan.h5", ["raw/a.h5", "raw/b.h5"])
    stack, missing = stack_of(tmp_path / "scan.h5")
    assert missing == []
    assert stack.read(ALL, ALL)[:, 0, 0].tolist() == [1] * 4 + [2] * 4
    assert stack.cost(2, slice(0, 1))[1] == 2 * 15 * 2  # as dear as its sources
    (tmp_path / "raw" / "b.h5").unlink()
    stack, missing = stack_of(tmp_path / "scan.h5")
    assert missing == ["raw/b.h5"]
    assert stack.read(slice(0, 4), ALL).max() == 1
    with pytest.raises(FormatError, match=r"raw/b\.h5, which is absent; copy it"):
        stack.read(slice(3, 5), ALL)


def test_links_stay_in_the_scans_folder(tmp_path: Path) -> None:
    scan = tmp_path / "scan" / "scan.h5"
    raw(scan.parent / "near.h5", 3)
    raw(tmp_path / "private.h5", 9)
    (scan.parent / "alias.h5").symlink_to(tmp_path / "private.h5")
    with h5py.File(scan, "w") as file:
        file["near"] = h5py.ExternalLink("near.h5", "/data")
        file["moved"] = h5py.ExternalLink("/once/upon/a/beamline/near.h5", "/data")
        file["up"] = h5py.ExternalLink("../private.h5", "/data")
        file["absolute"] = h5py.ExternalLink(str(tmp_path / "private.h5"), "/data")
        file["alias"] = h5py.ExternalLink("alias.h5", "/data")
        file["gone"] = h5py.ExternalLink("gone.h5", "/data")
        file["soft"] = h5py.SoftLink("/near")
        file["soft up"] = h5py.SoftLink("/up")
        file["round"] = h5py.SoftLink("/round")
        file["inside"] = h5py.ExternalLink("near.h5", "/absent")
    with reading(scan) as source:
        for name in ("near", "moved", "soft"):
            node = source.find(name)
            assert isinstance(node, h5py.Dataset)
            assert node[0, 0, 0] == 3
        for name in ("up", "absolute", "alias", "soft up"):
            with pytest.raises(FormatError, match="outside the scan's own folder"):
                source.find(name)
        assert source.find("gone") is None
        assert source.find("inside") is None
        assert source.missing == ["gone.h5"]
        with pytest.raises(FormatError, match="in a circle"):
            source.find("round")


def test_virtual_sources_stay_in_the_scans_folder(tmp_path: Path) -> None:
    raw(tmp_path / "private.h5", 9)
    scan = tmp_path / "scan" / "scan.h5"
    scan.parent.mkdir()
    virtual(scan, ["../private.h5"])
    with pytest.raises(FormatError, match="outside the scan's own folder"):
        stack_of(scan)
    # … and neither does a source that is itself virtual.
    virtual(scan.parent / "step.h5", ["../private.h5"])
    virtual(scan, ["step.h5"])
    with pytest.raises(FormatError, match="outside the scan's own folder"):
        stack_of(scan)


def test_external_raw_storage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(120)))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("data", (4, 3, 5), np.uint16, external=[(str(tmp_path / "secret"), 0, 120)])
    with (
        pytest.raises(FormatError, match=r"raw file .*secret, which is refused"),
        reading(tmp_path / "scan.h5"),
    ):
        pass


@pytest.mark.parametrize(
    "data", [np.zeros((3, 4, 5), "S4"), np.zeros((2, 3, 4, 5)), np.zeros((0, 4, 5)), np.zeros(7)]
)
def test_what_holds_no_frames_is_refused(tmp_path: Path, data: np.ndarray) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = data
    with pytest.raises(FormatError, match="frames are numbers of shape"):
        stack_of(tmp_path / "x.h5")


WRITER = """
import sys, h5py, numpy as np
file = h5py.File(sys.argv[1], sys.argv[2], libver=tuple(sys.argv[3].split(",")))
file["data" if sys.argv[2] == "w" else "more"] = np.zeros((2, 3, 4), np.uint16)
file.flush()
print("written", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def writer() -> Iterator[Callable[..., None]]:
    """Another program that writes a file and keeps it open."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> None:
        command = [sys.executable, "-c", WRITER, *map(str, arguments)]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout is not None
        assert running[-1].stdout.readline() == "written\n"

    yield start
    for process in running:
        process.communicate("\n", timeout=120)
        assert process.returncode == 0


def test_a_file_that_another_program_writes_is_readable(tmp_path: Path, writer: Callable[..., None]) -> None:
    writer(tmp_path / "x.h5", "w", "earliest,v108")
    with reading(tmp_path / "x.h5") as source:
        assert source.find("data") is not None


def test_a_reader_does_not_stop_the_writer(tmp_path: Path, writer: Callable[..., None]) -> None:
    raw(tmp_path / "x.h5", 1)
    with reading(tmp_path / "x.h5"):
        writer(tmp_path / "x.h5", "a", "earliest,v108")
    with reading(tmp_path / "x.h5") as source:
        assert source.find("data") is not None


def test_a_file_that_cannot_be_read_yet_is_said_to_be_written(
    tmp_path: Path, writer: Callable[..., None]
) -> None:
    writer(tmp_path / "x.h5", "w", "latest,latest")
    with pytest.raises(FormatError, match="still being written"), reading(tmp_path / "x.h5"):
        pass


def test_a_file_open_here_with_locks_is_said_to_be(tmp_path: Path) -> None:
    raw(tmp_path / "x.h5", 1)
    with (
        h5py.File(tmp_path / "x.h5", "r", locking=True),
        pytest.raises(FormatError, match="open elsewhere in this program"),
        reading(tmp_path / "x.h5"),
    ):
        pass


def test_a_heap_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["text"] = "some text"
        file["more"] = "more text"
    check_heaps(path)
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    free = heap + 16 + 2 * (16 + 16)  # two texts of nine bytes, padded to sixteen; then the free space
    assert content[free : free + 2] == b"\0\0"
    content[free + 8 : free + 16] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(FormatError, match="heap of texts"), reading(path):
        pass


@pytest.mark.parametrize("place", [2**20 - 12, 2**20 - 7, 8 * 2**20 + 5, 15 * 2**20 - 40])
def test_heap_without_end_is_found_wherever_it_lies(tmp_path: Path, place: int) -> None:
    path = tmp_path / "damaged.h5"
    content = bytearray(15 * 2**20)
    content[place : place + 16] = b"GCOL\x01\0\0\0" + (4096).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(FormatError, match=f"at byte {place} .* at byte {place + 16} has no size"):
        check_heaps(path)


def test_a_wish_to_stop_while_a_file_is_read_is_no_damage_of_it(tmp_path: Path) -> None:
    def wrapped() -> None:
        """As Cython does with what happens while a lock is released."""
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise SystemError("returned a result with an exception set") from stop

    with pytest.raises(KeyboardInterrupt), guarded(tmp_path / "a.h5"):
        wrapped()
