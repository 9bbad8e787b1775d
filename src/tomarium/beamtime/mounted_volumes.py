"""On which volume a path lies, so that a disk is known again wherever it is plugged in."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tomarium.atomic_files import write_json
from tomarium.errors import InputError

MARKER: Final = ".tomarium-disk.json"
"""Written into a destination on a volume that has no UUID of its own; it holds one."""

_NETWORK: Final = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "fuse.sshfs",
    "glusterfs",
}
_OLD_FAT: Final = {"vfat", "msdos", "fat", "fuse.fusefat"}
_MAKES: Final = {"exfat", "ntfs", "ntfs3", "fuseblk"} | _OLD_FAT
_GONE: Final = {errno.EIO, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.ESTALE}
"""Errors of a disk that was pulled out, or of a share whose computer has gone, while it was mounted."""
FAT_LARGEST: Final = 2**32 - 1
"""Bytes of the largest file that FAT32 holds."""


@dataclass(frozen=True)
class System:
    """Where the system tells of its volumes; other places in tests.

    Attributes
    ----------
    mounts : Path
        Table of mounts, as proc(5) describes `mountinfo`.
    by_uuid, by_label : Path
        Folders of links from a UUID or a label to a device.
    """

    mounts: Path = Path("/proc/self/mountinfo")
    by_uuid: Path = Path("/dev/disk/by-uuid")
    by_label: Path = Path("/dev/disk/by-label")


SYSTEM: Final = System()


@dataclass(frozen=True)
class Mount:
    """A line of the table of mounts.

    Attributes
    ----------
    point : Path
        Where it is mounted.
    root : str
        Folder of the volume that is seen there, "/" as a rule.
    filesystem : str
        "ext4", "exfat", "nfs4" …
    device : str
        "/dev/sdb1", "srv3:/spool11".
    """

    point: Path
    root: str
    filesystem: str
    device: str


@dataclass(frozen=True)
class Volume:
    """A volume, and where a path lies in it.

    Attributes
    ----------
    id : str
        "uuid:1234-ABCD" of the volume itself, "marker:…" of a file that was put on it, "network:srv3:/spool11",
        or "machine:NAME:/mount" where none of these is there.
    kind : str
        "disk", "network" or "machine".
    label : str
        The volume's label; the last part of its place where it has none.
    filesystem : str
        Name of the file system; "" where the system does not tell.
    inside : str
        Path from the volume's top, without a leading slash.
    top : Path
        Where the volume's top is on this machine now.
    """

    id: str
    kind: str
    label: str
    filesystem: str
    inside: str
    top: Path

    @property
    def largest_file(self) -> int | None:
        """Bytes of the largest file that the volume holds; None where there is no limit to speak of."""
        return FAT_LARGEST if self.filesystem in _OLD_FAT else None

    @property
    def coarse_times(self) -> bool:
        """Whether the volume may keep times to two seconds only."""
        return self.filesystem in _MAKES


def mounts(system: System = SYSTEM) -> list[Mount]:
    """List what is mounted, in the order in which it was.

    Parameters
    ----------
    system : System
        Where to look.

    Returns
    -------
    list of Mount
        Empty where the system does not tell.
    """
    if not system.mounts.is_file():
        return []
    mounted = []
    for line in system.mounts.read_text(errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        fields, ends = left.split(" "), right.split(" ")
        if len(fields) >= 5 and len(ends) >= 2:
            mounted.append(
                Mount(Path(_unescaped(fields[4])), _unescaped(fields[3]), ends[0], _unescaped(ends[1]))
            )
    return mounted


def volume_of(path: Path, system: System = SYSTEM, *, mark: bool = False) -> Volume:
    """Tell the volume on which a path lies.

    Parameters
    ----------
    path : Path
        It need not exist yet.
    system : System
        Where the system tells of its volumes.
    mark : bool
        Whether the folder `path`, which is there, may be given a marker where the volume has no UUID.

    Returns
    -------
    Volume
        With the path in it.

    Raises
    ------
    InputError
        A marker is there and cannot be read.
    OSError
        The marker cannot be written.
    """
    place = Path(os.path.realpath(path))
    mount = _mount_of(place, mounts(system))
    inside = _inside(place, mount)
    if filesystem_uuid := _named(system.by_uuid, mount.device):
        label = _named(system.by_label, mount.device) or mount.point.name or filesystem_uuid
        # By FUSE NTFS and exFAT have one name; a UUID of eight digits is exFAT's.
        exfat = mount.filesystem == "fuseblk" and re.fullmatch(r"[0-9A-F]{4}-[0-9A-F]{4}", filesystem_uuid)
        filesystem = "exfat" if exfat else mount.filesystem
        return Volume(f"uuid:{filesystem_uuid}", "disk", label, filesystem, inside, _top_of(mount))
    if marked := _find_marker(place, mount.point):
        top, id, label = marked
        return Volume(f"marker:{id}", "disk", label, mount.filesystem, _text(place.relative_to(top)), top)
    if mount.filesystem in _NETWORK:
        name = f"network:{mount.device}"
        return Volume(name, "network", mount.device, mount.filesystem, inside, _top_of(mount))
    if mark and place.is_dir():
        id = str(uuid.uuid4())
        write_json(
            place / MARKER, {"id": id, "label": place.name, "of": "a volume without a UUID of its own"}
        )
        return Volume(f"marker:{id}", "disk", place.name, mount.filesystem, "", place)
    name = socket.gethostname()
    return Volume(f"machine:{name}:{mount.point}", "machine", name, mount.filesystem, inside, _top_of(mount))


def device_of(path: Path, system: System = SYSTEM) -> str:
    """Tell the device on which a path lies, so that two folders on one disk are known.

    Parameters
    ----------
    path : Path
        It need not exist yet.
    system : System
        Where the system tells of its volumes.

    Returns
    -------
    str
        "/dev/sdb1", "srv3:/spool11", or the mount point where several are of no device.
    """
    mount = _mount_of(Path(os.path.realpath(path)), mounts(system))
    return mount.device if "/" in mount.device else f"{mount.device} {mount.point}"


def find_volume(id: str, last_top: str, system: System = SYSTEM) -> Path | None:
    """Find a volume that was seen before.

    Parameters
    ----------
    id : str
        As `Volume.id`.
    last_top : str
        Where its top was then.
    system : System
        Where the system tells of its volumes.

    Returns
    -------
    Path or None
        Where its top is now; None where it is not there.
    """
    kind, _, name = id.partition(":")
    table = mounts(system)
    last = Path(last_top)
    if kind == "uuid":
        tops = [_top_of(mount) for mount in table if _named(system.by_uuid, mount.device) == name]
    elif kind == "network":
        tops = [_top_of(mount) for mount in table if mount.device == name and mount.filesystem in _NETWORK]
    elif kind == "marker":
        under = [
            mount.point / Path(*last.parts[-deep:])
            for mount in table
            for deep in (1, 2)
            if len(last.parts) > deep
        ]
        tops = [last, *(mount.point for mount in table if mount.device.startswith("/dev/")), *under]
        return next((top for top in tops if _has_marker(top, name)), None)
    else:
        return last if id == f"machine:{socket.gethostname()}:{_mount_of(last, table).point}" else None
    return next((top for top in tops if _answers(top)), None)


def _unescaped(text: str) -> str:
    r"""Undo the octal escapes of the table of mounts: "\040" is a space."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _mount_of(place: Path, table: list[Mount]) -> Mount:
    best = Mount(Path(place.anchor or "/"), "/", "", "")
    for mount in table:  # the last of those with the same place is the one that is seen
        if (mount.point == place or mount.point in place.parents) and len(mount.point.parts) >= len(
            best.point.parts
        ):
            best = mount
    return best


def _inside(place: Path, mount: Mount) -> str:
    return _text(Path(mount.root) / place.relative_to(mount.point))


def _text(path: Path) -> str:
    """Write a path in a volume; its top is empty."""
    return "" if path == Path() else path.as_posix().strip("/")


def _top_of(mount: Mount) -> Path:
    """Where a volume's top would be; of a folder of it that is mounted alone, a path that leads there by its root."""
    depth = len([part for part in Path(mount.root).parts if part != "/"])
    return mount.point.joinpath(*[".."] * depth) if depth else mount.point


def _named(links: Path, device: str) -> str:
    """Find the link to a device, and tell its name."""
    if not device.startswith("/dev/") or not links.is_dir():
        return ""
    real = os.path.realpath(device)
    path = next((link for link in links.iterdir() if os.path.realpath(link) == real), None)
    name = path.name if path else ""
    return re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), name)


def _find_marker(place: Path, point: Path) -> tuple[Path, str, str] | None:
    """Look for a marker from a place up to where its volume begins."""
    for top in (place, *place.parents):
        id, label = _read_marker(top)
        if id:
            return top, id, label
        if top == point:
            return None
    return None


def _answers(top: Path) -> bool:
    """Tell whether a volume in the table of mounts can be read: one unplugged without a word stays in that table."""
    try:
        top.stat()
    except OSError as problem:
        return problem.errno not in _GONE
    return True


def _has_marker(folder: Path, id: str) -> bool:
    """Tell whether a folder holds the marker of a volume; what cannot be read there is of another one."""
    try:
        return _read_marker(folder)[0] == id
    except (OSError, InputError):
        return False


def _read_marker(folder: Path) -> tuple[str, str]:
    path = folder / MARKER
    if not path.is_file():
        return "", ""
    try:
        marker = json.loads(path.read_text("utf-8"))
        return str(marker["id"]), str(marker["label"])
    except (ValueError, KeyError, TypeError) as problem:
        raise InputError(
            f"{path}: is not the marker of a disk ({problem!r}); the ledger names its id: put that there, or remove it"
        ) from problem
