"""Inputs that are nearly right: bytes of a good one changed, cut, doubled and mixed with those of others."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
WORDS = (
    b"0", b"-1", b"1e999", b"nan", b"99999999999999999999", b"\x00", b"\xff\xfe", "\u2028\U0001f9b7".encode(),
    b"../", b"<script>", b"javascript:", b"[" * 200, b"{" * 200, b"(" * 200, b"%00", b"&amp;", b"'", b'"', b"\\",
    b"---\n", b"&a *a", b"!!python/object:os.system", b"- ", b": ", b"\n", b"*" * 300, b"`" * 300, b"\t", b" 1 um",
)  # fmt: skip


def mutated(seed: bytes, others: Sequence[bytes], random: Random, longest: int) -> bytes:
    """Change a good input in one to five ways."""
    data = bytearray(seed)
    for _ in range(random.randint(1, 5)):
        random.choice(WAYS)(data, others, random)
    return bytes(data[:longest])


def mutated_alone(seed: bytes, random: Random, longest: int) -> bytes:
    """Change a good input without parts of others, whose checksums would be right; its first byte stays."""
    return seed[:1] + mutated(seed[1:], [seed[1:]], random, longest - 1)


def _place(data: bytearray, random: Random) -> int:
    # Headers stand at the beginning, where more of the changes are made.
    most = min(len(data), random.choice((64, 512, len(data) or 1)))
    return random.randrange(most) if most else 0


def _flip(data: bytearray, _others: Sequence[bytes], random: Random) -> None:
    if data:
        data[_place(data, random)] ^= 1 << random.randrange(8)


def _byte(data: bytearray, _others: Sequence[bytes], random: Random) -> None:
    if data:
        data[_place(data, random)] = random.randrange(256)


def _number(data: bytearray, _others: Sequence[bytes], random: Random) -> None:
    size = random.choice((1, 2, 4, 8))
    value = random.choice(NUMBERS) & ((1 << 8 * size) - 1)
    place = _place(data, random)
    data[place : place + size] = value.to_bytes(size, random.choice(("little", "big")))


def _word(data: bytearray, _others: Sequence[bytes], random: Random) -> None:
    place = _place(data, random)
    data[place : place + random.choice((0, 0, 1, 4))] = random.choice(WORDS)


def _cut(data: bytearray, _others: Sequence[bytes], random: Random) -> None:
    del data[_place(data, random) :]


def _remove(data: bytearray, _others: Sequence[bytes], random: Random) -> None:
    place = _place(data, random)
    del data[place : place + random.randint(1, 16)]


def _double(data: bytearray, _others: Sequence[bytes], random: Random) -> None:
    place = _place(data, random)
    part = data[place : place + random.randint(1, 64)]
    data[place:place] = part * random.choice((1, 2, 20))


def _mix(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    other = random.choice(others)
    start = random.randrange(len(other)) if other else 0
    place = _place(data, random)
    part = other[start : start + random.randint(1, 128)]
    data[place : place + random.choice((0, len(part)))] = part


WAYS = (_flip, _flip, _byte, _byte, _number, _word, _cut, _remove, _double, _mix)
