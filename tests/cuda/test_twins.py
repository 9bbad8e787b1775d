"""CUDA kernels do what their twins do, in whatever order their threads run; on the processor, where there is no GPU."""

import pytest

from cuda_on_processor import ORDERS, OnProcessor, why_not
from cuda_twins import TWINS

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("twin", TWINS)
def test_a_kernel_does_what_its_twin_does(twin: str, order: str) -> None:
    TWINS[twin](OnProcessor(order))
