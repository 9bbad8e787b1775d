"""Volumes without a header: .vol and .raw with their texts, their sizes, and how they are written and resumed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import tomarium as tm
from tomarium.atomic_files import write_at
from tomarium.errors import FormatError, InputError, StorageFull
from tomarium.formats import formats
from tomarium.formats.raw.info import FIRST_LINE
from tomarium.model import Axis, Volume

Find = Callable[[str], Path]
RNG = np.random.default_rng(4)
VOL, RAW = formats()["pyhst-volume"].write, formats()["raw-volume"].write
assert VOL is not None
assert RAW is not None
BLOCK_BYTES = "tomarium.formats.resumable.array_file._BLOCK_BYTES"
INFO = f"{FIRST_LINE}\nNUM_X =  4\nNUM_Y =  3\nNUM_Z =  5\n"


def a_volume(
    dtype: str = "float32", voxel_m: float = 0.65e-6, shape: tuple[int, int, int] = (5, 6, 7)
) -> Volume:
    data = (100 + 20 * RNG.normal(size=shape)).astype(dtype)
    return Volume(data, tuple(Axis(name, voxel_m, 0.0, "m") for name in "zyx"), "1/cm", "v")


def opened(path: Path) -> Volume:
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    return volume


def a_volume_in_a_file(path: Path, shape: tuple[int, int, int]) -> Volume:
    RAW(path, a_volume(shape=shape))
    return opened(path)


class TestReading:
    def test_every_key_is_kept_apart(self, tmp_path: Path) -> None:
        """`s1` and `S1` are two keys; blanks around "=" vary."""
        (tmp_path / "a.vol").write_bytes(np.arange(60, dtype="<f4").tobytes())
        more = "voxelSize=0.28\nBYTEORDER = LOWBYTEFIRST\nValMin   =-0.1\nValMax = 0.3\ns1 = 1\ns2=2\nS1 =3\nS2 = 4\n"
        (tmp_path / "a.vol.info").write_text(INFO + more)
        volume = opened(tmp_path / "a.vol")
        assert volume.voxel_m == (0.28e-6,) * 3
        info = volume.metadata["info"]
        assert [info[key] for key in ("s1", "s2", "S1", "S2", "ValMin")] == ["1", "2", "3", "4", "-0.1"]
        assert volume[4, 2, 3] == 59
        assert volume.metadata["notes"] == []
        assert opened(tmp_path / "a.vol.info")[4, 2, 3] == opened(tmp_path)[4, 2, 3] == 59

    def test_high_byte_first(self, tmp_path: Path) -> None:
        (tmp_path / "a.vol").write_bytes(np.arange(60, dtype=">f4").tobytes())
        (tmp_path / "a.vol.info").write_text(INFO + "BYTEORDER = HIGHBYTEFIRST\n")
        volume = opened(tmp_path / "a.vol")
        assert volume.dtype == np.dtype("f4")
        np.testing.assert_array_equal(np.ravel(volume[:]), np.arange(60))

    def test_what_is_absent_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "a.vol").write_bytes(np.arange(1, 61, dtype="<f4").tobytes())
        (tmp_path / "a.vol.info").write_text(INFO)
        volume = opened(tmp_path / "a.vol")
        assert volume.voxel_m is None
        assert volume.metadata["uncalibrated"] is True
        assert len(volume.metadata["notes"]) == 2
        assert "no BYTEORDER is given" in volume.metadata["notes"][0]

    def test_nabus_default_voxel_is_doubted(self, tmp_path: Path) -> None:
        (tmp_path / "a.vol").write_bytes(np.ones(60, "<f4").tobytes())
        (tmp_path / "a.vol.info").write_text(INFO + "voxelSize = 40.0\nBYTEORDER=LOWBYTEFIRST\n")
        assert "which nabu writes where it knows none" in opened(tmp_path / "a.vol").metadata["notes"][0]

    @pytest.mark.parametrize(
        ("count", "reason"),
        [
            (36, "holds 3 whole slices in 144 bytes where a.vol.info tells 5 slices of 48 bytes"),
            (40, "holds 3 whole slices in 160 bytes"),
            (72, "holds 6 slices in 288 bytes where a.vol.info tells 5 slices"),
        ],
    )
    def test_the_size_is_checked_before_it_is_mapped(self, count: int, reason: str, tmp_path: Path) -> None:
        (tmp_path / "a.vol").write_bytes(np.ones(count, "<f4").tobytes())
        (tmp_path / "a.vol.info").write_text(INFO)
        with pytest.raises(FormatError, match=reason):
            tm.open(tmp_path / "a.vol")

    def test_a_volume_that_shrinks_later_is_refused_too(self, tmp_path: Path) -> None:
        VOL(tmp_path / "a.vol", a_volume())
        volume = opened(tmp_path / "a.vol")
        (tmp_path / "a.vol").write_bytes(b"\0" * 100)
        with pytest.raises(FormatError, match="the file has changed"):
            volume[0]
        (tmp_path / "a.vol").unlink()
        with pytest.raises(FormatError, match="is gone"):
            volume[0]

    def test_slabs_of_zeros_are_said(self, tmp_path: Path) -> None:
        data = np.ones((40, 6, 7), np.float32)
        data[8:16] = data[39] = 0
        VOL(tmp_path / "a.vol", Volume(data, tuple(Axis(name) for name in "zyx")))
        volume = opened(tmp_path / "a.vol")
        assert any("9 of 40 slices looked at are zero" in text for text in volume.metadata["notes"])

    @pytest.mark.parametrize(
        "text", ["", "NUM_X = 4\nNUM_Y=3\n", "NUM_X = -4\nNUM_Y=3\nNUM_Z=5\n", "NUM_X = 1e9"]
    )
    def test_a_text_without_sizes(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "a.vol").write_bytes(b"abcd")
        (tmp_path / "a.vol.info").write_text(text)
        with pytest.raises(FormatError, match=r"write NUM_[XYZ] = and the number of voxels"):
            tm.open(tmp_path / "a.vol")

    def test_xml_alone(self, tmp_path: Path) -> None:
        VOL(tmp_path / "a.vol", a_volume())
        before = opened(tmp_path / "a.vol")
        (tmp_path / "a.vol.info").unlink()
        after = opened(tmp_path / "a.vol")
        np.testing.assert_array_equal(after[:], before[:])
        assert after.voxel_m == before.voxel_m

    def test_a_vol_without_its_text(self, tmp_path: Path) -> None:
        (tmp_path / "a.vol").write_bytes(b"abcd")
        with pytest.raises(FormatError, match=r"no header and no a.vol.info beside it"):
            tm.open(tmp_path / "a.vol")

    @pytest.mark.parametrize("name", ["a_4x3x5_uint16.raw", "a-4x3x5-uint16.raw", "a_4X3X5.raw"])
    def test_sizes_in_the_name(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(np.arange(60, dtype="<u2").tobytes())
        volume = opened(tmp_path / name)
        assert (volume.shape, volume.dtype) == ((5, 3, 4), np.uint16)
        assert volume[1, 0, 0] == 12

    def test_a_name_that_tells_another_size(self, tmp_path: Path) -> None:
        (tmp_path / "a_4x3x4_uint16.raw").write_bytes(np.arange(60, dtype="<u2").tobytes())
        with pytest.raises(FormatError, match="holds 5 slices in 120 bytes"):
            tm.open(tmp_path / "a_4x3x4_uint16.raw")

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    def test_the_type_from_the_size(self, dtype: str, tmp_path: Path) -> None:
        (tmp_path / "a.raw").write_bytes(np.arange(60).astype(dtype).tobytes())
        (tmp_path / "a.raw.info").write_text(INFO)
        volume = opened(tmp_path / "a.raw")
        assert volume.dtype == np.dtype(dtype)
        assert any("no type is given" in text for text in volume.metadata["notes"])

    def test_real_raw_without_info(self, shared: Find) -> None:
        volume = opened(shared("volumes/sand_200x200x100_uint8.raw"))
        assert (volume.shape, volume.dtype) == ((100, 200, 200), np.uint8)
        whole = np.fromfile(shared("volumes/sand_200x200x100_uint8.raw"), np.uint8).reshape(100, 200, 200)
        np.testing.assert_array_equal(volume[50:52, ::3], whole[50:52, ::3])
        # x is fastest: neighbours along it are more alike than rows half a volume apart.
        near, far = (np.corrcoef(whole[50, :, 0], whole[50, :, step])[0, 1] for step in (1, 100))
        assert near > 0.5 > far

    def test_real_info_without_raw(self, shared: Find) -> None:
        with pytest.raises(FormatError, match=r"the volume pure_Ti_216x216x141_uint16.raw is not"):
            tm.open(shared("volumes/pure_Ti_216x216x141_uint16.raw.info"))


class TestWriting:
    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
    def test_raw_keeps_its_type(self, dtype: str, tmp_path: Path) -> None:
        volume = a_volume(dtype)
        RAW(tmp_path / "a.raw", volume)
        again = opened(tmp_path / "a.raw")
        assert again.dtype == volume.dtype
        np.testing.assert_array_equal(again[:], volume[:])
        assert again.metadata["notes"] == []

    @pytest.mark.parametrize("voxel_m", [0.65e-6, 1.234567890123e-7, 1 / 3 * 1e-6, 2.5e-3])
    def test_the_voxel_loses_no_digit(self, voxel_m: float, tmp_path: Path) -> None:
        VOL(tmp_path / "a.vol", a_volume(voxel_m=voxel_m))
        assert opened(tmp_path / "a.vol").voxel_m == (voxel_m,) * 3

    def test_extremes_are_true_and_bounds_are_quantiles(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(BLOCK_BYTES, 7 * 64 * 66 * 4)
        volume = a_volume(shape=(60, 64, 66))
        VOL(tmp_path / "a.vol", volume)
        info = {
            key: float(text)
            for key, text in opened(tmp_path / "a.vol").metadata["info"].items()
            if key[0] in "sSV"
        }
        assert info["ValMin"] == volume[:].min()
        assert info["ValMax"] == volume[:].max()
        for key, share in (("s1", 0.001), ("s2", 0.999), ("S1", 0.00001), ("S2", 0.99999)):
            below = float(np.mean(volume[:] <= info[key]))
            assert below == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 60_000) + 2e-5), key
        leaves = {node.tag: node.text for node in ElementTree.parse(tmp_path / "a.vol.xml").iter()}
        assert leaves["SIZEX"] == "66"
        assert float(leaves["ValMax"] or "") == volume[:].max()

    def test_not_finite_voxels_do_not_spoil_the_extremes(self, tmp_path: Path) -> None:
        data = np.ones((3, 4, 5), np.float32)
        data[0, 0, 0], data[1, 1, 1], data[2] = np.nan, np.inf, 7
        VOL(tmp_path / "a.vol", Volume(data, tuple(Axis(name) for name in "zyx")))
        info = opened(tmp_path / "a.vol").metadata["info"]
        assert (info["ValMin"], info["ValMax"]) == ("1.0", "7.0")
        np.testing.assert_array_equal(opened(tmp_path / "a.vol")[:], data)

    def test_a_run_that_was_stopped_goes_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BLOCK_BYTES, 4 * 6 * 7 * 4)
        volume = a_volume_in_a_file(tmp_path / "source.raw", (10, 6, 7))
        done: list[int] = []

        def stop(written: int, total: int) -> None:
            done.append(written)
            if len(done) == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            VOL(tmp_path / "a.vol", volume, resume=True, on_progress=stop)
        assert not (tmp_path / "a.vol").exists()
        log = (tmp_path / ".a.vol.partial.done").read_text().splitlines()
        assert len(log) == 3, "what it is made from, and two blocks"
        VOL(tmp_path / "a.vol", volume, resume=True)
        VOL(tmp_path / "b.vol", volume)
        np.testing.assert_array_equal(opened(tmp_path / "a.vol")[:], volume[:])
        assert (tmp_path / "a.vol.info").read_text() == (tmp_path / "b.vol.info").read_text()
        names = sorted(file.name for file in tmp_path.iterdir() if "a.vol" in file.name)
        assert names == ["a.vol", "a.vol.info", "a.vol.xml"]

    def test_what_is_there_is_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "a.raw").write_bytes(b"mine")
        with pytest.raises(FormatError, match="exists already; remove it or choose another path"):
            RAW(tmp_path / "a.raw", a_volume())
        assert (tmp_path / "a.raw").read_bytes() == b"mine"

    def test_values_float32_would_round(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="float64 does not fit into float32"):
            VOL(tmp_path / "a.vol", a_volume("float64"))
        VOL(tmp_path / "a.vol", a_volume("float64"), lossy=True)
        assert opened(tmp_path / "a.vol").dtype == np.float32

    def test_voxels_that_are_no_cubes(self, tmp_path: Path) -> None:
        axes = tuple(
            Axis(name, scale, 0.0, "m") for name, scale in zip("zyx", (2e-6, 1e-6, 1e-6), strict=True)
        )
        with pytest.raises(InputError, match="this format holds one length for all"):
            VOL(tmp_path / "a.vol", Volume(np.zeros((2, 2, 2), np.float32), axes))
        assert list(tmp_path.iterdir()) == []

    def test_a_full_disk_keeps_what_is_done(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BLOCK_BYTES, 2 * 6 * 7 * 4)
        volume = a_volume_in_a_file(tmp_path / "source.raw", (4, 6, 7))
        places: list[int] = []

        def full(file: int, content: memoryview, place: int) -> None:
            places.append(place)
            if place and len(places) < 3:
                raise OSError(errno.ENOSPC, "No space left on device")
            write_at(file, content, place)

        monkeypatch.setattr("tomarium.formats.resumable.array_file.write_at", full)
        with pytest.raises(
            StorageFull, match="what is written is kept; free some space and repeat the command"
        ):
            RAW(tmp_path / "a.raw", volume, resume=True)
        RAW(tmp_path / "a.raw", volume, resume=True)
        assert places == [0, 336, 336], "the first block was not written again"
        np.testing.assert_array_equal(opened(tmp_path / "a.raw")[:], volume[:])


class TestContradictions:
    def test_a_key_with_two_values_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.vol").write_bytes(np.arange(60, dtype="<f4").tobytes())
        text = tmp_path / "a.vol.info"
        text.write_text(f"{INFO}NUM_X = 4\n")
        assert opened(tmp_path / "a.vol").shape == (5, 3, 4)
        text.write_text(f"{INFO}NUM_X = 3\nNUM_Y = 4\n")
        with pytest.raises(FormatError, match="NUM_X is '4' and '3'"):
            tm.open(tmp_path / "a.vol")

    def test_two_texts_that_disagree_are_refused(self, tmp_path: Path) -> None:
        """Rows and columns exchanged have the same number of bytes, and make another picture."""
        VOL(tmp_path / "a.vol", a_volume())
        assert opened(tmp_path / "a.vol").shape == (5, 6, 7)
        info = tmp_path / "a.vol.info"
        info.write_text(
            info.read_text().replace("NUM_X =  7", "NUM_X =  6").replace("NUM_Y =  6", "NUM_Y =  7")
        )
        with pytest.raises(FormatError, match=r"a\.vol\.info tells 5 x 7 x 6 .*a\.vol\.xml 5 x 6 x 7"):
            tm.open(tmp_path / "a.vol")
