"""Steps that are written once for every array: where the array lies, there they compute."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.test_steps import STEPS, example_scan, input_of, resolved
from tomarium.pipeline.run.slab_steps import make_ready, process

strict = pytest.importorskip("array_api_strict")


@pytest.mark.parametrize("name", ["minus_log", "paganin"])
def test_an_array_stays_where_it_is(name: str) -> None:
    scan = example_scan(STEPS[name])
    item = resolved(STEPS[name], scan)
    slab = input_of(item, scan)
    ready = make_ready([item], scan, "row")
    expected = process(slab, ready)
    made = process(replace(slab, data=strict.asarray(slab.data)), ready)
    assert type(made.data) is type(strict.asarray(slab.data))
    assert (made.domain, made.unit, made.report) == (expected.domain, expected.unit, expected.report)
    np.testing.assert_allclose(np.asarray(made.data), expected.data, atol=1e-5 * np.ptp(expected.data))
