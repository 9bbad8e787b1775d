"""Files that mean harm: each attack is refused by its name, and no byte from outside ever comes back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from processor_time import demand_within
from tomarium.errors import FormatError
from tomarium.formats import recognise
from tomarium.formats.hdf5 import security_check
from tomarium.formats.hdf5.security_check import beside, examine, open_checked
from tomarium.formats.hdf5.source import reading
from tomarium.formats.opening.sandbox import open_in_subprocess
from tomarium.formats.opening.size_limits import check_claim

CANARY = b"canary:x:0:0:" * 40
SHAPE = (8, 5, 6)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Something of another user: a text, and an HDF5 file whose pixels are 60001."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "passwd").write_bytes(CANARY)
    with h5py.File(tmp_path / "other" / "secret.h5", "w") as file:
        file["data"] = np.full(SHAPE, 60001, np.uint16)
    return tmp_path / "other"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "scan").mkdir()
    return tmp_path / "scan"


def data_exchange(path: Path, fill: Callable[[h5py.Group], None]) -> Path:
    """A Data Exchange scan whose frames `fill` makes."""
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange"
        fill(file.create_group("exchange"))
        file["exchange/theta"] = np.linspace(0, 180, SHAPE[0])
    return path


def virtual(group: h5py.Group, name: str, source: str, inside: str = "/data") -> None:
    layout = h5py.VirtualLayout(SHAPE, np.uint16)
    layout[:] = h5py.VirtualSource(source, inside, SHAPE)
    group.create_virtual_dataset(name, layout)


def raw_storage(group: h5py.Group, secret: Path) -> None:
    size = len(CANARY) // 60
    group.create_dataset("data", (size, 5, 6), np.uint16, external=[(str(secret / "passwd"), 0, size * 60)])


def link(group: h5py.Group, secret: Path) -> None:
    group["data"] = h5py.ExternalLink(str(secret / "secret.h5"), "/data")


def link_up(group: h5py.Group, secret: Path) -> None:
    group["data"] = h5py.ExternalLink(f"../{secret.name}/secret.h5", "/data")


def link_through_symlink(group: h5py.Group, secret: Path) -> None:
    (Path(group.file.filename).parent / "alias.h5").symlink_to(secret / "secret.h5")
    group["data"] = h5py.ExternalLink("alias.h5", "/data")


def link_through_folder(group: h5py.Group, secret: Path) -> None:
    (Path(group.file.filename).parent / "folder").symlink_to(secret)
    group["data"] = h5py.ExternalLink("folder/secret.h5", "/data")


def virtual_outside(group: h5py.Group, secret: Path) -> None:
    virtual(group, "data", str(secret / "secret.h5"))


def pattern(group: h5py.Group, name: str) -> None:
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    endless, whole = (
        h5py.h5s.create_simple(SHAPE, (h5py.h5s.UNLIMITED, *SHAPE[1:])),
        h5py.h5s.create_simple(SHAPE),
    )
    endless.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), SHAPE, SHAPE)
    layout.set_virtual(endless, name.encode(), b"/data", whole)
    h5py.h5d.create(group.id, b"data", h5py.h5t.STD_U16LE, endless, layout)


def virtual_pattern(group: h5py.Group, secret: Path) -> None:
    (secret / "block0.h5").write_bytes((secret / "secret.h5").read_bytes())
    pattern(group, f"../{secret.name}/block%b.h5")


def virtual_pattern_of_folders(group: h5py.Group, secret: Path) -> None:
    secret.rename(secret.with_name("record-0"))
    pattern(group, "../record-%b/secret.h5")


def virtual_pattern_with_brackets(group: h5py.Group, secret: Path) -> None:
    (secret / "block[1]0.h5").write_bytes((secret / "secret.h5").read_bytes())
    pattern(group, f"../{secret.name}/block[1]%b.h5")


def virtual_pattern_of_percent(group: h5py.Group, secret: Path) -> None:
    (secret / "50%0.h5").write_bytes((secret / "secret.h5").read_bytes())
    pattern(group, f"../{secret.name}/50%%%b.h5")


def virtual_through_link(group: h5py.Group, secret: Path) -> None:
    with h5py.File(Path(group.file.filename).parent / "step.h5", "w") as step:
        step["data"] = h5py.ExternalLink(str(secret / "secret.h5"), "/data")
    virtual(group, "data", "step.h5")


def raw_storage_through_link(group: h5py.Group, secret: Path) -> None:
    with h5py.File(Path(group.file.filename).parent / "step.h5", "w") as step:
        raw_storage(step, secret)
    group["data"] = h5py.ExternalLink("step.h5", "/data")


def virtual_of_itself(group: h5py.Group, secret: Path) -> None:
    virtual(group, "data", ".", "/exchange/other")
    virtual(group, "other", ".", "/exchange/data")


def virtual_of_itself_by_file_name(group: h5py.Group, secret: Path) -> None:
    virtual(group, "data", Path(group.file.filename).name, "/exchange/data")


def virtual_of_itself_through_files(group: h5py.Group, secret: Path) -> None:
    with h5py.File(Path(group.file.filename).parent / "step.h5", "w") as step:
        virtual(step, "data", Path(group.file.filename).name, "/exchange/data")
    virtual(group, "data", "step.h5")


def absurd(group: h5py.Group, secret: Path) -> None:
    group.create_dataset("data", (1 << 20, 1 << 20, 1 << 20), np.float64, chunks=(1, 64, 64))


def never_written(group: h5py.Group, secret: Path) -> None:
    group.create_dataset("data", (1 << 16, 1 << 10, 1 << 10), np.float32)


def bomb(group: h5py.Group, secret: Path) -> None:
    shape = (256, 1024, 1024)
    data = group.create_dataset("data", shape, np.uint8, chunks=shape, compression="gzip")
    data[...] = 0


def hard_cycle(group: h5py.Group, secret: Path) -> None:
    group["data"] = np.ones(SHAPE, np.uint16)
    below = group.create_group("a").create_group("b")
    below["up"] = group


def deep(group: h5py.Group, secret: Path) -> None:
    group["data"] = np.ones(SHAPE, np.uint16)
    for _ in range(security_check.MOST_DEPTH + 5):
        group = group.create_group("g")


def unknown_filter(group: h5py.Group, secret: Path) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(SHAPE)
    plist.set_filter(31999, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple(SHAPE)
    h5py.h5d.create(group.id, b"data", h5py.h5t.STD_U16LE, space, plist)
    group["data"].id.write_direct_chunk((0, 0, 0), bytes(480))


ATTACKS: dict[Callable[[h5py.Group, Path], None], str] = {
    raw_storage: r"raw file .*passwd, which is refused",
    raw_storage_through_link: r"points to .*step\.h5: /data keeps its bytes in the raw file .*passwd",
    link: r"secret\.h5, which lies outside the scan's own folder",
    link_up: r"secret\.h5, which lies outside the scan's own folder",
    link_through_symlink: r"alias\.h5, which lies outside the scan's own folder",
    link_through_folder: r"folder/secret\.h5, which lies outside the scan's own folder",
    virtual_outside: r"secret\.h5, which lies outside the scan's own folder",
    virtual_pattern_of_folders: r"record-%b.*outside the scan's own folder",
    virtual_pattern_with_brackets: r"block\[1\]%b\.h5, which lies outside the scan's own folder",
    virtual_pattern_of_percent: r"50%%%b.*outside the scan's own folder",
    virtual_pattern: r"block%b\.h5, which lies outside the scan's own folder",
    virtual_through_link: r"secret\.h5, which lies outside the scan's own folder",
    virtual_of_itself: r"made of itself",
    virtual_of_itself_by_file_name: r"made of itself",
    virtual_of_itself_through_files: r"made of itself|go round in a circle",
    absurd: r"absurd shape 1048576 × 1048576 × 1048576",
    never_written: r"holds none of them",
    bomb: r"decompression bomb: \d+ stored bytes unpack to 268435456",
    hard_cycle: r"go round in a circle: /exchange/a/b/up",
    deep: r"more than 64 groups deep",
    unknown_filter: r"filter 31999",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_refused_by_its_name(
    attack: Callable[[h5py.Group, Path], None], home: Path, secret: Path
) -> None:
    path = data_exchange(home / "scan.h5", lambda group: attack(group, secret))

    def refused() -> str:
        with pytest.raises(FormatError, match=ATTACKS[attack]) as told:
            tm.open(path)
        return str(told.value)

    told = demand_within(1.0, refused)
    assert str(path) in told
    assert "canary" not in told


def test_an_attack_that_comes_after_opening_is_refused(home: Path, secret: Path) -> None:
    path = data_exchange(home / "scan.h5", lambda group: group.create_dataset("data", SHAPE, np.uint16))
    with h5py.File(path, "a") as file:
        file["exchange/data"][:] = 7
    scan = tm.open(path)
    path.unlink()
    data_exchange(path, lambda group: raw_storage(group, secret))
    with pytest.raises(FormatError, match="raw file"):
        scan.projections.read(slice(None), slice(None))


def test_a_link_outside_that_nobody_follows_refuses_nothing_but_itself(home: Path, secret: Path) -> None:
    """Files of a beamline point to its logs by absolute names; the scan beside them stays readable."""

    def fill(group: h5py.Group) -> None:
        group["data"] = np.full(SHAPE, 7, np.uint16)
        group["log"] = h5py.ExternalLink(str(secret / "secret.h5"), "/data")

    path = data_exchange(home / "scan.h5", fill)
    scan = tm.open(path)
    assert (scan.projections.read(slice(None), slice(None)) == 7).all()
    with h5py.File(path, "r") as file:
        codes = [(found.code, found.where, found.refuses_the_file) for found in examine(path, file)]
    assert codes == [("outside", "/exchange/log", False)]
    with reading(path) as source, pytest.raises(FormatError, match="outside the scan's own folder"):
        source.find("/exchange/log")


def test_a_name_pattern_inside_the_folder_is_allowed(home: Path) -> None:
    for number in range(3):
        (home / f"block{number}.h5").touch()
    assert beside(home / "scan.h5", home / "scan.h5", "block%b.h5") == (home / "block0.h5").resolve()
    assert beside(home / "scan.h5", home / "scan.h5", "piece%b.h5") is None


def test_too_many_members_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security_check, "MOST_MEMBERS", 50)
    with h5py.File(home / "many.h5", "w") as file:
        for number in range(60):
            file[f"group/{number}"] = h5py.SoftLink("/nowhere")
    with pytest.raises(FormatError, match="/group claims 60 members"):
        open_checked(home / "many.h5")


def test_a_walk_through_very_many_objects_ends(home: Path) -> None:
    """The rest is checked where it is used, which is said."""
    with h5py.File(home / "many.h5", "w") as file:
        for number in range(security_check.MOST_INSPECTED + 100):
            file[f"{number % 90}/{number}"] = h5py.SoftLink("/nowhere")
    with h5py.File(home / "many.h5", "r") as file:
        found = demand_within(1.0, lambda: examine(home / "many.h5", file))
    assert [one.code for one in found] == ["unseen"]


def test_what_real_scans_hold_is_not_refused(home: Path) -> None:
    """Shared members, soft links in a circle, frames that are all zero, and a stack still to be filled."""
    with h5py.File(home / "scan.h5", "w") as file:
        file["entry/instrument/data"] = np.ones(SHAPE, np.uint16)
        file["entry/data/data"] = file["entry/instrument/data"]
        file["entry/link"] = h5py.SoftLink("/entry/link")
        file["entry/self"] = h5py.SoftLink("/entry")
        dark = file.create_dataset("dark", (4, 1024, 1024), np.uint16, chunks=(1, 1024, 1024), compression=4)
        dark[...] = 0
        half = file.create_dataset("half", (4096, 512, 512), np.uint16, chunks=(1, 512, 512))
        half[0] = 1
        file.create_dataset("empty", (0, 2048, 2048), np.uint16, maxshape=(None, 2048, 2048))
        assert examine(home / "scan.h5", file) == ()
        file.create_dataset("to come", (4096, 512, 512), np.uint16, chunks=(1, 512, 512))
        assert [one.code for one in examine(home / "scan.h5", file)] == ["claim"]
        assert examine(home / "scan.h5", file, growing=True) == ()


def test_every_real_file_passes(shared: Callable[[str], Path]) -> None:
    files = [file for file in shared("dx/tooth.h5").parents[1].rglob("*") if file.suffix in (".h5", ".nxs")]
    assert len(files) > 15
    for path in files:
        with open_checked(path) as file:
            found = demand_within(0.3, lambda path=path, file=file: examine(path, file))
            assert [one for one in found if one.code != "outside"] == [], path


@pytest.mark.parametrize(
    ("shape", "stored", "block", "message"),
    [
        ((1 << 21, 1 << 20), 1600, None, "absurd"),
        ((1 << 30,), 264_000, (1 << 30,), "bomb"),
        ((1 << 17, 1 << 10, 1 << 10), 1 << 28, (1, 1 << 10, 1 << 10), "bomb"),
    ],
)
def test_claims_are_weighed(
    shape: tuple[int, ...], stored: int, block: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(FormatError, match=f"here .*{message}"):
        check_claim("here", shape, 1, stored, block=block)


@pytest.mark.parametrize(
    ("shape", "stored", "block"),
    [
        ((1 << 21, 1 << 20), 1 << 41, None),  # 2 TB that are there
        ((4096, 1 << 10, 1 << 10), 1 << 31, (1, 1 << 10, 1 << 10)),
        ((20, 1 << 10, 1 << 10), 21_000, (1, 1 << 10, 1 << 10)),  # darks that are all zero
        ((4096, 1 << 10, 1 << 10), 0, (1, 1 << 10, 1 << 10)),  # not yet written
    ],
)
def test_honest_claims_pass(shape: tuple[int, ...], stored: int, block: tuple[int, ...] | None) -> None:
    check_claim("here", shape, 1, stored, block=block)


def test_recognising_a_hostile_file_never_raises(home: Path, secret: Path) -> None:
    path = data_exchange(home / "scan.h5", lambda group: raw_storage(group, secret))
    matches = recognise(path)
    assert all(match.score == 0 for _, match in matches)
    assert any(re.search("raw file", match.why) for _, match in matches)


def test_an_isolated_file_that_is_refused_says_why(home: Path, secret: Path) -> None:
    path = data_exchange(home / "scan.h5", lambda group: raw_storage(group, secret))
    with pytest.raises(FormatError, match="raw file"):
        tm.open(path, isolated=True)


def test_an_isolated_file_that_is_good_opens(home: Path) -> None:
    path = data_exchange(home / "scan.h5", lambda group: group.create_dataset("data", data=np.ones(SHAPE)))
    assert tm.open(path, isolated=True).projections.shape == SHAPE


def test_a_file_that_never_ends_is_given_up(home: Path) -> None:
    path = data_exchange(home / "scan.h5", lambda group: group.create_dataset("data", data=np.ones(SHAPE)))
    with pytest.raises(FormatError, match=r"had not ended after 0\.05 s"):
        open_in_subprocess(path, longest_s=0.05)


CRASHING = """
import os, signal, sys, runpy
from pathlib import Path
import tomarium.formats
tomarium.formats.open = lambda *a, **k: os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_file_that_crashes_its_reader_crashes_only_that(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's crash is played by a signal: today's HDF5 may be mended tomorrow."""
    path = data_exchange(home / "scan.h5", lambda group: group.create_dataset("data", data=np.ones(SHAPE)))
    (home / "sitecustomize.py").write_text(CRASHING)
    monkeypatch.setenv("PYTHONPATH", str(home))
    with pytest.raises(FormatError, match=r"crashed the process that tried to read it \(SIGSEGV"):
        tm.open(path, isolated=True)


def test_a_tiff_that_claims_absurdly_large_pages_is_refused(home: Path) -> None:
    import tifffile

    pages = np.zeros((3, 16, 16), np.uint16)
    tifffile.imwrite(home / "scan.tif", pages, photometric="minisblack", compression="zlib", metadata=None)
    with tifffile.TiffFile(home / "scan.tif", mode="r+") as tif:
        for page in tif.pages:
            for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
                page.tags[name].overwrite(60_000)
    with pytest.raises(FormatError, match="page 0 is a decompression bomb"):
        tm.open(home / "scan.tif").projections.read(slice(0, 1), slice(0, 1))


@pytest.mark.parametrize("claim", [{"shape": (1 << 20,) * 3}, {"chunks": (1 << 11,) * 3}])
def test_a_zarr_that_claims_absurdly_much_is_refused(
    home: Path, make_volume: Callable[..., Path], claim: dict[str, tuple[int, ...]]
) -> None:
    import json

    volume = make_volume(home / "v.zarr", size=32)
    header = volume / "0" / "zarr.json"
    told = json.loads(header.read_text())
    if "shape" in claim:
        told["shape"] = claim["shape"]
    else:
        told["chunk_grid"]["configuration"]["chunk_shape"] = claim["chunks"]
        told["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    header.write_text(json.dumps(told))
    with pytest.raises(FormatError, match="which is absurd"):
        tm.open(volume)
