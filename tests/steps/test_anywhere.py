"""Steps that take an array wherever it lies: there they compute, and nothing of it comes to the host by the way."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from contracts.test_steps import STEPS, example_scan, input_of, resolved
from stand_in_device import StandIn, put_in_place, strict, there
from tomarium.pipeline.plan.on_device import works_there
from tomarium.pipeline.run.slab_steps import make_ready, process

FURTHER: dict[str, dict[str, Any]] = {
    "remove_stripes": {"method": "sorting"},
    "half_acquisition": {"mode": "on"},
}
"""Values for which a step works anywhere, or does more than by default."""

ITEMS = {name: resolved(step, example_scan(step), FURTHER.get(name)) for name, step in STEPS.items()}
ANYWHERE = sorted(name for name, item in ITEMS.items() if works_there(item))


def test_these_steps_work_anywhere() -> None:
    least = {
        "flat_field",
        "minus_log",
        "paganin",
        "remove_stripes",
        "half_acquisition",
        "fbp",
        "remove_spikes",
    }
    least |= {"normalise_air", "double_flat_field", "sirt", "cgls", "tv"}
    assert least <= set(ANYWHERE)


@pytest.mark.parametrize("domain", ["counts", "transmission", "attenuation"])
@pytest.mark.parametrize("name", ANYWHERE)
def test_an_array_stays_where_it_is(name: str, domain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    step = STEPS[name]
    if domain not in step.accepts:
        return
    put_in_place(monkeypatch, StandIn())
    scan = example_scan(step, domain=domain)
    item = resolved(step, scan, FURTHER.get(name))
    slab = input_of(item, scan)
    ready = make_ready([item], scan, "row")
    expected = process(slab, ready)
    made = process(replace(slab, data=there(slab.data)), ready)
    assert type(made.data) is type(strict.asarray(0))
    assert made.data.device == there(0).device
    assert (made.domain, made.unit) == (expected.domain, expected.unit)
    assert made.report == pytest.approx(expected.report, rel=2e-4)  # sums of residuals are rounded
    np.testing.assert_allclose(made.data._array, expected.data, atol=1e-5 * np.ptp(expected.data), rtol=0)
