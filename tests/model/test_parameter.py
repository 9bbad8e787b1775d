"""What a parameter's key says to people."""

from typing import Any

import pytest

from tomarium.model import parameter
from tomarium.model.parameter import ENDINGS, PARAMETERS


@pytest.mark.parametrize(
    ("key", "value", "label", "shown"),
    [
        ("pixel_m", 0.65e-6, "Pixel size at the sample", "0.65 µm"),
        ("pixel_m", 65e-9, "Pixel size at the sample", "65 nm"),
        ("energy_kev", 20, "Photon energy", "20 keV"),
        ("axis_column", 1023.51234, "Rotation axis", "1023.51 px"),
        ("angles_deg", [0.0, 0.5, 1.0, 1.5, 180.0], "Rotation angles", "0° … 180° (5 values)"),
        ("roll_deg", 0.25, "Roll", "0.25°"),
        ("ring_radius_pixel", 7, "Ring radius pixel", "7 px"),
        ("projections", 123456789, "Projections", "123456789"),
        ("is_helical", False, "Is helical", "no"),
        ("m", 3, "M", "3"),
        ("sample_name", "M2", "Sample", "M2"),
        ("energy_kev", None, "Photon energy", "unknown"),
        ("limits", [1, 2.5], "Limits", "1, 2.5"),
    ],
)
def test_label_and_value(key: str, value: Any, label: str, shown: str) -> None:
    assert parameter.label(key) == label
    assert parameter.show(key, value) == shown


def test_table_and_endings_agree() -> None:
    for key, (label, unit) in PARAMETERS.items():
        assert label
        ending = key.rpartition("_")[2]
        if "_" in key and ending in ENDINGS:
            assert unit == ENDINGS[ending], key
