"""A file is sent whole, or cut off: from what the system holds in memory, and from the disk."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tomarium.errors import FormatError
from tomarium.portal import byte_answer
from tomarium.portal.byte_answer import FileAnswer

SIZE = 3 * byte_answer.PIECE + 17


def answered(answer: FileAnswer, *, stays: int = 1 << 30) -> tuple[list[dict[str, Any]], bytes]:
    """Answer a reader who is gone after some messages."""
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) >= stays:
                gone.set()
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        await answer({"type": "http", "method": "GET", "path": "/"}, receive, send)

    asyncio.run(run())
    return sent, b"".join(message.get("body", b"") for message in sent)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "scan.raw"
    path.write_bytes(os.urandom(SIZE))
    return path


def answer_of(file: Path, span: tuple[int, int] | None = None, size: int = SIZE) -> FileAnswer:
    return FileAnswer(file, size, span, {}, "application/octet-stream")


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("span", [None, (0, 1), (byte_answer.PIECE - 1, SIZE), (SIZE - 1, SIZE)])
def test_all_bytes_come_wherever_they_lie(
    file: Path, span: tuple[int, int] | None, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_memory:
        monkeypatch.setattr(byte_answer, "_read_from_memory", lambda *_given: 0)
    sent, body = answered(answer_of(file, span))
    first, stop = span or (0, SIZE)
    assert body == file.read_bytes()[first:stop]
    assert dict(sent[0]["headers"])[b"content-length"] == str(stop - first).encode()
    assert sent[-1] == {"type": "http.response.body", "body": b""}


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="the system cannot tell what it holds in memory")
def test_a_file_system_that_cannot_tell_is_read_in_a_thread(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "preadv", refuse)
    assert answered(answer_of(file))[1] == file.read_bytes()


def test_a_file_that_is_shorter_than_told_is_cut_off(file: Path) -> None:
    """The reader was told the length, so a body that does not end is not taken for the whole."""
    with pytest.raises(FormatError, match="shortened"):
        answered(answer_of(file, size=SIZE + 1))


def test_nothing_is_read_for_a_reader_who_is_gone(file: Path) -> None:
    sent, body = answered(answer_of(file), stays=2)
    assert len(body) < SIZE
    assert sent[-1].get("more_body")
