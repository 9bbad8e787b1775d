"""Scans are copied to disks, each known by its volume, and the ledger tells the truth of them."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tomarium.beamtime import copy_scans as module
from tomarium.beamtime.copies_known import places_known, scans_known, verify_copy
from tomarium.beamtime.copy_file import draft_of
from tomarium.beamtime.copy_ledger import CopyLedger, open_ledger
from tomarium.beamtime.copy_scans import Disk, ScanCopied, copy_scans, demand_room, list_all, open_disk
from tomarium.beamtime.copy_speed import Speed, falls_behind, filesystem_warning, speed_warning
from tomarium.beamtime.copy_watch import Arrivals, arriving_bytes_s, listings_in
from tomarium.beamtime.mounted_volumes import FAT_LARGEST, System, Volume, find_volume, volume_of
from tomarium.errors import CannotFit, InputError, Interrupted, StorageFull


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    folder = tmp_path / "spool" / "tooth_01"
    (folder / "edf" / "empty").mkdir(parents=True)
    (folder / "scan.nxs").write_bytes(b"raw" * 1000)
    (folder / "edf" / "0001.edf").write_bytes(b"one")
    os.link(folder / "edf" / "0001.edf", folder / "same.edf")
    (folder / "latest").symlink_to("edf/0001.edf")
    (folder / "away").symlink_to("/etc/hostname")
    os.utime(folder / "edf", ns=(10**18, 10**18))
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    made = tmp_path / "disk1"
    made.mkdir()
    return made


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[CopyLedger]:
    with open_ledger(tmp_path / "copies.sqlite") as opened:
        yield opened


def copied(ledger: CopyLedger, disk: Path, *scans: Path) -> list[ScanCopied]:
    with open_disk(disk) as ready:
        return copy_scans(list_all(scans, disk), ready, ledger)[0]


def test_a_scan_is_copied_with_its_times_and_links(scan: Path, disk: Path, ledger: CopyLedger) -> None:
    (done,) = copied(ledger, disk, scan)
    assert (done.state, done.files, done.written, done.problems) == ("whole", 3, 3003, ())
    assert done.remarks == (
        "away: a symbolic link to /etc/hostname, outside of the scan, which is not copied",
    )
    copy = disk / "tooth_01"
    assert (copy / "edf" / "empty").is_dir()
    assert (copy / "same.edf").samefile(copy / "edf" / "0001.edf")
    assert str((copy / "latest").readlink()) == "edf/0001.edf"
    assert (copy / "edf").stat().st_mtime_ns == 10**18
    checked = subprocess.run(
        ["sha256sum", "-c", "tomarium-sha256/tooth_01.sha256"],
        cwd=disk,
        capture_output=True,
        text=True,
        check=True,
    )
    assert checked.stdout.count(": OK") == 3


def test_the_second_time_nothing_is_read_or_written(
    scan: Path, disk: Path, ledger: CopyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(ledger, disk, scan)
    monkeypatch.setattr(module, "copy_file", None)
    (again,) = copied(ledger, disk, scan)
    assert (again.state, again.files, again.written) == ("whole", 3, 0)


def test_a_different_file_is_named_and_left(scan: Path, disk: Path, ledger: CopyLedger) -> None:
    (disk / "tooth_01").mkdir()
    (disk / "tooth_01" / "scan.nxs").write_bytes(b"mine")
    (done,) = copied(ledger, disk, scan)
    assert (done.state, done.files) == ("copying", 2)
    assert "scan.nxs: a file of 4 bytes has this name, not of 3000; it was left" in done.problems[0]
    assert (disk / "tooth_01" / "scan.nxs").read_bytes() == b"mine"
    (known,) = scans_known(ledger)
    assert known.places == 0
    (disk / "tooth_01" / "scan.nxs").unlink()
    assert copied(ledger, disk, scan)[0].state == "whole"
    assert scans_known(ledger)[0].places == 1, "source and copy lie on one disk"


def test_a_file_where_a_folder_must_be_stops_that_scan_only(
    scan: Path, disk: Path, ledger: CopyLedger
) -> None:
    (disk / "tooth_01").write_text("a note")
    other = scan.parent / "tooth_02"
    other.write_bytes(b"2")
    first, second = copied(ledger, disk, scan, other)
    assert "is there and no folder" in first.problems[0]
    assert (second.state, (disk / "tooth_02").read_bytes()) == ("whole", b"2")


def test_a_scan_that_changed_is_told_apart_from_its_older_copy(
    scan: Path, disk: Path, ledger: CopyLedger
) -> None:
    copied(ledger, disk, scan)
    (scan / "volume.vol").write_bytes(b"reconstructed")
    second = disk.with_name("disk2")
    second.mkdir()
    copied(ledger, second, scan)
    newer, older = sorted(scans_known(ledger), key=lambda one: -one.bytes)
    assert (newer.places, older.places) == (1, 1)
    assert copied(ledger, disk, scan)[0].written == len(b"reconstructed")
    assert [(one.places, len(one.copies)) for one in scans_known(ledger)] == [(1, 3)]


def test_a_full_disk_and_an_unplugged_one(
    scan: Path, disk: Path, ledger: CopyLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.copy_file

    def fails(number: int) -> None:
        def copy(source: Path, target: Path, on_bytes: object) -> object:
            if source.name == "scan.nxs":
                raise OSError(number, os.strerror(number), str(target))
            return real(source, target)

        monkeypatch.setattr(module, "copy_file", copy)

    fails(errno.ENOSPC)
    with pytest.raises(StorageFull, match="is full"):
        copied(ledger, disk, scan)
    fails(errno.EIO)
    with pytest.raises(Interrupted, match="plug the disk in again"):
        copied(ledger, disk, scan)
    assert scans_known(ledger)[0].places == 0
    monkeypatch.setattr(module, "copy_file", real)
    (done,) = copied(ledger, disk, scan)
    assert (done.state, done.written) == ("whole", 3000), "the first file was in the ledger already"


def test_an_empty_folder_in_place_of_the_disk_takes_nothing(
    scan: Path, disk: Path, ledger: CopyLedger
) -> None:
    with open_disk(disk) as ready:
        work = module._DiskCopy(ready.target, -1, ready.volume, ledger, lambda done, total: None)
        with pytest.raises(Interrupted, match="unplugged"), module._disk_errors(work):
            module._copy_scan(list_all([scan], disk)[0], work, System())
    assert not (disk / "tooth_01").exists()


def test_room_is_looked_at_before(scan: Path, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listings = list_all([scan], disk)
    told = SimpleNamespace(f_frsize=4096, f_bavail=1)
    monkeypatch.setattr(module.os, "statvfs", lambda path: told)
    ready = Disk(disk, Volume("uuid:1", "disk", "d", "ext4", "", disk))
    with pytest.raises(CannotFit, match=r"has 4\.096 kB free, the copy needs 8\.192 kB"):
        demand_room(listings, ready)
    draft = draft_of(disk / "tooth_01" / "scan.nxs")
    draft.parent.mkdir()
    draft.write_bytes(b"raw" * 1000)
    (disk / "tooth_01" / "same.edf").write_bytes(b"one")
    assert demand_room(listings, ready) == 0


def test_fat32_takes_no_file_above_4_gib(tmp_path: Path, disk: Path) -> None:
    large = tmp_path / "large.h5"
    with large.open("wb") as file:
        file.truncate(FAT_LARGEST + 1)
    ready = Disk(disk, Volume("uuid:1", "disk", "d", "vfat", "", disk))
    with pytest.raises(CannotFit, match=r"at most 4 GiB; format the disk"):
        demand_room(list_all([large], disk), ready)
    with large.open("r+b") as file:
        file.truncate(FAT_LARGEST)
    assert demand_room(list_all([large], disk), ready) == FAT_LARGEST


def test_one_copy_at_a_time_and_no_copy_into_itself(scan: Path, disk: Path) -> None:
    with open_disk(disk), pytest.raises(InputError, match="under way"), open_disk(disk):
        pass
    with pytest.raises(InputError, match=r"in .*spool itself"):
        list_all([scan.parent], scan)
    with pytest.raises(InputError, match="itself"):
        list_all([scan], scan.parent)
    other = disk / "tooth_01"
    other.mkdir()
    with pytest.raises(InputError, match="have one name"):
        list_all([scan, other], disk.parent / "elsewhere")


def test_verifying_finds_what_was_changed_and_lost(scan: Path, disk: Path, ledger: CopyLedger) -> None:
    copied(ledger, disk, scan)
    copy = next(one for one in ledger.copies() if one.role == "copy")
    top = find_volume(copy.place, str(disk))
    assert top == disk
    assert verify_copy(ledger, copy, top) == []
    kept = (disk / "tooth_01" / "scan.nxs").stat()
    (disk / "tooth_01" / "scan.nxs").write_bytes(b"RAW" * 1000)
    os.utime(disk / "tooth_01" / "scan.nxs", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    (disk / "tooth_01" / "edf" / "0001.edf").unlink()
    wrong = verify_copy(ledger, copy, top)
    assert [text.rpartition(": ")[2] for text in wrong] == [
        "is missing",
        "has other content than what was copied",
    ]
    assert scans_known(ledger)[0].copies[-1].state == "damaged"
    (again,) = copied(ledger, disk, scan)
    assert again.state == "copying", "the damaged file is found again although its size and time are right"
    assert "other content" in again.problems[0]


MOUNTS = """\
22 1 8:1 / / rw shared:1 - ext4 {root} rw
40 22 8:17 / {disk} rw shared:2 - fuseblk {device} rw
41 22 0:50 / {spool} rw - nfs4 srv3:/spool11 rw
"""


def test_a_disk_is_known_by_its_uuid_wherever_it_is(tmp_path: Path) -> None:
    where = {name: tmp_path / name for name in ("disk", "spool", "by-uuid", "by-label", "My\\x20disk")}
    first, second = tmp_path / "media" / "my disk", tmp_path / "mnt"
    for folder in (first, second, where["spool"], where["by-uuid"], where["by-label"]):
        folder.mkdir(parents=True)
    (where["by-uuid"] / "1234-ABCD").symlink_to("/dev/null")
    (where["by-label"] / "My\\x20disk").symlink_to("/dev/null")
    system = System(tmp_path / "mountinfo", where["by-uuid"], where["by-label"])

    def mounted(disk: Path) -> None:
        text = MOUNTS.format(
            root="/dev/zero", disk=str(disk).replace(" ", "\\040"), device="/dev/null", spool=where["spool"]
        )
        system.mounts.write_text(text)

    mounted(first)
    found = volume_of(first / "2026" / "tooth", system)
    assert (found.id, found.label, found.inside, found.filesystem) == (
        "uuid:1234-ABCD", "My disk", "2026/tooth", "exfat",
    )  # fmt: skip
    mounted(second)
    assert volume_of(second / "2026" / "tooth", system).inside == "2026/tooth"
    assert find_volume(found.id, str(first), system) == second
    system.mounts.write_text("")
    assert find_volume(found.id, str(first), system) is None
    mounted(first)
    spool = volume_of(where["spool"] / "scan.nxs", system)
    assert (spool.id, spool.kind, spool.inside) == ("network:srv3:/spool11", "network", "scan.nxs")
    assert find_volume(spool.id, "", system) == where["spool"]


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOTCONN])
def test_a_disk_that_was_pulled_out_while_mounted_is_away(
    scan: Path, disk: Path, ledger: CopyLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    copied(ledger, disk, scan)
    marked = next(copy.place for copy in ledger.copies() if copy.role == "copy")
    pulled = tmp_path / "pulled"
    pulled.mkdir()
    table = Path("/proc/self/mountinfo").read_text()
    mounted = f"900 22 8:17 / {pulled} rw - exfat /dev/sdz1 rw\n901 22 0:9 / {pulled} rw - nfs4 srv3:/a rw\n"
    (tmp_path / "mountinfo").write_text(mounted + table)
    system = System(tmp_path / "mountinfo")
    assert find_volume("network:srv3:/a", "", system) == pulled
    stat = os.stat

    def fail_there(path: Any, *given: Any, **named: Any) -> os.stat_result:
        if isinstance(path, str | os.PathLike) and str(path).startswith(str(pulled)):
            raise OSError(error, os.strerror(error), str(path))
        return stat(path, *given, **named)

    monkeypatch.setattr(os, "stat", fail_there)
    assert find_volume("network:srv3:/a", "", system) is None
    assert find_volume(marked, str(disk), system) == disk, "it does not stand in the way of another disk"
    assert find_volume(marked, str(pulled), system) is None
    (state,) = scans_known(ledger, system)
    assert state.places == 1


def test_copies_on_two_disks_count_twice(scan: Path, disk: Path, ledger: CopyLedger, tmp_path: Path) -> None:
    copied(ledger, disk, scan)
    (one_disk,) = scans_known(ledger)
    text = (
        Path("/proc/self/mountinfo").read_text()
        + f"900 22 8:17 / {os.path.realpath(disk)} rw - ext4 /dev/sdz1 rw\n"
    )
    (tmp_path / "mountinfo").write_text(text)
    (two_disks,) = scans_known(ledger, System(tmp_path / "mountinfo"))
    assert (one_disk.places, two_disks.places) == (1, 2)


def test_places_are_remembered_when_they_are_away(scan: Path, disk: Path, ledger: CopyLedger) -> None:
    copied(ledger, disk, scan)
    disk.rename(disk.with_name("away"))
    (away,) = [one for one in places_known(ledger) if one.place.kind == "disk"]
    assert (away.top, away.scans, away.bytes) == (None, 1, 3006)
    assert ledger.place("disk1").id == away.place.id
    (known,) = scans_known(ledger)
    assert (known.places, known.copies[-1].path) == (2, None)
    ledger.forget(away.place.id)
    assert scans_known(ledger)[0].places == 1
    with pytest.raises(InputError, match="no place is called 'disk1'"):
        ledger.place("disk1")


def test_a_slow_disk_and_hours_behind() -> None:
    slow = Speed(30 * 10**9, 1000, 500)  # 30 MB/s, 20 MB/s with reading back
    told = speed_warning(slow, 72 * 10**9)
    assert told is not None
    assert "writes 30 MB/s, as on USB 2" in told
    assert "the 72 GB that are left take 60 min" in told
    behind = falls_behind(slow, 216 * 10**9, 30e6)
    assert behind is not None
    assert behind.startswith("your disk falls behind by 3.0 h: 216 GB are not copied yet")
    assert "30 MB/s arrive, which adds 30 min every hour" in behind
    assert falls_behind(slow, 216 * 10**9, 19e6) is None
    assert speed_warning(Speed(30 * 10**9, 300, 100), 10**12) is None, "100 MB/s"
    assert speed_warning(Speed(10**6, 1, 1), 10**12) is None, "too little to tell"
    assert filesystem_warning("ext4") is None
    assert "no file above 4 GiB" in str(filesystem_warning("vfat"))


def test_a_scan_is_taken_when_it_stands_still(scan: Path) -> None:
    arrivals = Arrivals([scan.parent], still_s=30)
    assert [len(one) for one in arrivals.look(0)] == [0, 1]
    (scan / "scan.nxs").write_bytes(b"raw" * 2000)
    assert [len(one) for one in arrivals.look(29)] == [0, 1]
    assert [len(one) for one in arrivals.look(58)] == [0, 1]
    ready, growing = arrivals.look(59)
    assert ([one.source.name for one in ready], growing) == (["tooth_01"], [])
    arrivals.taken(ready[0])
    assert arrivals.look(60) == ([], [])
    (scan / "volume.vol").write_bytes(b"later")
    assert [len(one) for one in arrivals.look(61)] == [0, 1]
    assert [len(one) for one in arrivals.look(91)] == [1, 0]


def test_the_rate_of_arriving_data(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / f"scan{number}"
        path.write_bytes(bytes(1000))
        os.utime(path, (0, 10_000 - 7200 if number == 0 else 10_000 - 100 * number))
    assert arriving_bytes_s(listings_in([tmp_path]), 10_000) == pytest.approx(3000 / 300)
    assert arriving_bytes_s(listings_in([tmp_path]), 90_000) is None
