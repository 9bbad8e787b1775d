"""Downloads beside a plain file server, and many readers at once.

    python benchmarks/downloading.py
    python benchmarks/downloading.py --megabytes 2000 --times 9

One file is fetched from `python -m http.server` and from `tomarium serve`, there as a file, as the record's zip and as
its tar, in turns. Printed are the median rate, the processor seconds of the server for a gigabyte, and the median of
the ratios to the plain server, of pairs that were fetched right after each other. Then 200 readers fetch at once; every
byte of theirs is compared. The aim is a ratio of 0.8, and no reader without all bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.model.part import Part

ROOM = 1 << 20


def fetch(port: int, path: str, digest: object = None) -> int:
    """Fetch an address, and return the bytes of the body."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        room = memoryview(bytearray(ROOM))
        head = b""
        while b"\r\n\r\n" not in head:
            got = connection.recv(1 << 14)
            if not got:
                raise ConnectionError(f"{path}: no answer")
            head += got
        head, _, rest = head.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1]
        if status != b"200":
            raise ConnectionError(f"{path}: {head.splitlines()[0].decode()}")
        told = next(
            int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:")
        )
        if digest is not None:
            digest.update(rest)  # type: ignore[attr-defined]
        got_all = len(rest)
        while count := connection.recv_into(room):
            got_all += count
            if digest is not None:
                digest.update(room[:count])  # type: ignore[attr-defined]
    if got_all != told:
        raise ConnectionError(f"{path}: {got_all} of {told} bytes")
    return got_all


def processor_s(process: subprocess.Popen[bytes]) -> float:
    """Return what a process has used of the processors, s."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def started(arguments: list[str], port: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start a server, and wait until it accepts connections."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            sleep(0.1)
    process.kill()
    raise SystemExit(f"{' '.join(arguments)}: does not answer")


def readers_at_once(port: int, path: str, wanted: str, count: int) -> tuple[Counter[str], float]:
    """Let many fetch the same at once; what became of each, and how long all took."""
    told: Counter[str] = Counter()
    barrier = threading.Barrier(count)

    def read() -> None:
        digest = hashlib.sha256()
        barrier.wait()
        try:
            fetch(port, path, digest)
        except OSError as problem:
            told[f"{type(problem).__name__}: {problem}"] += 1
        else:
            told["whole" if digest.hexdigest() == wanted else "other bytes"] += 1

    threads = [threading.Thread(target=read) for _ in range(count)]
    start = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told, perf_counter() - start


def main() -> None:
    """Make a record, serve it twice, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500, help="of the file")
    parser.add_argument("--times", type=int, default=5, help="fetches of each kind")
    parser.add_argument("--readers", type=int, default=200, help="at once, of a file of 4 MB")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        record = home / "records" / "scan"
        record.mkdir(parents=True)
        with (record / "scan.raw").open("wb") as file:
            for _ in range(asked.megabytes):
                file.write(os.urandom(1000) * 1000)
        part = os.urandom(4_000_000)
        (record / "part.raw").write_bytes(part)
        document = Part("document", "scan.raw")
        file_record(
            record, title="Scan", id="scan", created=datetime(2026, 11, 20, tzinfo=UTC), parts=[document]
        )
        with open_catalogue(home / "catalogue.sqlite") as catalogue:
            ingest(catalogue, record)
        os.environ["TOMARIUM_HOME"] = str(home)
        plain, ours = free_port(), free_port()
        portal = ["tomarium", "serve", "--port", str(ours), "--catalogue", str(home / "catalogue.sqlite")]
        servers = [
            started(
                ["http.server", str(plain), "--bind", "127.0.0.1", "--directory", "records"], plain, home
            ),
            started(portal, ours, home),
        ]
        try:
            compare(asked, servers, plain, ours)
            wanted = hashlib.sha256(part).hexdigest()
            told, took = readers_at_once(ours, "/records/scan/files/part.raw", wanted, asked.readers)
            print(f"{asked.readers} readers at once, {took:.1f} s: {dict(told)}")
        finally:
            for server in servers:
                server.terminate()
                server.wait()


def compare(asked: argparse.Namespace, servers: list[subprocess.Popen[bytes]], plain: int, ours: int) -> None:
    """Fetch in turns, and print a table."""
    kinds = {
        "plain file server": (0, plain, "/scan/scan.raw"),
        "file": (1, ours, "/records/scan/files/scan.raw"),
        "zip": (1, ours, "/records/scan/download.zip"),
        "tar": (1, ours, "/records/scan/download.tar"),
    }
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    used: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(asked.times + 1):
        for kind, (which, port, path) in kinds.items():
            start, busy = perf_counter(), processor_s(servers[which])
            got = fetch(port, path)
            if turn:  # the first one fills the disk's cache, and reads the checksums
                rates[kind].append(got / (perf_counter() - start))
                used[kind].append((processor_s(servers[which]) - busy) / got * 1e9)
    print("| | MB/s | processor s/GB | ratio |\n|---|---:|---:|---:|")
    for kind in kinds:
        ratio = median(a / b for a, b in zip(rates[kind], rates["plain file server"], strict=True))
        print(f"| {kind} | {median(rates[kind]) / 1e6:.0f} | {median(used[kind]):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
