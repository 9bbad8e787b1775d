"""What speaks against trusting a result is counted against what was worked on, not against the whole scan."""

from dataclasses import replace

from contracts.test_steps import make_scan
from tomarium.pipeline.cautions import cautions


def test_a_starved_row_of_a_tall_scan_is_told() -> None:
    scan = make_scan()
    angles, rows, columns = scan.shape
    quality = {"flat_field.clipped": 0.0011 * angles * columns}
    assert not any("too few photons" in text for text in cautions(scan, {}, quality, 0))
    [told] = cautions(scan, {}, quality, 0, rows=1)
    assert told.startswith("0.11 % of the counts")
    [told] = cautions(scan, {}, {"flat_field.clipped": float(angles * columns)}, 0, rows=1)
    assert told.startswith("100 % of the counts")
    assert rows > 1


def test_what_is_not_known_is_told() -> None:
    told = cautions(replace(make_scan(), pixel_m=None, darks=None), {}, {}, 3)
    assert ["1/px" in told[0], "darks are taken as 0" in told[1], "3 voxels" in told[2]] == [True] * 3
