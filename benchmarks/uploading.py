"""Beginning many small files in one batch of uploads: the rate of every part, first to last.

On a machine that does other work the parts differ by that work too; compare a full and an empty batch in turns then.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

from tomarium.catalogue.reader import Reader
from tomarium.catalogue.uploads import Uploads

ADA = Reader("ada", "member")


def main() -> None:
    """Begin files of 4 kB, and tell the rate of every part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--batches", type=int, default=20, help="others under way, of two people")
    parser.add_argument("--parts", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uploads = Uploads(Path(folder))
        for number in range(asked.batches):
            uploads.begin(ADA if number % 2 else Reader("eve", "member"))
        batch, each = uploads.begin(ADA), asked.files // asked.parts
        print("files there   begun each second")
        for part in range(asked.parts):
            start = perf_counter()
            for number in range(part * each, (part + 1) * each):
                uploads.create(ADA, batch, f"slices/{number:06}.tif", 4096)
            print(f"{part * each:11,}   {each / (perf_counter() - start):17,.0f}", flush=True)
        start = perf_counter()
        files = len(uploads.files(ADA, batch))
        print(f"{files} are listed in {perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
