"""Where the rotation axis lies, by families of methods that must agree."""

from tomarium.kernels.axis.estimate import AxisEstimate, Candidate
from tomarium.kernels.axis.find import find
from tomarium.kernels.axis.rows import sampled_rows

__all__ = ["AxisEstimate", "Candidate", "find", "sampled_rows"]
