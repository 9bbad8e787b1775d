"""Packed chunks that are unpacked here: the values of the HDF5 library, and a diagnosis for damaged bytes."""

import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tomarium.compiled import extension
from tomarium.errors import EngineUnavailable, FormatError
from tomarium.formats.hdf5.chunk_reader import packing_of, read_chunks
from tomarium.formats.hdf5.frames import frames_of
from tomarium.formats.hdf5.source import reading

PACKINGS: dict[str, dict[str, Any]] = {
    "bitshuffle-lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "deflate": {"compression": "gzip", "compression_opts": 1},
    "shuffle-deflate": {"compression": "gzip", "shuffle": True},
}


@pytest.fixture(scope="module")
def levels() -> list[str]:
    try:
        return list(extension().levels())
    except EngineUnavailable:
        pytest.skip("the compiled kernels are not built")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chunks")


def written(path: Path, data: np.ndarray[Any, Any], chunks: tuple[int, int, int], packing: str) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=data, chunks=chunks, **PACKINGS[packing])
    return path


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_part_of_any_chunking_is_what_hdf5_reads(
    levels: list[str], folder: Path, data: st.DataObject
) -> None:
    shape = tuple(data.draw(st.integers(1, most)) for most in (7, 70, 90))
    chunks = tuple(data.draw(st.integers(1, length)) for length in shape)
    kind = data.draw(st.sampled_from(["u1", "u2", "i2", "u4", "f4", "f8", "i8"]))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    values = random.poisson(data.draw(st.sampled_from([0.01, 3, 100])), shape).astype(kind)
    packing = data.draw(st.sampled_from(sorted(PACKINGS)))
    path = written(folder / "any.h5", values, chunks, packing)  # type: ignore[arg-type]
    wanted = np.array(data.draw(st.lists(st.integers(0, shape[0] - 1), min_size=1, max_size=9)), np.intp)
    low = data.draw(st.integers(0, shape[1] - 1))
    rows = slice(low, data.draw(st.integers(low + 1, shape[1])))
    with h5py.File(path) as file:
        assert packing_of(file["data"]) == packing
        ranges = [rows, slice(0, 1), slice(shape[1] // 2, shape[1])]
        outs = [np.zeros((len(wanted), part.stop - part.start, shape[2]), kind) for part in ranges]
        assert read_chunks(file["data"], packing, wanted, ranges, outs)
    for part, out in zip(ranges, outs, strict=True):
        np.testing.assert_array_equal(out, values[wanted, part])


def test_large_frames_in_threads_and_through_the_stack(levels: list[str], folder: Path) -> None:
    values = np.random.default_rng(1).poisson(20_000, (9, 256, 512)).astype("u2")
    path = written(folder / "large.h5", values, (1, 256, 512), "bitshuffle-lz4")
    with reading(path) as source:
        stack = frames_of(source, source.file["data"])
    assert stack.layout.packing == "bitshuffle-lz4"
    np.testing.assert_array_equal(stack.read(slice(None), slice(0, 256)), values)
    np.testing.assert_array_equal(
        stack.read(np.array([7, 0, 3]), slice(10, 90, 3)), values[[7, 0, 3], 10:90:3]
    )
    ranges = [slice(200, 256), slice(0, 8), slice(4, 20, 2)]
    for wanted in (ranges, ranges[:2]):
        for rows, part in zip(wanted, stack.read_ranges(np.array([5, 1]), wanted), strict=True):
            np.testing.assert_array_equal(part, values[[5, 1], rows])


def test_rows_of_a_frame_that_is_packed_unevenly(levels: list[str], folder: Path) -> None:
    values = np.zeros((3, 512, 512), "u2")
    values[:, :250] = np.random.default_rng(3).integers(0, 2**16, (3, 250, 512))
    path = written(folder / "uneven.h5", values, (1, 512, 512), "bitshuffle-lz4")
    out = np.empty((3, 20, 512), "u2")
    with h5py.File(path) as file:
        assert read_chunks(file["data"], "bitshuffle-lz4", np.arange(3), [slice(235, 255)], [out])
    np.testing.assert_array_equal(out, values[:, 235:255])


def test_rows_further_down_are_read_from_the_last_known_block_on(
    levels: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, path = np.random.default_rng(5), folder / "slabs.h5"
    values = random.integers(0, 2 ** random.integers(1, 17, (1, 700, 1)), (4, 700, 512)).astype("u2")
    with reading(written(path, values, (1, 700, 512), "bitshuffle-lz4")) as source:
        stack = frames_of(source, source.file["data"])
    assert stack.cost(4, slice(0, 70))[1] == 4 * 70 * 512 * 2
    asked: list[int] = []
    read = os.preadv

    def counted(descriptor: int, buffers: Any, offset: int) -> int:
        asked.append(sum(len(buffer) for buffer in buffers))
        return read(descriptor, buffers, offset)

    monkeypatch.setattr("os.preadv", counted)
    again = pickle.loads(pickle.dumps(stack))  # to another process go no places
    for used, most in ((stack, 2.5), (again, 2.5), (stack, 1.5)):
        asked.clear()
        for first in range(0, 700, 70):
            part = used.read(slice(None), slice(max(0, first - 9), first + 70))
            np.testing.assert_array_equal(part, values[:, max(0, first - 9) : first + 70])
        assert sum(asked) < most * path.stat().st_size + 40 * 16384, used
    np.testing.assert_array_equal(stack.read(slice(None), slice(5, 640)), values[:, 5:640])
    written(path, values[:, ::-1], (1, 700, 512), "bitshuffle-lz4")  # other blocks at the same places
    np.testing.assert_array_equal(stack.read(slice(None), slice(400, 500)), values[:, ::-1][:, 400:500])


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_an_absent_chunk_is_refused_and_an_unpacked_one_left_to_hdf5(
    levels: list[str], folder: Path, packing: str
) -> None:
    path = folder / f"odd-{packing}.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "data", (3, 8, 64), "u2", chunks=(1, 8, 64), fillvalue=7, **PACKINGS[packing]
        )
        data[0] = 1
        data.id.write_direct_chunk((2, 0, 0), np.full((8, 64), 5, "u2").tobytes(), filter_mask=3)
    with reading(path) as source:
        out = np.zeros((1, 8, 64), "u2")
        for frame, stood in ((0, True), (1, False), (2, False)):
            assert read_chunks(source.file["data"], packing, np.array([frame]), [slice(0, 8)], [out]) is stood
        stack = frames_of(source, source.file["data"])
    assert stack.read(np.array([0, 2]), slice(0, 8))[:, 0, 0].tolist() == [1, 5]
    with pytest.raises(FormatError, match=r"entries 1 to 1 of .* were never written"):
        stack.read(slice(None), slice(0, 8))


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_damaged_chunks_are_told_never_crash(levels: list[str], folder: Path, packing: str) -> None:
    random = np.random.default_rng(2)
    values = random.poisson(30, (1, 40, 64)).astype("u2")
    path = written(folder / f"damaged-{packing}.h5", values, (1, 40, 64), packing)
    with h5py.File(path) as file:
        info = file["data"].id.get_chunk_info(0)
    content = path.read_bytes()
    told = []
    for number in range(60):
        broken = bytearray(content)
        for _ in range(int(random.integers(1, 4))):
            broken[
                info.byte_offset + int(random.integers(min(info.size, 40 if number % 2 else info.size)))
            ] = int(random.integers(256))
        path.write_bytes(broken)
        with h5py.File(path) as file:
            out = np.zeros_like(values)
            try:
                assert read_chunks(file["data"], packing, np.array([0]), [slice(0, 40)], [out])
            except FormatError as error:
                told.append(str(error))
    assert len(told) > 10
    assert all("copy the file again" in one for one in told)


def test_hostile_bytes_stay_within_their_buffers(levels: list[str]) -> None:
    """Guards around the result would show a byte written beyond it."""
    module = extension()
    random = np.random.default_rng(3)
    refused = 0
    for number in range(4000):
        total, element = int(random.integers(1, 3000)), int(random.choice([1, 2, 4, 8]))
        total -= total % element
        packed = random.integers(0, 256, int(random.integers(0, 2000)), dtype=np.uint8)
        if len(packed) >= 16 and number % 8:  # a header that fits, so that the blocks are reached
            packed[:8] = np.frombuffer(total.to_bytes(8, "big"), np.uint8)
            packed[8:12] = np.frombuffer(
                int(random.choice([64, 512, 8192, 2**31])).to_bytes(4, "big"), np.uint8
            )
            packed[12:16] = np.frombuffer(int(len(packed) - 16).to_bytes(4, "big"), np.uint8)
        room = np.full(total + 128, 165, np.uint8)
        try:
            module.bitshuffle_lz4(
                packed, total, element, 0, room[64 : 64 + total], levels[number % len(levels)]
            )
        except ValueError:
            refused += 1
        assert (np.delete(room, slice(64, 64 + total)) == 165).all()
    assert refused > 3000


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8"])
def test_every_level_gives_the_same(levels: list[str], folder: Path, kind: str) -> None:
    values = np.random.default_rng(4).integers(0, 200, (1, 61, 129)).astype(kind)
    path = written(folder / "levels.h5", values, (1, 61, 129), "bitshuffle-lz4")
    with h5py.File(path) as file:
        info = file["data"].id.get_chunk_info(0)
    packed = np.frombuffer(path.read_bytes(), np.uint8, info.size, info.byte_offset)
    for level in levels:
        out = np.zeros(values.nbytes, np.uint8)
        extension().bitshuffle_lz4(packed, values.nbytes, values.itemsize, 0, out, level)
        np.testing.assert_array_equal(out.view(kind), values.ravel())
