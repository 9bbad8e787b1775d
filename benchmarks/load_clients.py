"""Clients of a portal under load, all in one event loop: readers, uploads, a reconstruction, and slow ones."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Any
from urllib.parse import urlencode

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = 1 << 18
PATIENCE_S = 60.0
"""Seconds that a reader waits for an answer."""


@dataclass(frozen=True)
class Answer:
    """What a server told."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass
class Told:
    """How long answers took, by door, and what went wrong."""

    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    bytes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Door:
    """What a reader asks for: a name, how often among all, an address by number, and what is wrong with an answer."""

    name: str
    weight: int
    address: Callable[[int], tuple[str, dict[str, str]]]
    wrong: Callable[[int, Answer], str]


class Client:
    """One connection that is kept, as browsers do."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Ask; once more on a new connection where the server has closed the old one meanwhile, as browsers do."""
        kept = self._streams is not None
        try:
            return await asyncio.wait_for(self._ask(method, path, headers or {}, body), PATIENCE_S)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            if not kept:
                raise
            return await asyncio.wait_for(self._ask(method, path, headers or {}, body), PATIENCE_S)
        except BaseException:
            self.close()
            raise

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        reader, writer = self._streams
        told = {"Host": "localhost", **headers} | (
            {"Content-Length": str(len(body))} if method != "GET" else {}
        )
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        size = int(found.get("content-length", "0"))
        content = b"" if method == "HEAD" else await reader.readexactly(size)
        if found.get("connection", "") == "close":
            self.close()
        return Answer(int(head[0].split()[1]), found, content)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def reader(port: int, number: int, doors: list[Door], end: float, pause_s: float, told: Told) -> None:
    """Ask for one thing after another until the time is over, with a pause between as people make it."""
    draw, client = random.Random(number), Client(port)
    await asyncio.sleep(draw.random() * pause_s)
    weights = [door.weight for door in doors]
    while monotonic() < end:
        door, which = draw.choices(doors, weights)[0], draw.randrange(1 << 30)
        path, headers = door.address(which)
        start = perf_counter()
        try:
            answer = await client.ask("GET", path, headers)
            wrong = door.wrong(which, answer)
        except (OSError, EOFError, TimeoutError, ValueError) as problem:
            wrong = f"{type(problem).__name__} {problem}"
        else:
            told.seconds[door.name].append(perf_counter() - start)
            told.bytes[door.name] += len(answer.content)
        if wrong:
            told.errors[f"{door.name}: {wrong}"] += 1
        await asyncio.sleep(draw.uniform(0.5, 1.5) * pause_s)
    client.close()


async def uploader(
    port: int, number: int, content: bytes, end: float, pause_s: float, told: Told
) -> list[int]:
    """Send a file piece by piece, hand it in, and begin again until the time is over; the numbers of the jobs."""
    client, jobs = Client(port), []
    while monotonic() < end:
        try:
            jobs.append(await _upload(client, f"Sent {number}, {len(jobs)}", content, pause_s, told))
        except (OSError, EOFError, TimeoutError, ValueError, KeyError) as problem:
            told.errors[f"upload: {type(problem).__name__} {problem}"] += 1
    client.close()
    return jobs


async def _upload(client: Client, title: str, content: bytes, pause_s: float, told: Told) -> int:
    async def ask(
        door: str, status: int, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> Answer:
        start = perf_counter()
        answer = await client.ask(method, path, headers, body)
        told.seconds[door].append(perf_counter() - start)
        if answer.status != status:
            raise ValueError(f"{method} {path}: {answer.status} {answer.content[:200]!r}")
        return answer

    batch = json.loads(
        (
            await ask("begin an upload", 201, "POST", f"/uploads/batches?{urlencode({'title': title})}", {})
        ).content
    )["batch"]
    said = {"filename": "volume.tif", "batch": batch, "sha256": hashlib.sha256(content).hexdigest()}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    head = {**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    place = (await ask("begin an upload", 201, "POST", "/uploads", head)).headers["location"]
    for at in range(0, len(content), PIECE):
        head = {**TUS, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
        await ask("piece of an upload", 204, "PATCH", place, head, content[at : at + PIECE])
        told.bytes["piece of an upload"] += min(PIECE, len(content) - at)
        await asyncio.sleep(pause_s)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    done = await ask("hand in an upload", 202, "POST", f"/uploads/batches/{batch}/done", form)
    return int(json.loads(done.content)["job"])


async def reconstruct(port: int, scan: str, told: Told) -> dict[str, Any]:
    """Ask for a slice of a scan as the page does, then for its volume, and follow both to their end."""
    client, begin = Client(port), perf_counter()
    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

    async def asked(path: str, fields: dict[str, str]) -> dict[str, Any]:
        answer = await client.ask("POST", path, form, urlencode(fields).encode())
        if answer.status != 202:
            raise ValueError(f"{path}: {answer.status} {answer.content[:200]!r}")
        return dict(json.loads(answer.content))

    async def state_of(path: str) -> str:
        answer = await client.ask("GET", path, {"Accept": "application/json"})
        content = json.loads(answer.content)
        return str(content.get("state") or content["progress"]["state"])

    async def followed(path: str) -> str:
        while (state := await state_of(path)) in ("waiting", "running"):
            await asyncio.sleep(1)
        return state

    try:
        look = await asked("/reconstruct/looks", {"scan": scan, "session": "load"})
        slice_made = await followed(look["state"])
        slice_s = perf_counter() - begin
        job = await asked("/reconstruct/jobs", {"look": str(look["job"]), "title": "Made under load"})
        made = await followed(job["address"])
    except (OSError, EOFError, TimeoutError, ValueError, KeyError) as problem:
        told.errors[f"reconstruction: {type(problem).__name__} {problem}"] += 1
        return {"state": "failed"}
    if (slice_made, made) != ("done", "done"):
        told.errors[f"reconstruction: slice {slice_made}, volume {made}"] += 1
    return {"state": made, "slice_s": slice_s, "volume_s": perf_counter() - begin}


async def jobs_done(port: int, jobs: list[int], end: float, told: Told) -> int:
    """Wait for the jobs of uploads; how many became records."""
    client, left, made = Client(port), list(jobs), 0
    while left and monotonic() < end:
        still = []
        for number in left:
            answer = json.loads((await client.ask("GET", f"/uploads/jobs/{number}")).content)
            if answer["state"] in ("waiting", "running"):
                still.append(number)
            elif answer["state"] == "done" and answer["records"]:
                made += 1
            else:
                told.errors[f"upload: job {answer['state']}: {str(answer['told'])[:200]}"] += 1
        left = still
        await asyncio.sleep(1)
    if left:
        told.errors["upload: its job was not done in time"] += len(left)
    return made


async def slow_head(port: int, end: float, told: Told) -> None:
    """Send the head of a request a letter a second, and begin again when the server has enough of it."""
    while monotonic() < end:
        with suppress(OSError):
            streams = await asyncio.open_connection("127.0.0.1", port)
            streams[1].write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            while monotonic() < end and not streams[0].at_eof():
                streams[1].write(b"a")
                await streams[1].drain()
                with suppress(TimeoutError):
                    got = await asyncio.wait_for(streams[0].read(1000), 1)
                    if got:
                        told.others["slow heads that were answered 408"] += b" 408 " in got
            streams[1].close()


async def slow_body(port: int, end: float, told: Told) -> None:
    """Send a body that never ends, a letter a second, and begin again when the server has enough of it."""
    while monotonic() < end:
        with suppress(OSError):
            streams = await asyncio.open_connection("127.0.0.1", port)
            streams[1].write(b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n")
            streams[1].write(b"Content-Type: application/x-www-form-urlencoded\r\n\r\n")
            while monotonic() < end and not streams[0].at_eof():
                streams[1].write(b"a")
                await streams[1].drain()
                with suppress(TimeoutError):
                    if not await asyncio.wait_for(streams[0].read(1000), 1):
                        told.others["endless bodies that were let go"] += 1
            streams[1].close()


async def slow_taker(port: int, path: str, end: float, told: Told) -> None:
    """Take 1 kB of a large answer a second; being cut off is an error."""
    try:
        streams = await asyncio.open_connection("127.0.0.1", port, limit=1 << 12)
        streams[1].write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        while monotonic() < end:
            if not await streams[0].read(1000):
                raise EOFError("cut off")
            told.others["kB taken by slow readers"] += 1
            await asyncio.sleep(1)
        streams[1].close()
    except (OSError, EOFError) as problem:
        told.errors[f"slow reader: {type(problem).__name__} {problem}"] += 1
