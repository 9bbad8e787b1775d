"""A reconstruction that stops before its record is filed; what `test_work.py` has a worker's confined process do."""

from __future__ import annotations

import time
from typing import Any

from tomarium.beamtime.work_in_child import make_volume
from tomarium.pipeline.run.runner import Progress


def make_slowly(progress: Progress, *given: Any) -> list[str]:
    def tell(stage: str, done: int, total: int) -> None:
        progress(stage, done, total)
        if stage == "file":
            time.sleep(3600)

    return make_volume(tell, *given)


def make_no_slab(progress: Progress, *_given: Any) -> list[str]:
    progress("slabs", 0, 9)
    time.sleep(3600)
    return []
