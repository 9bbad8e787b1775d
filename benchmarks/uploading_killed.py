"""Uploads whose sender or server is killed at random moments: every file is compared byte by byte at the end.

    python benchmarks/uploading_killed.py
    python benchmarks/uploading_killed.py --kills 1000 --seed 2

Folders of files of random lengths are sent by `push` to a real `tomarium serve`, over and over. A process is killed
(SIGKILL) at a random moment: nine times of ten the sender, else the server, which is started again. Then the same
folder is pushed once more, until it is a record of the portal. Printed is how many uploads and kills there were; a file
with other bytes, or an upload that cannot be brought to its end, ends it with 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic

from downloading import free_port, started

from tomarium.catalogue import file_record, open_catalogue
from tomarium.errors import TomariumError
from tomarium.model import Part
from tomarium.portal.push import push

FILES, LONGEST = 6, 3_000_000
CHUNK = 300_000
MOST_TRIES = 200


def make_record(folder: Path, draw: random.Random) -> dict[str, bytes]:
    """Write files and file them as a record; return what they hold."""
    folder.mkdir(parents=True)
    for number in range(FILES):
        place = folder / "raw" / f"{number}.bin"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(draw.randbytes(draw.choice((0, 1, draw.randrange(5000), draw.randrange(LONGEST)))))
    file_record(folder, title="Sent in spite of kills", id=folder.name, parts=[Part("document", "raw/0.bin")])
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def send(folder: Path, address: str) -> None:
    """Push a folder, in a process of its own; 0 where it is a record, 3 where the portal did not answer."""
    try:
        push(folder, address, chunk=CHUNK)
    except TomariumError as problem:
        if "of this identifier already" not in str(problem):  # killed after the last answer had been made
            print(f"  {type(problem).__name__}: {problem}", flush=True)
            os._exit(3)
    os._exit(0)


class Portal:
    """A server that can be killed."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.start()

    def start(self) -> None:
        words = [
            "tomarium",
            "serve",
            "--port",
            str(self.port),
            "--catalogue",
            str(self.home / "catalogue.sqlite"),
        ]
        self.process = started(words, self.port, self.home)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def upload(folder: Path, portal: Portal, draw: random.Random, left: int) -> Counter[str]:
    """Push a folder until it is a record, killing on the way `left` times at most."""
    killed: Counter[str] = Counter()
    fork = multiprocessing.get_context("fork")
    for _ in range(MOST_TRIES):
        sender = fork.Process(target=send, args=(folder, f"http://127.0.0.1:{portal.port}"))
        sender.start()
        if killed.total() < left:
            sender.join(draw.uniform(0, 1.2) ** 2)
            if sender.is_alive():
                whom = "server" if draw.random() < 0.1 else "sender"
                killed[whom] += 1
                if whom == "server":
                    portal.kill()
                    portal.start()
                else:
                    sender.kill()
        sender.join(120)
        if sender.is_alive():
            raise SystemExit(f"{folder.name}: was not sent in two minutes, with nobody killed any more")
        if sender.exitcode == 0:
            return killed
    raise SystemExit(f"{folder.name}: is no record after {MOST_TRIES} tries")


def main() -> None:
    """Send, kill and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    draw, killed, sent, compared = random.Random(asked.seed), Counter[str](), 0, 0
    begun = monotonic()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "portal"
        home.mkdir()
        os.environ["TOMARIUM_HOME"] = str(home)
        open_catalogue(home / "catalogue.sqlite").close()
        portal = Portal(home)
        try:
            while killed.total() < asked.kills:
                folder = Path(name) / "mine" / f"sent-{sent}"
                wanted = make_record(folder, draw)
                killed += upload(folder, portal, draw, asked.kills - killed.total())
                sent += 1
                for path, content in wanted.items():
                    if (home / "records" / folder.name / path).read_bytes() != content:
                        sys.exit(f"{folder.name}/{path}: has other bytes than were sent")
                    compared += 1
                told = ", ".join(f"{count} of the {whom}" for whom, count in killed.items())
                print(f"{monotonic() - begun:4.0f} s  {sent} uploads, kills: {told or 'none'}", flush=True)
        finally:
            portal.kill()
    print(f"{killed.total()} kills in {sent} uploads; all {compared} files have the bytes that were sent")


if __name__ == "__main__":
    main()
