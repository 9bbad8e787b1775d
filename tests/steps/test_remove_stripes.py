"""The step that removes stripes, on attenuation and on transmission."""

from typing import Any

import numpy as np
import pytest

from kernels.test_stripes import clean_scan, stripes
from tomarium.errors import ParameterError
from tomarium.model import Slab
from tomarium.pipeline.protocol.protocol import from_steps, preset
from tomarium.steps.core.context import Context
from tomarium.steps.stripes.remove_stripes import remove_stripes


@pytest.mark.parametrize("method", ["agreement", "sorting", "large", "dead", "wavelet", "all", "auto"])
def test_a_transmission_is_corrected_as_its_attenuation_is(method: Any) -> None:
    struck = stripes(clean_scan(0, 0.005), 0)[:, None]
    attenuation = Slab(struck, slice(0, 1), domain="attenuation")
    expected = remove_stripes(attenuation, context=Context(), method=method).data
    transmission = Slab(np.exp(-struck), slice(0, 1), domain="transmission")
    made = remove_stripes(transmission, context=Context(), method=method)
    assert made.domain == "transmission"
    # Rounding changes the order of values that are all but equal, and so which rank is smoothed.
    assert np.mean(abs(-np.log(made.data) - expected) > 2e-5) < 1e-3
    half = remove_stripes(attenuation, context=Context(), method=method, strength=0.5).data
    np.testing.assert_allclose(half, (struck + expected) / 2, atol=2e-5)


def test_what_auto_chose_stands_in_the_report() -> None:
    clean = clean_scan(0, 0.005)
    rows = np.stack([np.full_like(clean, 1), stripes(clean, 0)], axis=1)
    told = remove_stripes(
        Slab(rows, slice(0, 2), domain="attenuation"), context=Context(), method="auto"
    ).report
    assert told["remove_stripes.rows_none"] == told["remove_stripes.rows_all"] == 1
    assert told["remove_stripes.rows_double_flat_field"] == 0
    assert told["remove_stripes.columns_dead"] == 1
    assert told["remove_stripes.columns_constant"] > 50
    within = Slab(rows, slice(0, 2), halo=(0, 1), domain="attenuation")
    own = remove_stripes(within, context=Context(), method="auto").report
    assert own["remove_stripes.rows_none"] == 1
    assert own["remove_stripes.rows_all"] == 0, "the row of the halo is counted by the neighbour"


def test_too_few_angles_to_compare_are_refused() -> None:
    slab = Slab(np.ones((31, 1, 40), np.float32), slice(0, 1), domain="attenuation")
    with pytest.raises(ParameterError, match=r"31 angles are too few .* set remove_stripes.method=sorting"):
        remove_stripes(slab, context=Context())
    remove_stripes(slab, context=Context(), method="sorting")


def test_stripes_are_removed_before_phase_retrieval() -> None:
    names = [item.step.name for item in from_steps(["remove_stripes", "paganin"], preset("standard")).items]
    assert names.index("flat_field") < names.index("remove_stripes") < names.index("paganin")


@pytest.mark.parametrize(
    ("method", "domain"), [("agreement", "transmission"), ("sorting", "attenuation"), ("auto", "attenuation")]
)
def test_rows_are_corrected_alike_while_somebody_asks(method: Any, domain: Any) -> None:
    rows = stripes(clean_scan(0, 0.005), 0)[:, None] * np.linspace(0.8, 1, 6, dtype=np.float32)[None, :, None]
    slab = Slab(np.ascontiguousarray(rows), slice(0, 6), halo=(1, 0), domain=domain)
    expected = remove_stripes(slab, context=Context(), method=method)
    asked: list[tuple[int, int]] = []
    made = remove_stripes(
        slab, context=Context(on_progress=lambda done, total: asked.append((done, total))), method=method
    )
    assert asked == [(4, 6), (6, 6)]
    np.testing.assert_array_equal(made.data, expected.data)
    assert made.report == expected.report
