"""A link as JSON, in files and in crates: "tomarium link 1"; and what a link must be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.atomic_files import write_whole
from tomarium.errors import FormatError, InputError, ParameterError, UnitError
from tomarium.model.link import LINK_KINDS, Landmark, Link, is_link_id, read_frame, rows
from tomarium.specimen.pose import LARGEST_SCALE, similarity

FORM: Final = "tomarium link 1"
MOST_BYTES: Final = 4 << 20
MOST_LANDMARKS: Final = 10_000
_TEXTS: Final = ("method", "author", "software", "date", "evidence", "id", "withdrawn")
_LONGEST: Final = 4000
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?", re.ASCII)


def checked(link: Link) -> Link:
    """Demand that a link is sound.

    Parameters
    ----------
    link : Link
        As a file or a form told it.

    Returns
    -------
    Link
        The same.

    Raises
    ------
    InputError
        Its matrix is no similarity, changes the unit of length, or is mirrored without saying so; its covariance is
        none; or a text or a number cannot be.
    """
    name = f"the link from {link.from_frame or 'an image'} to {link.to_frame or 'another'}"
    for end in filter(None, (link.from_frame, link.to_frame)):
        read_frame(end)
    if link.from_frame and link.from_frame == link.to_frame:
        raise InputError(f"{name} joins a frame with itself; give two frames")
    if link.kind not in LINK_KINDS:
        raise InputError(
            f"{name}: the kind {link.kind[:40]!r} does not exist; there are {', '.join(LINK_KINDS)}"
        )
    matrix = np.asarray(link.matrix, np.float64)
    scale, rotation = similarity(matrix)
    if not 1 / LARGEST_SCALE <= scale <= LARGEST_SCALE:
        raise UnitError(
            f"{name} makes lengths {scale:.4g} times as long, but both frames are in metres; give a matrix for "
            f"points in metres"
        )
    if (np.linalg.det(rotation) < 0) != link.mirrored:
        raise InputError(
            f"{name} makes a mirror image and does not say so; state it with mirrored, or give a rotation"
            if not link.mirrored
            else f"{name} says that one is a mirror image, but its matrix is a rotation; negate one axis of the "
            f"matrix, or do not say mirrored"
        )
    _check_covariance(name, np.asarray(link.covariance, np.float64))
    if not np.isfinite(link.centre_m).all():
        raise InputError(f"{name}: centre_m is no point of three finite numbers")
    if link.residual_m is not None and not (math.isfinite(link.residual_m) and link.residual_m >= 0):
        raise InputError(
            f"{name}: residual_m = {link.residual_m} is no length; give one in m, or leave it out"
        )
    if link.date and not _DAY.fullmatch(link.date):
        raise InputError(f"{name}: the date {link.date[:40]!r} is no day; write it as 2026-11-20")
    if link.id and not is_link_id(link.id):
        raise InputError(
            f"{link.id[:80]!r} is no identifier of a link; write lower-case letters, digits and hyphens"
        )
    return link


def _check_covariance(name: str, covariance: Any) -> None:
    if covariance.shape != (6, 6) or not np.isfinite(covariance).all():
        raise InputError(f"{name}: its covariance is none of 6 x 6 finite numbers")
    sizes = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.nan_to_num(covariance / np.outer(sizes, sizes))
    unmeasured = covariance[(sizes == 0)[:, None] | (sizes == 0)[None, :]]
    asymmetric = np.abs(correlation - correlation.T).max() > 1e-6
    if (
        (np.diag(covariance) < 0).any()
        or unmeasured.any()
        or asymmetric
        or np.linalg.eigvalsh(correlation).min() < -1e-6
    ):
        raise InputError(
            f"{name}: its covariance is not symmetric and positive; give that of (rotation vector in rad, "
            f"translation in m)"
        )


def link_json(link: Link) -> dict[str, Any]:
    """Tell a link in JSON values.

    Parameters
    ----------
    link : Link
        Any.

    Returns
    -------
    dict
        `form`, `from`, `to`, `unit` ("m"), `matrix`, `covariance`, `centre_m`, `kind`, and what else is told.
    """
    fields = asdict(link)
    content: dict[str, Any] = {
        "form": FORM,
        "from": fields.pop("from_frame"),
        "to": fields.pop("to_frame"),
        "unit": "m",
        "matrix": [list(row) for row in fields.pop("matrix")],
        "covariance": [list(row) for row in fields.pop("covariance")],
        "centre_m": list(fields.pop("centre_m")),
    }
    landmarks = [
        {"name": landmark.name, "from_m": list(landmark.from_m), "to_m": list(landmark.to_m)}
        for landmark in link.landmarks
    ]
    del fields["landmarks"]
    content |= {key: value for key, value in fields.items() if value not in ("", None, False)}
    return content | ({"landmarks": landmarks} if landmarks else {})


def link_of(content: Mapping[str, Any], name: str = "link") -> Link:
    """Read a link from JSON values.

    Parameters
    ----------
    content : Mapping
        As `link_json` tells it. Keys that are unknown are passed over: other programs may add theirs.
    name : str
        What errors call it, such as the file.

    Returns
    -------
    Link
        Checked.

    Raises
    ------
    FormatError
        Something is missing or of another type.
    InputError
        The link is not sound.
    """
    try:
        if content["form"] != FORM:
            raise FormatError(f"{name}: its form is {str(content['form'])[:40]!r}; {FORM!r} was expected")
        if content.get("unit", "m") != "m":
            raise UnitError(f'{name}: its unit is {str(content["unit"])[:40]!r}; a link is in metres, "m"')
        texts = {key: _read_text(content, key) for key in _TEXTS}
        version, residual = content.get("version", 1), content.get("residual_m")
        if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < 1 << 31:
            raise FormatError(f"{name}: the version {str(version)[:40]!r} is no number from 1")
        if not isinstance(content.get("mirrored", False), bool):
            raise FormatError(f"{name}: mirrored is {content['mirrored']!r}; true or false was expected")
        link = Link(
            from_frame=_read_frame_name(content, "from"),
            to_frame=_read_frame_name(content, "to"),
            matrix=_read_array(content["matrix"], (4, 4)),
            covariance=_read_array(content["covariance"], (6, 6)),
            centre_m=_read_array([content.get("centre_m", (0, 0, 0))], (1, 3))[0],
            kind=_read_text(content, "kind"),
            mirrored=content.get("mirrored", False),
            residual_m=None if residual is None else _read_array([[residual]], (1, 1))[0][0],
            landmarks=tuple(
                _read_landmark(landmark) for landmark in list(content.get("landmarks", ()))[:MOST_LANDMARKS]
            ),
            version=version,
            **texts,
        )
    except KeyError as problem:
        raise FormatError(
            f"{name}: {problem} is missing; a link as tomarium writes it was expected, such as `tomarium align` makes"
        ) from problem
    except (TypeError, ValueError, AttributeError) as problem:
        raise FormatError(f"{name}: {problem}; a link as tomarium writes it was expected") from problem
    try:
        return checked(link)
    except InputError as problem:
        raise type(problem)(f"{name}: {problem}") from problem


def _read_array(values: Any, shape: tuple[int, int]) -> Any:
    read = rows(values)
    if len(read) != shape[0] or any(len(row) != shape[1] for row in read):
        raise ValueError(f"{shape[0]} x {shape[1]} numbers were expected")
    if not all(math.isfinite(number) for row in read for number in row):
        raise ValueError("a number is not finite")
    return read


def _read_landmark(content: Any) -> Landmark:
    return Landmark(
        str(content.get("name", ""))[:200],
        _read_array([content["from_m"]], (1, 3))[0],
        _read_array([content["to_m"]], (1, 3))[0],
    )


def _read_frame_name(content: Mapping[str, Any], key: str) -> str:
    """Read the name of a frame; "" where it is that of a file, which no catalogue knows."""
    try:
        return read_frame(_read_text(content, key)).name
    except ParameterError:
        return ""


def _read_text(content: Mapping[str, Any], key: str) -> str:
    text = content.get(key, "")
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError(f"{key} is no text of at most {_LONGEST} characters")
    return text


def read_link(path: Path) -> Link:
    """Read a link from a file; raises FormatError or InputError where it holds none that is sound."""
    return link_of(read_json(path), str(path))


def read_json(path: Path) -> dict[str, Any]:
    """Read the JSON object of a small file; raises FormatError where it holds none."""
    if path.stat().st_size > MOST_BYTES:
        raise FormatError(
            f"{path}: has more than {MOST_BYTES >> 20} MiB, which no link needs; give a link.json"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as problem:
        raise FormatError(
            f"{path}: is no JSON ({problem}); give a link.json, as `tomarium align` writes it"
        ) from problem
    if not isinstance(content, dict):
        raise FormatError(f"{path}: holds no JSON object; give a link.json, as `tomarium align` writes it")
    return content


def write_link(path: Path, link: Link) -> None:
    """Write a link to a file, over one that is there."""
    write_whole(path, (json.dumps(link_json(link), indent=1, ensure_ascii=False) + "\n").encode())
