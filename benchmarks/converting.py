"""What converting costs: the peak resident size and the rate of `tomarium convert`, into every format.

python benchmarks/converting.py --gigabytes 2
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from memory import write_scan

from tomarium.formats import formats

# The peak of the process alone: what `wait4` tells begins with the size of the process that started it.
ONE = """
import sys
from tomarium.cli import execute
status = execute(["convert", *sys.argv[1:]])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak", int(peak.split()[1]) * 1024)
sys.exit(status)
"""
ROWS = 1024
VIEWS = 400


def write_volume(path: Path, depth: int, columns: int) -> None:
    """Write noise, slab by slab."""
    random = np.random.default_rng(0)
    slab = random.normal(size=(16, columns, columns)).astype(np.float32)
    with path.open("wb") as stream:
        for start in range(0, depth, 16):
            stream.write(np.roll(slab, start, axis=2)[: depth - start].tobytes())
    text = f"NUM_X = {columns}\nNUM_Y = {columns}\nNUM_Z = {depth}\nvoxelSize = 1\nBYTEORDER = LOWBYTEFIRST\n"
    path.with_name(f"{path.name}.info").write_text(f"{text}DATATYPE = float32\nvalueUnit = 1/cm\n")


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the scan, and of the volume")
    size = parser.parse_args().gigabytes * 1e9
    print("| into | of | peak MB | MB/s |\n| --- | --- | ---: | ---: |")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        home = Path(name)
        write_scan(home / "scan.h5", max(64, int(size / 2 / ROWS / VIEWS)), ROWS, VIEWS)
        write_volume(home / "volume.raw", 256, int((size / 4 / 256) ** 0.5) // 2 * 2)
        for form in formats().values():
            for kind, source in (("scan", home / "scan.h5"), ("volume", home / "volume.raw")):
                if form.write is None or kind not in form.writes or form.name in ("csv", "raw-volume"):
                    continue
                target = home / f"out{(form.suffixes or ('',))[0]}"
                words = [sys.executable, "-c", ONE, source, target, "--to", form.name]
                begun = time.perf_counter()
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                seconds = time.perf_counter() - begun
                rate = source.stat().st_size / seconds / 1e6
                told = (
                    f"failed: {done.stderr.strip()}"
                    if done.returncode
                    else f"{int(done.stdout.split()[-1]) / 1e6:.0f}"
                )
                print(f"| {form.name} | {kind} | {told} | {rate:.0f} |", flush=True)
                for left in home.glob("out*"):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()


if __name__ == "__main__":
    main()
