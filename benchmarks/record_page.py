"""The page of a record and the list of its files, of a record as large as the largest: processor time of the server.

    python benchmarks/record_page.py
    python benchmarks/record_page.py --files 2000 --times 20

A published record has a volume of 256³ voxels, 25 parameters and `--files` files in folders of 20 000, as the largest
dataset of the ESRF. `tomarium serve` is asked for its page, as HTML and JSON, and for pages of 1000 files of a folder.
The aims are 30 ms for the page of a record, 100 ms for a list, and 40 bytes a file of the manifest.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from time import process_time

import numpy as np
import zarr
from downloading import fetch, free_port, processor_s, started

from tomarium.catalogue import LOCAL_OWNER, file_record, ingest, life, open_catalogue
from tomarium.model import Part, Value
from tomarium.model.geometry import FIELDS

PER_FOLDER = 20_000
SIDE = 256


def make_volume(path: Path) -> None:
    """Write noise as OME-Zarr of three levels."""
    draw = np.random.default_rng(1)
    level = draw.normal(1, 0.2, (SIDE, SIDE, SIDE)).astype(np.float32)
    root = zarr.open_group(path, mode="w", zarr_format=3)
    datasets = []
    for number in range(3):
        root.create_array(str(number), data=level, chunks=(64, 64, 64))
        scale = [{"type": "scale", "scale": [0.65 * 2**number] * 3}]
        datasets.append({"path": str(number), "coordinateTransformations": scale})
        half = level.shape[0] // 2
        level = level.reshape(half, 2, half, 2, half, 2).mean((1, 3, 5))
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


def make_record(folder: Path, files: int) -> None:
    """Write and file it; the files are of a byte each."""
    make_volume(folder / "volume.ome.zarr")
    for number in range(files):
        place = folder / "raw" / f"scan_{number // PER_FOLDER:02d}"
        if number % PER_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"proj_{number:06d}.tif").write_bytes(bytes([number % 251]))
    keys = [field.name for field in FIELDS if not field.per_view][:10]
    parameters = {key: Value(1.5e-3, "read", "scan.h5") for key in keys}
    parameters |= {
        f"motor_{number}_m": Value(number / 7, "read", "scan.h5") for number in range(25 - len(keys))
    }
    file_record(
        folder,
        title="A scan of as many files as the largest has",
        id="many",
        creators=("Ada Lovelace",),
        licence="CC0-1.0",
        description="A record that is made to measure how long its page takes.",
        parameters=parameters,
        parts=(
            Part("volume", "volume.ome.zarr"),
            Part("projections", "raw", axes=({"name": "angle", "length": files},)),
        ),
    )


def main() -> None:
    """Make the record, serve it, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=200_002)
    parser.add_argument("--times", type=int, default=50, help="requests of each kind")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        folder = home / "records" / "many"
        begun = process_time()
        make_record(folder, asked.files)
        with open_catalogue(home / "catalogue.sqlite") as catalogue:
            ingest(catalogue, folder)
            life.publish(catalogue, LOCAL_OWNER, "many", life.Request("0", doi=False, files=False))
        print(f"made, filed and published in {process_time() - begun:.0f} s of processor time")
        manifest = next(folder.glob("manifest-*.parquet")).stat().st_size
        print(f"manifest: {manifest} bytes, {manifest / asked.files:.1f} a file")
        measure(home, asked)


def measure(home: Path, asked: argparse.Namespace) -> None:
    """Ask the server of a catalogue, and print a table."""
    os.environ["TOMARIUM_HOME"] = str(home)
    port = free_port()
    serve = ["tomarium", "serve", "--port", str(port), "--catalogue", str(home / "catalogue.sqlite")]
    first = "/records/many/folders/raw/scan_00"
    paths = {
        "page of the record": "/records/many",
        "the same as JSON": "/records/many.json",
        "first files of a folder": first,
        "files in its middle": f"{first}?first={min(asked.files, PER_FOLDER) // 2}",
        "the same as JSON ": f"{first}.json?first={min(asked.files, PER_FOLDER) // 2}",
    }
    server = started(serve, port, home)
    try:
        print("| | bytes | first, ms | the next, ms |\n|---|---:|---:|---:|")
        for kind, path in paths.items():
            busy = processor_s(server)
            got = fetch(port, path)
            once = processor_s(server) - busy
            busy = processor_s(server)
            for _ in range(asked.times):
                fetch(port, path)
            often = (processor_s(server) - busy) / asked.times
            print(f"| {kind.strip()} | {got} | {1000 * once:.0f} | {1000 * often:.1f} |", flush=True)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
