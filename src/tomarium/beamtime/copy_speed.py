"""How quick a disk is, how long the rest takes, and whether it falls behind the data that arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tomarium import units

USB2_BYTES_S: Final = 45e6
"""Bytes a second that a disk on USB 2 (480 Mbit/s) reaches at most; one on USB 3 writes 100 MB/s and more."""

ENOUGH_BYTES: Final = 256 * 10**6
"""Bytes after which a rate says something of a disk."""

SLOW_FILESYSTEMS: Final = {"exfat": "exFAT", "vfat": "FAT32", "msdos": "FAT", "fuse.fusefat": "FAT"}


@dataclass(frozen=True)
class Speed:
    """What a disk did so far.

    Attributes
    ----------
    written : int
        Bytes written.
    write_s, read_back_s : float
        Seconds that it took to write them, and to read them back.
    """

    written: int = 0
    write_s: float = 0.0
    read_back_s: float = 0.0

    def plus(self, written: int, write_s: float, read_back_s: float) -> Speed:
        """Add what was done since."""
        return Speed(self.written + written, self.write_s + write_s, self.read_back_s + read_back_s)

    @property
    def write_bytes_s(self) -> float | None:
        """Bytes written a second, flushed; None before there are any."""
        return self.written / self.write_s if self.written and self.write_s > 0 else None

    @property
    def bytes_s(self) -> float | None:
        """Bytes a second, written and read back; None before there are any."""
        seconds = self.write_s + self.read_back_s
        return self.written / seconds if self.written and seconds > 0 else None

    def seconds_for(self, bytes_left: int) -> float | None:
        """Seconds that so many bytes more take, read back as well; None where nothing was measured."""
        rate = self.bytes_s
        return None if rate is None else bytes_left / rate


def filesystem_warning(filesystem: str) -> str | None:
    """Tell of a file system that is slow or holds no large files.

    Parameters
    ----------
    filesystem : str
        As the system names it.

    Returns
    -------
    str or None
        What to say.
    """
    name = SLOW_FILESYSTEMS.get(filesystem)
    if name is None:
        return None
    largest = "" if name == "exFAT" else " holds no file above 4 GiB,"
    return (
        f"the disk is formatted as {name}, which{largest} has no journal and at some beamlines writes ten times "
        f"slower; NTFS or ext4 was expected"
    )


def speed_warning(speed: Speed, bytes_left: int) -> str | None:
    """Tell that a disk writes as slowly as one on USB 2.

    Parameters
    ----------
    speed : Speed
        What it did so far.
    bytes_left : int
        Bytes that are still to be written.

    Returns
    -------
    str or None
        What to say; None where it is quick, or before `ENOUGH_BYTES` were written.
    """
    rate = speed.write_bytes_s
    if rate is None or speed.written < ENOUGH_BYTES or rate >= USB2_BYTES_S:
        return None
    seconds = speed.seconds_for(bytes_left) or 0.0
    remaining = (
        f"; the {units.show_bytes(bytes_left)} that are left take {hours(seconds)} with reading back"
        if bytes_left
        else ""
    )
    return (
        f"the disk writes {units.show_bytes(rate)}/s, as on USB 2, where 100 MB/s are usual on USB 3{remaining}; "
        f"try another socket, cable or disk"
    )


def falls_behind(speed: Speed, bytes_left: int, arriving_bytes_s: float | None) -> str | None:
    """Tell by how much a disk is behind the data that arrive.

    Parameters
    ----------
    speed : Speed
        What it did so far.
    bytes_left : int
        Bytes that are there and not copied yet.
    arriving_bytes_s : float or None
        Bytes a second that arrive; None where it is not known.

    Returns
    -------
    str or None
        What to say; None where it keeps up, or where a rate is not known.
    """
    rate, behind = speed.bytes_s, speed.seconds_for(bytes_left)
    if rate is None or behind is None or arriving_bytes_s is None or arriving_bytes_s <= rate:
        return None
    more = hours(3600 * (arriving_bytes_s / rate - 1))
    return (
        f"your disk falls behind by {hours(behind)}: {units.show_bytes(bytes_left)} are not copied yet, "
        f"it takes {units.show_bytes(rate)}/s with reading back, "
        f"and {units.show_bytes(arriving_bytes_s)}/s arrive, which adds {more} every hour"
    )


def hours(seconds: float) -> str:
    """Write a time as a person reads it.

    Parameters
    ----------
    seconds : float
        The time.

    Returns
    -------
    str
        "40 s", "12 min", "3.1 h".
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
