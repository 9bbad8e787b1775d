"""A detector as a process of its own: writes scans into a spool, some of them broken, and says when each was there."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path


def main(store: Path, spool: Path, log: Path, pause_s: float, told: Path, part: slice) -> None:
    """Write a part of what lies in `store`, in the order of the names, each as its layout is written at a beamline.

    `log` gets for each scan how many lines the watch had written into `told` when it was there.
    """
    written = json.loads(log.read_text("utf-8")) if log.exists() else {}
    for number, source in enumerate(sorted(store.iterdir())[part]):
        name = source.name
        if source.is_dir():  # frame after frame, or file after file
            (spool / name).mkdir()
            for file in sorted(source.iterdir()):
                shutil.copy(file, spool / name / file.name)
        elif number % 2:  # in one go, under another name until it is whole
            shutil.copy(source, spool / f"{name}.part")
            (spool / f"{name}.part").rename(spool / name)
        else:  # grows under its own name
            content = source.read_bytes()
            with (spool / name).open("wb") as file:
                for part in range(4):
                    file.write(content[part * len(content) // 4 : (part + 1) * len(content) // 4])
                    file.flush()
                    time.sleep(pause_s / 8)
        written[name] = told.read_bytes().count(b"\n")
        draft = log.with_suffix(".draft")
        draft.write_text(json.dumps(written), "utf-8")
        draft.replace(log)
        time.sleep(pause_s)


if __name__ == "__main__":
    folders = [Path(word) for word in sys.argv[1:4]]
    main(*folders, float(sys.argv[4]), Path(sys.argv[5]), slice(int(sys.argv[6]), int(sys.argv[7])))
