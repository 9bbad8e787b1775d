"""What this machine gives, and what it is given back."""

import os
import subprocess
import sys

import pytest

HOLES = """
import sys
import numpy as np
from tomarium.array import return_freed_memory

def megabytes():
    [line] = [line for line in open("/proc/self/status") if line.startswith("RssAnon")]
    return int(line.split()[1]) // 1000

known = return_freed_memory() if sys.argv[1] == "asked" else True
np.ones(24 * 2**20 // 8)  # freed: from now on the C library would keep blocks up to this size
blocks, pins = [], []
before = megabytes()
for _ in range(8):
    blocks.append(np.ones(20 * 2**20 // 8))
    pins.append(np.ones(20_000))
del blocks
print(known, megabytes() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is that of the GNU C library")
def test_freed_blocks_go_back_to_the_system() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}

    def held(word: str) -> int:
        told = subprocess.run(
            [sys.executable, "-c", HOLES, word], capture_output=True, text=True, check=True, env=plain
        ).stdout.split()
        if told[0] == "False":
            pytest.skip("this C library has no such setting")
        return int(told[1])

    assert held("not asked") > 100, "the holes this is against do not come about here"
    assert held("asked") < 25
