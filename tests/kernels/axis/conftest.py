"""The phantoms of benchmarks/axis_study.py: tests and study must draw the same."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

GROUPS, ROWS_PER_GROUP = 3, 2
Draw = Callable[[str, int], tuple[NDArray[np.float32], NDArray[np.float64], float]]


@pytest.fixture(scope="session")
def study() -> ModuleType:
    path = Path(__file__).parents[3] / "benchmarks" / "axis_study.py"
    spec = spec_from_file_location("axis_study", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["axis_study"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def draw(study: ModuleType) -> Draw:
    """Attenuation, angles and axis of a scan of a class, kept for the tests that come next and given as copies.

    Six rows where the study draws forty, which takes five times as long, and the more photons in each.
    """

    @lru_cache(maxsize=8)
    def drawn(name: str, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
        case = study.CASES[name]
        few = replace(
            case,
            groups=min(case.groups, GROUPS),
            rows_per_group=ROWS_PER_GROUP,
            photons=case.photons * case.rows_per_group / ROWS_PER_GROUP,
        )
        return study.draw_scan(few, seed)  # type: ignore[no-any-return]

    def draw(name: str, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
        attenuation, angles, axis = drawn(name, seed)
        return attenuation.copy(), angles.copy(), axis

    return draw
