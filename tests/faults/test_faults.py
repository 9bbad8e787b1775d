"""What is stopped at any step is as before or as after, and the same again brings it to its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.judge import Sweep, compile_shim, compiler, points, sweeping
from faults.scenarios import SCENARIOS

EACH = {"run": 1, "upload": 1}
"""Steps of each kind of fault, where not 2; `make faults` takes a thousand in all."""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    if compiler() is None:
        pytest.skip("no C compiler for the shim that makes calls fail")
    home: Path = tmp_path_factory.mktemp("faults")
    with sweeping(compile_shim(home), home) as started:
        yield started


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_stopped_is_before_or_after_and_can_be_done_again(name: str, sweep: Sweep) -> None:
    assert sweep.steps(name) > 50
    wrong = [
        problem
        for kind, step in points(sweep.steps(name), "kfes", EACH.get(name, 2))
        for problem in sweep.problems(name, kind, step)
    ]
    assert not wrong, "\n".join(wrong)
