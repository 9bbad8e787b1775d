"""How long a worker goes on with a volume after it was cancelled on its page, and what it still computes.

    python benchmarks/cancelling.py                # 1024 × 192 × 1200 views with Paganin and rings, six times
    python benchmarks/cancelling.py --scan scan.h5 --times 3

The portal, its catalogue and a `tomarium worker` of its own are started; a volume is asked for, cancelled a while
after its first block, and that six times, each later than the one before. Printed are the seconds from the POST until
the worker has given the job up, the processor seconds of the worker in that time, and those in the second after it
(idle: about 0.0).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from tomarium.catalogue import open_catalogue
from tomarium.portal.app import create_app
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

JSON = {"Accept": "application/json"}
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Worker:
    """A worker of its own, and when it said what."""

    def __init__(self, catalogue: str) -> None:
        words = [sys.executable, "-u", "-m", "tomarium", "worker", "--catalogue", catalogue]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.said: list[tuple[float, str]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append((time.monotonic(), line.strip()))

    def processor_s(self) -> float:
        """Processor seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S


def wait_for(client: TestClient, address: str, *states: str) -> Any:
    """Wait until the progress of a page is in one of some states."""
    while (told := client.get(address, headers=JSON).json()["progress"])["state"] not in states:
        time.sleep(0.05)
    return told


def cancelled(client: TestClient, worker: Worker, look: str, later_s: float) -> dict[str, Any]:
    """Ask for a volume, cancel it, and measure."""
    asked = client.post("/reconstruct/jobs", data={"look": look}, headers=JSON)
    assert asked.status_code == 202, asked.text
    answer = asked.json()
    address = answer["address"]
    while (
        "reconstructing" not in (told := wait_for(client, address, "running", "done", "failed"))["sentence"]
    ):
        assert told["state"] == "running", told
        time.sleep(0.02)
    time.sleep(later_s)
    told = client.get(address, headers=JSON).json()["progress"]
    before, begun = len(worker.said), time.monotonic()
    used = worker.processor_s()
    client.post(f"/reconstruct/jobs/{answer['job']}/cancel", headers=JSON).raise_for_status()
    while len(worker.said) == before:
        time.sleep(0.005)
    ended = worker.processor_s()
    time.sleep(1)
    return {
        "at": told["sentence"],
        "ended_after_s": round(worker.said[before][0] - begun, 2),
        "processor_s": round(ended - used, 2),
        "processor_s_in_the_second_after": round(worker.processor_s() - ended, 2),
        "said": worker.said[before][1],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scan", type=Path, help="one of your own, instead of a simulated one")
    parser.add_argument("--times", type=int, default=6)
    parser.add_argument("--step", type=float, default=1.5, help="seconds by which each is cancelled later")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scan = asked.scan or Path(name) / "spool" / "scan.h5"
        if asked.scan is None:
            scan.parent.mkdir()
            simulate(scan, SimulationConfig(columns=1024, rows=192, views=1200, subrays=1))
        with open_catalogue(Path(name) / "catalogue.sqlite") as catalogue:
            app = create_app(catalogue, local=True, scans=(scan.parent,))
            worker = Worker(catalogue.name)
            try:
                client = TestClient(app, base_url="http://localhost")
                fields = {"scan": f"path:{scan}", "axis": "511.5", "delta_beta": "100", "rings": "sorting"}
                fields |= {"energy": "25 keV", "distance": "5 cm", "pixel": "3.25 um"}
                look = client.post("/reconstruct/looks", data=fields, headers=JSON).json()
                while (told := client.get(look["state"]).json())["state"] not in ("done", "failed"):
                    time.sleep(0.1)
                assert told["state"] == "done", told
                for turn in range(asked.times):
                    print(json.dumps(cancelled(client, worker, str(look["job"]), turn * asked.step)))
            finally:
                worker.process.kill()
                worker.process.wait()


if __name__ == "__main__":
    main()
