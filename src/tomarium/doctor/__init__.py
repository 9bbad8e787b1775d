"""The physics doctor: whether what a scan, a volume, a record or a table says of itself fits together.

One check is one small function in the module of its theme; `examine` finds them all by looking.
"""

from tomarium.doctor.core.check import Check, all_checks
from tomarium.doctor.core.examine import examine, examine_path
from tomarium.doctor.core.finding import Finding, Report
from tomarium.doctor.core.subject import Subject, subject_of

__all__ = ["Check", "Finding", "Report", "Subject", "all_checks", "examine", "examine_path", "subject_of"]
