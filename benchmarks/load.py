"""Many readers, uploads, a reconstruction and slow clients at once, on one portal.

    python benchmarks/load.py
    python benchmarks/load.py --readers 20 --seconds 5 --uploads 2 --files 2000 --slow 50

Readers go around the pages, searches, pictures and files of a record. Meanwhile others push files, a demonstration is
simulated and reconstructed (`tomarium demo`), and slow clients hold connections open: half of them send a letter of
their request each second, half take a few bytes of a large answer and no more. Besides, the first and last bytes of a
sparse file of 8 TB are asked for, and a folder with 200,002 files is listed. Printed are the numbers of answers and
errors, and the time to a whole answer: half of them (p50) and 99 of 100 (p99) were quicker. The aim is no error.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, perf_counter, sleep

import numpy as np
from downloading import free_port, started

from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.conversion.convert import convert
from tomarium.model import Axis, Volume
from tomarium.model.part import Part

SPARSE_BYTES = 8_000_000_000_000
FRAMES = "volume.ome.zarr/frames"
AROUND = (
    "/",
    "/records?q=load",
    "/records.json?q=load",
    "/records/tooth",
    "/records/tooth.json",
    "/records/tooth/pictures/slices/z-12.png",
    "/records/tooth/files/volume.ome.zarr/zarr.json",
    "/records/tooth/metadata/datacite",
    "/records/tooth/folders/volume.ome.zarr",
    "/feed.atom",
    "/static/series.css",
)


class Times:
    """How long answers took, by what was asked, and what went wrong."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.errors: Counter[str] = Counter()

    def ask(self, connection: HTTPConnection, path: str, headers: dict[str, str] | None = None) -> bytes:
        """Ask once, and note the time or the error."""
        start, content = perf_counter(), b""
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            content = answer.read()
            wrong = "" if answer.status in (200, 206) else f"{path}: {answer.status}"
        except (OSError, HTTPException) as problem:
            connection.close()
            wrong = f"{path}: {type(problem).__name__} {problem}"
        with self.lock:
            if wrong:
                self.errors[wrong] += 1
            else:
                self.seconds[path.partition("?")[0]].append(perf_counter() - start)
        return content

    def tell(self) -> None:
        """Print a table."""
        every = sorted(one for times in self.seconds.values() for one in times)
        print("| asked | answers | p50, s | p99, s | longest, s |\n|---|---:|---:|---:|---:|")
        for path, times in [*sorted(self.seconds.items()), ("all", every)]:
            ordered = sorted(times)
            p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99))
            print(f"| {path} | {len(ordered)} | {p50:.3f} | {p99:.3f} | {ordered[-1]:.3f} |")
        print(f"errors: {sum(self.errors.values())}")
        for told, count in self.errors.most_common(10):
            print(f"  {count} x {told}")


def make_records(home: Path, files: int) -> None:
    """File a volume, a sparse file of 8 TB, and a folder of many files."""
    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    grey = np.random.default_rng(0).random((48, 64, 64), dtype=np.float32)
    tooth, sparse, many = (home / "records" / name for name in ("tooth", "sparse", "many"))
    for folder in (tooth, many):
        folder.mkdir(parents=True)
        convert(Volume(grey, axes), folder / "volume.ome.zarr")
    for folder in (sparse, many / FRAMES):
        folder.mkdir(parents=True)
    (sparse / "huge.raw").write_bytes(bytes(1000))
    for number in range(files):
        (many / FRAMES / f"{number:06d}.raw").touch()
    when = datetime(2026, 11, 20, tzinfo=UTC)
    file_record(tooth, title="Tooth under load", id="tooth", created=when)
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        ingest(catalogue, tooth)
        for folder, title in ((sparse, "8 TB"), (many, f"{files} files")):
            parts = [Part("document", "huge.raw")] if folder == sparse else []
            start = perf_counter()
            file_record(folder, title=title, id=folder.name, created=when, parts=parts)
            ingest(catalogue, folder, checksums=False)
            print(f"{title}: filed in {perf_counter() - start:.1f} s")
    os.truncate(sparse / "huge.raw", SPARSE_BYTES)  # grown after its checksum, which would read all of it


def slow_client(port: int, number: int, end: float) -> None:
    """Hold a connection: send a letter a second, or take a few bytes of a large answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if number % 2:
                connection.sendall(b"GET /records/sparse/files/huge.raw HTTP/1.1\r\nHost: localhost\r\n\r\n")
                connection.recv(100)
            else:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            while monotonic() < end:
                sleep(1)
                if not number % 2:
                    connection.sendall(b"a")
    except OSError:
        pass  # the server may well hang up


def reader(port: int, number: int, end: float, times: Times) -> None:
    """Go around until the time is over."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    while monotonic() < end:
        times.ask(connection, AROUND[number % len(AROUND)])
        number += 1
    connection.close()


def uploader(port: int, file: Path, number: int, end: float, told: Counter[str]) -> None:
    """Push a file again and again; a worker is not waited for."""
    while monotonic() < end:
        command = [
            sys.executable,
            "-m",
            "tomarium",
            "push",
            str(file),
            f"http://127.0.0.1:{port}",
            "--no-wait",
        ]
        done = subprocess.run(
            [*command, "--title", f"Load {number}"], capture_output=True, text=True, check=False
        )
        told["whole" if done.returncode == 0 else (done.stderr.strip() or "failed")[-200:]] += 1


def edges(port: int, times: Times, files: int) -> None:
    """Ask for the ends of the 8 TB, and list the folder of many files."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    for span in (
        "bytes=0-99",
        f"bytes={SPARSE_BYTES - 100}-",
        f"bytes={SPARSE_BYTES // 2}-{SPARSE_BYTES // 2 + 99}",
    ):
        content = times.ask(connection, "/records/sparse/files/huge.raw", {"Range": span})
        assert content == bytes(100), (span, len(content))
    times.ask(connection, "/records/sparse")
    page = times.ask(connection, f"/records/many/folders/{FRAMES}")
    assert b"000000.raw" in page
    times.ask(connection, f"/records/many/folders/{FRAMES}.json")
    times.ask(connection, f"/records/many/files/{FRAMES}/{files - 1:06d}.raw")


def main() -> int:
    """Make records, serve them, and load the portal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=200, help="at once")
    parser.add_argument("--uploads", type=int, default=10, help="at once, of a file of 8 MB")
    parser.add_argument("--slow", type=int, default=200, help="slow clients at once")
    parser.add_argument("--files", type=int, default=200_002, help="in one folder")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long readers read")
    parser.add_argument("--no-reconstruction", action="store_true", help="reconstruct nothing meanwhile")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["TOMARIUM_HOME"] = str(home)
        make_records(home, asked.files)
        for number in range(asked.uploads):
            (home / f"up-{number}.raw").write_bytes(os.urandom(8_000_000))
        port = free_port()
        arguments = ["tomarium", "serve", "--port", str(port), "--catalogue", str(home / "catalogue.sqlite")]
        server = started(arguments, port, home)
        try:
            return load(asked, port, home)
        finally:
            server.terminate()
            server.wait()


def load(asked: argparse.Namespace, port: int, home: Path) -> int:
    """Let all of them at the portal, and tell what came of it."""
    times, pushed = Times(), Counter[str]()
    edges(port, times, asked.files)
    end = monotonic() + asked.seconds
    work: list[tuple[Callable[..., None], tuple[object, ...]]] = [
        *((slow_client, (port, number, end)) for number in range(asked.slow)),
        *((reader, (port, number, end, times)) for number in range(asked.readers)),
        *(
            (uploader, (port, home / f"up-{number}.raw", number, end, pushed))
            for number in range(asked.uploads)
        ),
    ]
    threads = [threading.Thread(target=function, args=told) for function, told in work]
    demo = None
    if not asked.no_reconstruction:
        made = [sys.executable, "-m", "tomarium", "demo", "--no-serve", "--folder", str(home / "demo")]
        demo = subprocess.Popen(made, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = demo.wait() if demo is not None else 0
    times.tell()
    print(f"uploads: {dict(pushed)}; reconstruction: {'none' if demo is None else f'ended with {status}'}")
    return int(bool(times.errors) or status != 0 or set(pushed) - {"whole"} != set())


if __name__ == "__main__":
    sys.exit(main())
