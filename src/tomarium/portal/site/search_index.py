"""What the search of a site reads: one small entry a record, in a script that also a page opened as a file may load."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tomarium.catalogue.facets import FACETS, facets_of
from tomarium.catalogue.words import snippet
from tomarium.model import Record, parameter
from tomarium.standards.panet import label_of

NUMBERS: Final = ("pixel_m", "energy_kev")
LONGEST: Final = 600


def entry(record: Record, thumbnail: str) -> Mapping[str, Any]:
    """Describe a record for the search.

    Parameters
    ----------
    record : Record
        An open one.
    thumbnail : str
        Path of its small picture in the site; "" where there is none.

    Returns
    -------
    Mapping
        `id`, `title`, `creators`, `created` (ISO 8601), `text` (short), `words` (all that is searched, besides),
        `facets` (pairs of name and value), `numbers` (name → number in m or keV), `thumbnail`, `licence`, `bytes`.
    """
    card = (" ".join(text.split()) for text in record.card.told.values())
    words = dict.fromkeys((*record.keywords, *map(label_of, record.techniques), *_parameters(record), *card))
    voxel = record.volume.get("voxel_m")
    sizes = voxel if isinstance(voxel, list | tuple) else [voxel]
    numbers = {"pixel": float(sizes[-1]) if sizes and sizes[-1] else None}
    energy = record.parameters.get("energy_kev")
    numbers["energy"] = float(energy.value) if energy and isinstance(energy.value, int | float) else None
    return {
        "id": record.id,
        "title": record.title,
        "creators": [person.name for person in record.creators],
        "created": record.created.isoformat(),
        "text": snippet(record.description, ())[:LONGEST],
        "words": " ".join(words),
        "facets": [list(facet) for facet in facets_of(record) if facet[0] in FACETS],
        "numbers": {name: number for name, number in numbers.items() if number is not None},
        "thumbnail": thumbnail,
        "licence": record.licence,
        "bytes": sum(file.bytes for file in record.files),
    }


def _parameters(record: Record) -> Iterable[str]:
    for key, value in record.parameters.items():
        if isinstance(value.value, str | int | float) and len(str(value.value)) <= 80:
            yield parameter.show(key, value.value)


def script(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """Write the entries as a script.

    Parameters
    ----------
    entries : iterable of Mapping
        From `entry`.

    Returns
    -------
    bytes
        JavaScript that gives them to `tomariumSearch`, with the labels of the facets.
    """
    data = {"facets": FACETS, "records": list(entries)}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f"window.tomariumSearch={text};\n".encode()
