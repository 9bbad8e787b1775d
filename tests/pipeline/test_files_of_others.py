"""Parameter files of other programs are known by what they hold, and said in our words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tomarium.errors import InputError, ParameterError
from tomarium.pipeline.protocol.read import read
from tomarium.steps.core.serialization import ELSEWHERE, find_step

NABU = """\
# nabu 2026.1.2
[dataset]
location = scan.nx  # the NXtomo file
[preproc]
ccd_filter_enabled = 1
double_flatfield = 0
sino_rings_correction = vo
[phase]
method = Paganin
delta_beta = 50
unsharp_coeff = 3
unsharp_sigma = 1.2
[reconstruction]
rotation_axis_position = 62.2
fbp_filter_type = ramlak
start_z = 30
end_z = 33
"""
HTTOMO = """\
- method: standard_tomo
  module_path: httomo.data.hdf.loaders
- method: normalize
  module_path: tomopy.prep.normalize
- method: FISTA3d_tomobar
  module_path: httomolibgpu.recon.algorithm
- method: of_my_own
  module_path: mine
"""


def refused(folder: Path, name: str, text: str) -> str:
    """Write a file, and give what is said of it as a protocol."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        read(path)
    return str(refusal.value)


def test_a_configuration_of_nabu_is_said_as_a_command(tmp_path: Path) -> None:
    assert (
        "tomarium run scan.nx --step remove_spikes --step remove_stripes --set remove_stripes.method=all "
        "--step paganin --set paganin.delta_beta=50 --set paganin.unsharp_coefficient=3 "
        "--set paganin.unsharp_sigma_px=1.2 --axis 62.2 --set fbp.window=ramp --rows 30:34. "
    ) in refused(tmp_path, "nabu.conf", NABU)
    found = NABU.replace("62.2", "sliding-window").replace("end_z = 33", "end_z = -1")
    told = refused(tmp_path, "nabu.conf", found)
    assert "--axis" not in told  # the name of a method is no column
    assert "--rows 30:. " in told  # -1 is nabu's last slice
    assert "tomarium run SCAN." in refused(tmp_path, "nabu.conf", "[dataset]\n[reconstruction\n")


MORE_OF_NABU = """\
[dataset]
location = scan.nx
binning = 2
binning_z = 2
projections_subsampling = 4:1
[preproc]
flatfield = pca
normalize_srcurrent = 1
[reconstruction]
translation_movements_file = moved.txt
start_x = 100
end_x = 299
start_y = 10
end_y = -1
start_z = 30
end_z = 33
"""


def test_the_rest_of_what_coming_from_nabu_names_is_said_too(tmp_path: Path) -> None:
    told = refused(tmp_path, "nabu.conf", MORE_OF_NABU)
    assert (
        "tomarium run scan.nx --bin 2 --step select_views --set select_views.keep=1::4 --step normalise_beam "
        "--step dynamic_flat_field --shifts moved.txt --rows 15:17 --roi :,50:150. Rows of a slice run the other way"
    ) in told
    other = (
        MORE_OF_NABU.replace("binning_z = 2", "binning_z = 1").replace("4:1", "3").replace("start_y = 10", "")
    )
    told = refused(tmp_path, "nabu.conf", other)
    assert "--step bin --set bin.columns=2 --set bin.rows=1" in told
    assert "select_views.keep=::3" in told
    assert "--rows 30:34 --roi :,50:150. The page" in told
    whole = "[dataset]\n[reconstruction]\nstart_x = 0\nend_x = -1\nstart_z = 5\nend_z = -1\n"
    assert "tomarium run SCAN --rows 5:. The page" in refused(tmp_path, "nabu.conf", whole)


def test_a_par_of_pyhst2_opens_as_a_scan(tmp_path: Path) -> None:
    assert "opens as a scan" in refused(tmp_path, "bone.par", "FILE_PREFIX = bone_\nNUM_LAST_IMAGE = 9\n")


PYHST = """\
FILE_PREFIX = bone_
NUM_IMAGE_1 = 2048
NUM_IMAGE_2 = 1000
IMAGE_PIXEL_SIZE_1 = 0.65
DO_CCD_FILTER = YES
DO_PAGANIN = 1
PAGANIN_Lmicron = 65
PUS = 0.8
PUC = 3.0
BH_LUT_FILE = table.txt
FBFILTER = 1
ANGLE_OFFSET = 90
START_VOXEL_3 = 101
END_VOXEL_3 = 200
"""


def test_what_a_par_asks_for_is_said_as_a_command(tmp_path: Path) -> None:
    told = refused(tmp_path, "bone.par", PYHST)
    assert (
        "bone.par --step remove_spikes --step paganin --set paganin.length_px=100 "
        "--set paganin.unsharp_coefficient=3 --set paganin.unsharp_sigma_px=0.8 --set fbp.window=ramp "
        "--set fbp.angle_offset_deg=90 --rows 100:200; nothing here does BH_LUT_FILE. "
    ) in told


def test_methods_of_httomo_are_told_one_by_one(tmp_path: Path) -> None:
    told = refused(tmp_path, "pipeline.yaml", HTTOMO)
    assert (
        "normalize: the step flat_field; FISTA3d_tomobar: the step tv; of_my_own: nothing that is known"
        in told
    )


def test_a_protocol_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory; give a file of steps"):
        read(tmp_path / "mine.yaml")


@pytest.mark.parametrize("name", ["retrieve_phase", "FBP3d_tomobar", "remove_stripe_fw"])
def test_words_of_others_lead_to_ours(name: str) -> None:
    with pytest.raises(ParameterError, match="is no step of a protocol here: use the step"):
        find_step(name)


def test_what_they_lead_to_exists() -> None:
    assert all(word == word.lower() for word in ELSEWHERE)
    for told in ELSEWHERE.values():
        for step in re.findall("the step ([a-z_]+)", told):
            assert find_step(step).name == step
