"""Sentences that the pages of work say, or workers told; each is translated before its values are put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tomarium import units
from tomarium.model.sentence import Sentence, joined

ROW_AND_COLUMN: Final = "row %(row)s: column %(column)s, %(source)s"
VOXELS: Final = "%(width)s × %(height)s voxels, voxel size %(size)s"
AS_ONE: Final = "the picture shows %(factor)s × %(factor)s of them as one"
AVERAGED: Final = "%(columns)s × %(rows)s pixels of the detector averaged to one"
GIVEN_AS: Final = "given in the protocol as %(name)s"
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


def place_of(facts: Mapping[str, Any]) -> Sentence:
    """Tell how many voxels a slice has, how large they are, and whether pixels were averaged for it."""
    height, width = facts["full"]
    pixel = units.show(facts["pixel_m"], "m") if facts["pixel_m"] else Sentence("not known")
    told = [Sentence(VOXELS, width=width, height=height, size=pixel)]
    if facts["factor"] > 1:
        told.append(Sentence(AS_ONE, factor=facts["factor"]))
    rows, columns = facts.get("binning", (1, 1))
    if (rows, columns) != (1, 1):
        told.append(Sentence(AVERAGED, columns=columns, rows=rows))
    return joined(told, "; ")


def axis_of(facts: Mapping[str, Any]) -> Sentence:
    """Tell where the axis of a slice is, and how that is known."""
    column = facts["axis_column"]
    if column is None:
        return Sentence(NO_AXIS)
    return joined([Sentence(AXIS_AT, column=f"{column:.2f}"), _source(facts["axis_source"])], ", ")


def _source(source: str) -> Sentence:
    """Take apart where the column of an axis comes from: "found, confidence high"; any other words are left."""
    if source.startswith(start := GIVEN_AS.partition("%")[0]):
        return Sentence(GIVEN_AS, name=source.removeprefix(start))
    return joined(source.split(", "), ", ")


def stage_told(told: str) -> str:
    """Take apart what a job tells of its stage, as `stage_teller` words it; any other text is left."""
    match = _PARTS.fullmatch(told)
    if not match:
        return told
    stage = Sentence(STEP, step=match["step"]) if match["step"] else Sentence(match["stage"])
    return Sentence(PARTS, stage=stage, done=match["done"], total=match["total"])
