"""A small writer of OLE2 compound files, after [MS-CFB], to make files that no Zeiss instrument is needed for."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

END, FREE, FAT, NONE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFF
SECTOR, MINI, CUTOFF = 512, 64, 4096


@dataclass
class _Entry:
    name: str
    kind: int  # 1 storage, 2 stream, 5 root
    content: bytes = b""
    children: dict[str, _Entry] = field(default_factory=dict)
    number: int = 0
    start: int = END


def _tree(streams: Mapping[str, bytes]) -> tuple[_Entry, list[_Entry]]:
    root = _Entry("Root Entry", 5)
    entries = [root]
    for path, content in streams.items():
        *folders, name = path.split("/")
        here = root
        for folder in folders:
            if folder not in here.children:
                here.children[folder] = _Entry(folder, 1, number=len(entries))
                entries.append(here.children[folder])
            here = here.children[folder]
        here.children[name] = _Entry(name, 2, content, number=len(entries))
        entries.append(here.children[name])
    return root, entries


def _chain(table: list[int], first: int, count: int, scatter: bool) -> list[int]:
    """Enter a chain of sectors into a table, backwards where it shall not lie in one piece."""
    order = list(range(first, first + count))
    order = order[::-1] if scatter else order
    for here, following in zip(order, [*order[1:], END], strict=True):
        table[here] = following
    return order


def ole2(streams: Mapping[str, bytes], scatter: tuple[str, ...] = ()) -> bytes:
    """Make a compound file of streams, named with "/"; those of `scatter` lie in sectors out of order."""
    root, entries = _tree(streams)
    mini = bytearray()
    mini_table: list[int] = []
    for entry in entries:
        if entry.kind == 2 and 0 < len(entry.content) < CUTOFF:
            count = -(-len(entry.content) // MINI)
            entry.start = len(mini_table)
            mini_table += [0] * count
            _chain(mini_table, entry.start, count, False)
            mini += entry.content.ljust(count * MINI, b"\0")
    root.content = bytes(mini)
    names = {id(entry): path for path in streams for entry in entries if _path(root, entry) == path}
    mini_bytes = struct.pack(f"<{len(mini_table)}I", *mini_table)
    directory_sectors = -(-len(entries) * 128 // SECTOR)
    mini_sectors = -(-len(mini_bytes) // SECTOR)
    big = [entry for entry in entries if entry.content and (entry.kind == 5 or len(entry.content) >= CUTOFF)]
    used = directory_sectors + mini_sectors + sum(-(-len(entry.content) // SECTOR) for entry in big)
    fat_sectors = 1
    while fat_sectors * (SECTOR // 4) < used + fat_sectors:
        fat_sectors += 1
    table = [FREE] * (fat_sectors * SECTOR // 4)
    table[:fat_sectors] = [FAT] * fat_sectors
    body = bytearray(SECTOR * (used + fat_sectors))
    place = fat_sectors
    first_directory = place
    _chain(table, place, directory_sectors, False)
    place += directory_sectors
    first_mini = place if mini_sectors else END
    _chain(table, place, mini_sectors, False)
    body[place * SECTOR : place * SECTOR + len(mini_bytes)] = mini_bytes
    body[place * SECTOR + len(mini_bytes) : (place + mini_sectors) * SECTOR] = b"\xff" * (
        mini_sectors * SECTOR - len(mini_bytes)
    )
    place += mini_sectors
    for entry in big:
        count = -(-len(entry.content) // SECTOR)
        order = _chain(table, place, count, names.get(id(entry)) in scatter)
        entry.start = order[0]
        for number, sector in enumerate(order):
            piece = entry.content[number * SECTOR : (number + 1) * SECTOR]
            body[sector * SECTOR : sector * SECTOR + len(piece)] = piece
        place += count
    body[: fat_sectors * SECTOR] = struct.pack(f"<{len(table)}I", *table)
    for entry in entries:
        start = first_directory * SECTOR + 128 * entry.number
        body[start : start + 128] = _directory(entry, entries)
    end = first_directory * SECTOR + 128 * len(entries)
    for start in range(end, (first_directory + directory_sectors) * SECTOR, 128):
        struct.pack_into("<3I", body, start + 68, NONE, NONE, NONE)
    head = bytearray(SECTOR)
    head[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<5H", head, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into(
        "<9I", head, 40, 0, fat_sectors, first_directory, 0, CUTOFF, first_mini, mini_sectors, END, 0
    )
    places = list(range(fat_sectors)) + [FREE] * (109 - fat_sectors)
    struct.pack_into("<109I", head, 76, *places)
    return bytes(head + body)


def _path(here: _Entry, wanted: _Entry, prefix: str = "") -> str | None:
    for name, child in here.children.items():
        if child is wanted:
            return prefix + name
        if (found := _path(child, wanted, f"{prefix}{name}/")) is not None:
            return found
    return None


def _directory(entry: _Entry, entries: list[_Entry]) -> bytes:
    """Write one entry; siblings hang on one another's right side in the order of [MS-CFB] 2.6.4."""

    def order(one: _Entry) -> tuple[int, str]:
        return len(one.name), one.name.upper()

    right = NONE
    for parent in entries:
        family = sorted(parent.children.values(), key=order)
        if entry in family and (place := family.index(entry)) + 1 < len(family):
            right = family[place + 1].number
    children = sorted(entry.children.values(), key=order)
    name = entry.name.encode("utf-16-le")
    packed = bytearray(128)
    packed[: len(name)] = name
    struct.pack_into("<H2B3I", packed, 64, len(name) + 2, entry.kind, 1, NONE, right, NONE)
    if children:
        struct.pack_into("<I", packed, 76, children[0].number)
    struct.pack_into("<IQ", packed, 116, entry.start, len(entry.content) if entry.kind != 1 else 0)
    return bytes(packed)
