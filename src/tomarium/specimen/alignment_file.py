"""What `tomarium align --out` wrote, as a link: how the image that moved lies in the one that was held."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tomarium import units
from tomarium.errors import FormatError, InputError
from tomarium.specimen.alignment import FREEDOMS
from tomarium.specimen.link_file import FORM


def is_alignment(content: Mapping[str, Any]) -> bool:
    """Tell whether JSON is that of an alignment and not of a link."""
    return "form" not in content and {"matrix", "covariance", "accepted"} <= content.keys()


def as_link_json(
    content: Mapping[str, Any], name: str, sigma_m: float | None = None, sigma_rad: float | None = None
) -> dict[str, Any]:
    """Put an alignment into the form of a link.

    Parameters
    ----------
    content : Mapping
        As `tomarium align --out` writes it: `matrix`, `covariance`, `centre_m`, `accepted`, `mirrored`, `method`, and
        where they are told `freedoms`, `score`, `null_level`, `tre_m` and `figures`.
    name : str
        What errors call it, such as the file.
    sigma_m, sigma_rad : float, optional
        How well the shifts and the turns are known that the images do not determine, as those out of the plane of two
        flat images are not.

    Returns
    -------
    dict
        For `link_file.link_of`, without frames.

    Raises
    ------
    InputError
        It was not accepted, or it leaves freedoms open and nobody says how well these are known.
    FormatError
        A number is missing.
    """
    if content["accepted"] is not True:
        raise InputError(
            f"{name}: the alignment was not accepted, so that it is no link; align the images again from a better "
            f"start or with landmarks"
        )
    try:
        covariance = [[float(number) for number in row] for row in content["covariance"]]
        open_ones = [freedom for freedom in FREEDOMS if freedom not in content.get("freedoms", FREEDOMS)]
        for freedom in open_ones:
            stated_sigma = sigma_rad if freedom.startswith("rotation") else sigma_m
            if stated_sigma is None:
                raise InputError(
                    f"{name}: the images do not determine {', '.join(open_ones)}; say how well the two are known to "
                    f'lie in one plane: --sigma "20 um" --sigma-turn "1 deg"'
                )
            number = FREEDOMS.index(freedom)
            covariance[number][number] = stated_sigma**2
    except (TypeError, ValueError, IndexError) as problem:
        raise FormatError(
            f"{name}: its covariance is none of 6 x 6 numbers, so that nobody knows how well the images are aligned; "
            f"align them again"
        ) from problem
    figures = content.get("figures")
    residual = figures.get("residual_m") if isinstance(figures, Mapping) else None
    return {
        "form": FORM,
        "from": "",
        "to": "",
        "matrix": content["matrix"],
        "covariance": covariance,
        "centre_m": content.get("centre_m", (0, 0, 0)),
        "kind": "landmark" if content.get("method") == "landmarks" else "automatic",
        "mirrored": content.get("mirrored", False),
        "residual_m": residual if isinstance(residual, (int, float)) else None,
        "method": _method(content),
    }


def _method(content: Mapping[str, Any]) -> str:
    words = ["found mirrored"] if content.get("mirrored") is True else []
    words.append(f"tomarium align: {content.get('method', '')}".rstrip(": "))
    if _is_number(content.get("score")):
        words.append(f"score {content['score']:.4g}")
    if _is_number(content.get("null_level")):
        words.append(f"unrelated places reach {content['null_level']:.4g}")
    if _is_number(content.get("tre_m")):
        words.append(f"error {units.show(content['tre_m'], 'm', 3)}")
    return ", ".join(words)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
