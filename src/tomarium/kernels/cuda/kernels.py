"""What runs on a GPU: functions of arrays that lie there.

Every function takes the `Modules` of the device first, and works in the current stream of that device. Arrays are
C-contiguous and lie on it; results are written into `out`. Nothing is copied to the host but counts and what is not
finite, where a function says so.
"""

from tomarium.kernels.cuda.direct import backproject, direct_fbp
from tomarium.kernels.cuda.flat_field import fill_invalid, flat_log
from tomarium.kernels.cuda.gridding import GridTables, fbp_tables, grid_fbp, scratch_bytes
from tomarium.kernels.cuda.projection import project, project_adjoint, projection_tables
from tomarium.kernels.cuda.spikes import despike
from tomarium.kernels.cuda.stripes import sort_stripes

__all__ = [
    "GridTables",
    "backproject",
    "despike",
    "direct_fbp",
    "fbp_tables",
    "fill_invalid",
    "flat_log",
    "grid_fbp",
    "project",
    "project_adjoint",
    "projection_tables",
    "scratch_bytes",
    "sort_stripes",
]
