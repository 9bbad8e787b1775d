"""What is told of a fusion: figures for machines, sentences for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from tomarium import units
from tomarium.specimen.fusion import features
from tomarium.specimen.fusion.class_map import FEWEST_OF_A_PHASE
from tomarium.specimen.fusion.classifier import FEWEST_ON_A_LEAF, GAP, TREES
from tomarium.specimen.fusion.coverage import REFERENCE
from tomarium.specimen.fusion.fuse import Fusion
from tomarium.specimen.fusion.judgement import SEPARABLE

FORM: Final = "tomarium fusion 1"
SURE: Final = 0.9
"""Share of a phase's voxels that must be found, and of what is called so that must be it, to say that it is sure."""

_UNLIKE: Final = 0.05
_DOUBTFUL: Final = 60  # % of confidence below which a voxel is said to be unsure
_HOLDS: Final = 0.05  # calibration error up to which confidences are said to hold
_DIGITS: Final = 5


def report_of(fusion: Fusion, names: Mapping[int, str], maps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tell a fusion in JSON values.

    Parameters
    ----------
    fusion : Fusion
        As `fuse` returned it.
    names : Mapping of int to str
        Name of each phase; "phase 3" where one has none.
    maps : sequence of Mapping
        What is known of each map, JSON-ready: its name and link.

    Returns
    -------
    dict
        Shares from 0 to 1, lengths in m; None for what is not known. `sentences` are for people, each with `sure`.
    """
    judged, counted = fusion.judgement, fusion.counted
    phases = [int(phase) for phase in fusion.learned.phases]
    names_by_phase = {phase: names.get(phase, f"phase {phase}") for phase in phases}
    content: dict[str, Any] = {
        "form": FORM,
        "phases": [
            {
                "number": number,
                "name": names_by_phase[number],
                "samples": int((fusion.samples.classes == number).sum()),
                "voxels": int(counted.voxels[i]),
                "volume_share": _number(fusion.fractions[i, 0]),
                "volume_interval": _numbers(fusion.fractions[i, 1:]),
                "map_share": _number(fusion.on_maps[i, 0]),
                "map_interval": _numbers(fusion.on_maps[i, 1:]),
                "found": _number(judged.recalls[i]),
                "right": _number(judged.precisions[i])
            }
            for i, number in enumerate(phases)
        ],
        "unknown_voxels": counted.unknown,
        "held_out": {
            "accuracy": _number(judged.accuracy),
            "interval": _numbers(judged.accuracy_interval),
            "balanced": _number(judged.balanced),
            "balanced_interval": _numbers(judged.balanced_interval),
            "chance": _number(judged.chance),
            "balanced_chance": _number(judged.balanced_chance),
            "parts": int(fusion.learned.held_out.folds.max()) + 1,
            "blocks": len(np.unique(fusion.samples.blocks)),
            "gap_voxels": GAP,
            "confusion": [_numbers(row / max(row.sum(), 1e-12)) for row in judged.confusion],
            "calibration_error": _number(judged.calibration_error),
            "curve": [
                {"confidence": _number(sure), "right": _number(true), "weight": _number(weight)}
                for sure, true, weight in judged.curve
            ],
        },
        "pairs": [
            {
                "phases": [pair.one, pair.other],
                "auc": _number(pair.auc),
                "interval": _numbers(pair.interval),
                "mistaken": _number(pair.mistaken),
                "separable": pair.separable,
            }
            for pair in judged.pairs
        ],
        "separable_from": SEPARABLE,
        "unlike_share": _number(fusion.unlike),
        "unlike_by_chance": round(1 - REFERENCE, 6),
        "confidence": {
            "mean": _number(counted.sure @ np.arange(101) / max(1, counted.sure.sum()) / 100),
            "below": _DOUBTFUL / 100,
            "share_below": _number(counted.sure[:_DOUBTFUL].sum() / max(1, counted.sure.sum())),
        },
        "maps": [
            {**map_report, "inside_share": _number(inside), "sigma_m": _number(sigma), "samples": int(count)}
            for map_report, inside, sigma, count in zip(
                maps, fusion.samples.inside, fusion.samples.sigma_m,
                np.bincount(fusion.samples.maps, minlength=len(maps)), strict=True,
            )
        ],
        "look_next": [
            {"normal": _numbers(section.normal), "through_m": _numbers(section.through_m),
             "gain": _number(section.gain)}
            for section in fusion.sections
        ],
        "method": {
            "classifier": "forest of decision trees",
            "trees": TREES,
            "fewest_on_a_leaf": FEWEST_ON_A_LEAF,
            "features": list(features.NAMES),
            "calibration": {
                "power": _number(fusion.learned.calibration.power),
                "offsets": _numbers(fusion.learned.calibration.offsets),
            },
        },
    }  # fmt: skip
    content["sentences"] = [
        {"sure": sure, "text": text} for sure, text in _sentences(content, names_by_phase)
    ]
    return content


def _sentences(report: Mapping[str, Any], names_by_phase: Mapping[int, str]) -> list[tuple[bool, str]]:
    """Say what is sure and what is not, the most important first."""
    held, sentences = report["held_out"], []
    sentences.append((
        True,
        f"On parts of the maps that were held out, {_percent(held['accuracy'])} of the voxels were told right (95 %: "
        f"{_percent(held['interval'][0])} to {_percent(held['interval'][1])}); always telling the commonest phase "
        f"would reach {_percent(held['chance'])}.",
    ))  # fmt: skip
    good = [
        phase["name"] for phase in report["phases"] if min(phase["found"] or 0, phase["right"] or 0) >= SURE
    ]
    if good:
        sentences.append(
            (True, f"Found surely ({_percent(SURE)} or more right, both ways): {', '.join(good)}.")
        )
    for phase in report["phases"]:
        if phase["name"] not in good:
            sentences.append((
                False,
                f"{phase['name']}: {_percent(phase['found'])} of its voxels are found, and {_percent(phase['right'])} "
                f"of what is called so is it.",
            ))  # fmt: skip
    for pair in report["pairs"]:
        first, second = (names_by_phase[number] for number in pair["phases"])
        if pair["separable"] is False:
            sentences.append((
                False,
                f"{first} and {second} cannot be told apart in this volume: of a voxel of each, the right one is the "
                f"likelier in {_percent(pair['auc'])} of cases ({_percent(0.5)} is chance, {_percent(SEPARABLE)} was "
                f"demanded). Take them together, or look at a volume in which they differ.",
            ))  # fmt: skip
        elif pair["separable"] is None:
            sentences.append((
                False,
                f"Whether {first} and {second} can be told apart is not known: one has fewer than {FEWEST_OF_A_PHASE} "
                f"voxels on the maps.",
            ))  # fmt: skip
    error = held["calibration_error"]
    sentences.append((
        error <= _HOLDS,
        f"A confidence is off by {100 * error:.1f} percentage points in the mean"
        + (": 80 % means about 80 %." if error <= _HOLDS else ": do not take it as a probability."),
    ))  # fmt: skip
    sentences.append((
        report["confidence"]["share_below"] < _UNLIKE,
        f"{_percent(report['confidence']['share_below'])} of the volume is told with less than {_DOUBTFUL} % "
        f"confidence.",
    ))  # fmt: skip
    for phase in report["phases"]:
        low, high = phase["volume_interval"]
        lowest, highest = phase["map_interval"]
        apart = low > highest or high < lowest
        sentences.append((
            not apart,
            f"{phase['name']}: {_percent(phase['volume_share'])} of the volume (95 %: {_percent(low)} to "
            f"{_percent(high)}), {_percent(phase['map_share'])} of the maps ({_percent(lowest)} to {_percent(highest)})"
            + ("; the maps are not representative for it." if apart else "."),
        ))  # fmt: skip
    unlike = report["unlike_share"]
    sentences.append((
        unlike <= _UNLIKE,
        f"{_percent(unlike)} of the volume looks like nothing on the maps ({_percent(report['unlike_by_chance'])} "
        f"would by chance)" + ("." if unlike <= _UNLIKE else "; what is told there is a guess."),
    ))  # fmt: skip
    if report["look_next"]:
        best = report["look_next"][0]
        at = ", ".join(units.show(value, "m", 3) for value in best["through_m"])
        normal = ", ".join(f"{value:.2f}" for value in best["normal"])
        sentences.append((
            False,
            f"Least is known of voxels like those in the plane through {at} (x, y, z) across the direction ({normal}), "
            f"{best['gain']:.1f} times less than of those in a plane anywhere: a place for a further map.",
        ))  # fmt: skip
    for map_report in report["maps"]:
        if map_report["inside_share"] < 0.5:
            sentences.append((
                False,
                f"Only {_percent(map_report['inside_share'])} of {map_report['name']} lies in the volume."
            ))  # fmt: skip
    return sentences


def _percent(share: float | None) -> str:
    return "an unknown share" if share is None else f"{100 * share:.3g} %"


def _number(value: Any) -> float | None:
    number = float(value)
    return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None


def _numbers(values: Any) -> list[float | None]:
    return [_number(value) for value in values]
