"""One opening of a file for all the formats that are asked about it, and its groups listed once."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_formats import MAKERS
from tomarium.errors import FormatError
from tomarium.formats import recognise
from tomarium.formats.hdf5 import held_open as module
from tomarium.formats.hdf5.attributes import content, raw_attribute
from tomarium.formats.hdf5.held_open import held_open, shared_open
from tomarium.formats.hdf5.members import KnownGroups
from tomarium.formats.hdf5.names import key_in, numbered
from tomarium.formats.hdf5.source import reading


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["entry/a/value"] = 1.0
        file["entry/soft"] = h5py.SoftLink("/entry/a")
        for name in ("exchange_10", "exchange", "exchange2", "exchanged"):
            file[name] = 0
        file.id.links.create_hard("Gerät".encode("latin-1"), file["entry"].id, b"a")
    return tmp_path / "scan.h5"


def test_formats_that_are_asked_share_one_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scan.h5"
    MAKERS["nxtomo"](path)
    opened: list[Path] = []
    plain = module.open_checked
    monkeypatch.setattr(module, "open_checked", lambda path: opened.append(path) or plain(path))
    assert recognise(path)[0][0].name == "nxtomo"
    assert opened == [path]
    tm.open(path)
    assert opened == [path] * 2


def test_a_file_is_closed_at_the_end_and_opened_anew_once_it_changed(scan: Path) -> None:
    with held_open(scan):
        with shared_open(scan) as (first, _):
            assert first["entry/a/value"][()] == 1.0
        with shared_open(scan) as (second, _), held_open(scan):
            assert second is first
        scan.unlink()
        with h5py.File(scan, "w") as file:
            file["entry/a/value"] = 2.0
        with reading(scan) as source:
            assert source.array("/entry/a/value") == 2.0
            again = source.file
            os.utime(scan, (10**9,) * 2)
            with reading(scan) as other:  # it changed while another reads it: each has its own
                assert other.file is not again
            assert again
    assert not first
    assert not again
    with reading(scan) as source:
        assert source.file is not again


def fail(path: Path, opened: list[h5py.File]) -> None:
    with reading(path) as source:
        opened.append(source.file)
        raise OSError("damaged")


def test_what_failed_is_not_shared(scan: Path) -> None:
    with held_open(scan):
        opened: list[h5py.File] = []
        with pytest.raises(FormatError):
            fail(scan, opened)
        assert not opened[0]
        with reading(scan) as source:
            assert source.array("/entry/a/value") == 1.0


def test_members_are_as_the_library_tells_them(scan: Path) -> None:
    with h5py.File(scan) as file:
        known = KnownGroups()
        members = known.of(file)
        assert members is known.of(file)
        assert members is not None
        for name in ("entry", "exchange", "absent", "Gerät", "exchange_10"):
            assert members.key(name) == key_in(file, name)
        assert members.numbered("exchange") == numbered(file, "exchange")
        assert members.numbered("exchange") == ["exchange", "exchange2", "exchange_10"]
        many = file["entry/a"]
        assert known.of(many) is not members
    with h5py.File(scan, "a") as file:
        for number in range(600):
            file[f"many/{number}"] = number
    with reading(scan) as source:
        many = source.find("/many")
        assert source.known is not None
        assert source.known.of(many) is None, "asked name by name"
        np.testing.assert_array_equal(source.array("/many/599"), [599])
        assert source.find("/entry/soft/value") == source.find("/entry/a/value")
        assert source.find("/entry/a") is source.find("/entry/a")


def test_a_file_that_cannot_be_opened_is_tried_once_until_it_changes(
    scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scan.read_bytes()
    scan.write_bytes(whole[:200])
    os.utime(scan, (10**9,) * 2)
    opened: list[Path] = []
    plain = module.open_checked
    monkeypatch.setattr(module, "open_checked", lambda path: opened.append(path) or plain(path))
    with held_open(scan):
        for _ in range(3):
            with pytest.raises(FormatError, match="truncated"), reading(scan):
                pass
        assert opened == [scan]
        scan.write_bytes(whole)
        with reading(scan) as source:
            assert source.array("/entry/a/value") == 1.0


VALUES = {
    "text": "Gerät", "texts": ["a", "bc"], "bytes": np.bytes_("fixed"), "latin": "µm".encode("latin-1"), "number": 0.65,
    "float32": np.float32(6.7e-6), "list": np.arange(3), "none": np.empty(0, np.int16), "flag": True,
    "empty": h5py.Empty("f4"), "codes": np.frombuffer(b"um\0\0", np.int8),
}  # fmt: skip


def test_an_attribute_longer_than_any_text_is_left_in_the_file(tmp_path: Path) -> None:
    """Damaged bytes can claim gigabytes, which the library would then ask the system for."""
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        file.attrs.create("long", np.bytes_(b"a" * (2 << 20)))
        assert file.attrs["long"][-1:] == b"a"
        assert raw_attribute(file, "long") is None


@pytest.mark.parametrize("name", VALUES)
def test_short_values_and_attributes_are_those_of_h5py(name: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["held"] = VALUES[name]
        file.attrs[name] = VALUES[name]
    with h5py.File(tmp_path / "a.h5") as file:
        assert raw_attribute(file, "absent") is None
        assert raw_attribute(file, b"Ger\xe4t") is None  # as h5py gives a name that is no UTF-8
        pairs = [(raw_attribute(file, name), file.attrs[name]), (content(file["held"]), file["held"][()])]
        if name == "empty":
            assert pairs[0][0] == pairs[0][1]
            assert pairs[1][0] is None
            return
        for ours, theirs in pairs:
            assert type(ours) is type(theirs)
            assert np.asarray(ours).dtype == np.asarray(theirs).dtype
            np.testing.assert_array_equal(ours, theirs)


def test_what_lies_at_a_plain_path_is_found_once_for_all_who_read(scan: Path) -> None:
    with held_open(scan):
        with reading(scan) as first:
            node = first.find("/entry/a/value")
            assert node is not None
        with reading(scan) as second:
            assert second.find("/entry/a/value") is node
