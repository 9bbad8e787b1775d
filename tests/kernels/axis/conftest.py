"""The phantoms of benchmarks/axis_study.py: tests and study must draw the same."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


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
