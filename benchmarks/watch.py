"""How old the newest slice of `tomarium watch` is while scans arrive far faster than they are reconstructed.

    python benchmarks/watch.py                # 20 scans of 512² × 200 views a second, for 20 s
    python benchmarks/watch.py --rate 1 --seconds 60

A scan is simulated once, and arrives under a new name each time (a symbolic link, so that the disk is not what is
measured). The watcher is a process of its own. Printed are the age of what is shown, sampled ten times a second from
the first slice on, and the processor seconds of a slice. The target is at most 2 s on two processors of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tomarium.beamtime.live_file import read_live, seconds_of
from tomarium.beamtime.look_at_scan import LookSettings, look_at_scan
from tomarium.beamtime.sample_change import of_sample
from tomarium.beamtime.scan_warnings import of_frames
from tomarium.pipeline.protocol.choice import Choice
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

TARGET_S = 2.0


def arrive(source: Path, folder: Path, rate: float, seconds: float) -> list[float]:
    """Let scans arrive while a watcher runs; return the ages of what is shown."""
    spool, live = folder / "spool", folder / "live"
    spool.mkdir()
    words = [sys.executable, "-m", "tomarium", "watch", str(spool), "-o", str(live)]
    watcher = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        while read_live(live) is None:
            time.sleep(0.05)
        ages: list[float] = []
        arrived: dict[str, float] = {}
        begun, sampled = time.monotonic(), 0.0
        while time.monotonic() - begun < seconds:
            due = int((time.monotonic() - begun) * rate)
            while len(arrived) <= due:
                name = f"scan_{len(arrived):05d}.h5"
                (spool / name).symlink_to(source)
                arrived[name] = time.time()
            if time.monotonic() - sampled >= 0.1:
                sampled = time.monotonic()
                told = read_live(live)
                if told is not None and told.slices:
                    ages.append(time.time() - arrived[told.slices[0]["scan"]])
            time.sleep(0.01)
        told = read_live(live)
        assert told is not None
        lags = [seconds_of(one["finished_at"]) - arrived[one["scan"]] for one in told.slices]
        print(f"{len(arrived)} arrived, {len(lags)} slices made, {len(told.failed)} failed")
        return ages
    finally:
        watcher.terminate()
        watcher.wait(30)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"the watcher took {used.ru_utime + used.ru_stime:.1f} s of processor time")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=20.0, help="scans a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--views", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source.h5"
        config = SimulationConfig(
            columns=asked.size, rows=asked.size, views=asked.views, flats=10, darks=5, subrays=1
        )
        simulate(source, config)
        for _ in range(2):  # the first brings in modules
            begun = time.process_time()
            look = look_at_scan(source, "source", LookSettings(Choice().protocol), {})
            slice_s, begun = time.process_time() - begun, time.process_time()
            of_sample(look.seen, look.axis.column)
            of_frames(look.opened)
            checks_s = time.process_time() - begun
        ages = sorted(arrive(source, Path(name), asked.rate, asked.seconds))
    told = {
        "processor_s": {"slice": round(slice_s, 2), "checks": round(checks_s, 2)},
        "age_s": {"median": round(ages[len(ages) // 2], 2), "95 %": round(ages[int(0.95 * len(ages))], 2),
                  "most": round(ages[-1], 2)},
        "target_s": TARGET_S,
    }  # fmt: skip
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
