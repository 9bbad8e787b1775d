"""One slab after the other, in this process."""

from __future__ import annotations

from tomarium.executors.executor import Executor
from tomarium.pipeline.run.runner import in_turn

SERIAL = Executor("serial", "one slab after the other; each uses every processor", in_turn)
