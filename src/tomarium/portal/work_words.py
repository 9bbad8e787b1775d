"""Sentences that the pages of work say, or workers told; each is translated before its values are put in."""

from __future__ import annotations

import re
from typing import Final

from tomarium.model.sentence import Sentence

ROW_AND_COLUMN: Final = "row %(row)s: column %(column)s, %(source)s"
VOXELS: Final = "%(width)s × %(height)s voxels, voxel size %(size)s"
AS_ONE: Final = "the picture shows %(factor)s × %(factor)s of them as one"
AVERAGED: Final = "%(columns)s columns and %(rows)s rows of the detector averaged"
AXIS_AT: Final = "axis at column %(column)s"
NO_AXIS: Final = "no axis was needed"
WAITS: Final = "waits for its turn"
STARTED: Final = "a worker is being started for it"
AT_IT: Final = "a worker is at it"
NOBODY: Final = (
    "no worker was heard in the last 20 s, so it waits; whoever runs this portal starts one: tomarium worker"
)
PARTS: Final = "%(stage)s: %(done)s of %(total)s"
STEP: Final = "reconstructing (%(step)s)"
FRAMES: Final = "%(views)s of %(columns)s × %(rows)s pixels"
_FRAMES: Final = re.compile(r"(?P<views>\d+) of (?P<columns>\d+) × (?P<rows>\d+) pixels")
_PARTS: Final = re.compile(r"(?P<stage>[^()]+)( \((?P<step>[^()]+)\))?: (?P<done>\d+) of (?P<total>\d+)")


def frames_told(shown: str) -> str:
    """Take apart how many projections there are, as `work_source.facts_of` words it; any other text is left."""
    match = _FRAMES.fullmatch(shown)
    return Sentence(FRAMES, **match.groupdict()) if match else shown


def stage_told(told: str) -> str:
    """Take apart what a job tells of its stage, as `stage_teller` words it; any other text is left."""
    match = _PARTS.fullmatch(told)
    if not match:
        return told
    stage = Sentence(STEP, step=match["step"]) if match["step"] else Sentence(match["stage"])
    return Sentence(PARTS, stage=stage, done=match["done"], total=match["total"])
