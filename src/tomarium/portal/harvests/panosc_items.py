"""What is kept of entities of the PaNOSC search API, and files of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tomarium.catalogue.harvested import Item
from tomarium.errors import FormatError
from tomarium.standards.panosc import keyed, read_shared, techniques_of

KINDS: Final = {"Instruments": "instrument", "Documents": "document", "Datasets": "dataset"}
"""What is listed, in this order, and as what it is kept."""
MODELS: Final = {"dataset": "Dataset", "document": "Document", "instrument": "Instrument"}
LARGEST_FILE_BYTES: Final = 500_000_000


def read_file(file: Path) -> list[Item]:
    """Read the items of a file of PaNOSC entities.

    Parameters
    ----------
    file : Path
        JSON: that of LoopBack's memory connector, as the reference implementation has it, or an object with lists
        `Datasets`, `Documents` and `Instruments` as the API answers them.

    Returns
    -------
    list of Item
        All that have an identifier.

    Raises
    ------
    FormatError
        It is no such file.
    """
    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            raise FormatError(
                f"{file}: has more than {LARGEST_FILE_BYTES} bytes; harvest it from its address"
            )
        value = json.loads(file.read_text(encoding="utf-8"))
        lists = _joined(value["models"]) if isinstance(value, dict) and "models" in value else value
        listed = [(kind, entity) for name, kind in KINDS.items() for entity in lists.get(name, ())]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as problem:
        raise FormatError(
            f"{file}: is no file of PaNOSC entities ({problem}); it is JSON with the lists Datasets, Documents and "
            "Instruments, or a file of LoopBack's memory connector"
        ) from problem
    items = [item for kind, entity in listed if isinstance(entity, dict) and (item := item_of(kind, entity))]
    if not items:
        raise FormatError(f"{file}: holds no dataset, document or instrument with a pid")
    return items


def _joined(models: Mapping[str, Mapping[str, str]]) -> dict[str, list[dict[str, Any]]]:
    """Put together what the tables of LoopBack's memory connector tell, as the API would answer it."""
    rows = {name: [dict(json.loads(text)) for text in table.values()] for name, table in models.items()}

    def of(name: str, key: str, value: Any) -> list[dict[str, Any]]:
        return [row for row in rows.get(name, ()) if row.get(key) == value and value is not None]

    def by(
        name: str, through: str, near_key: str, far_key: str, value: Any, id: str = "pid"
    ) -> list[dict[str, Any]]:
        return [entity for row in of(through, near_key, value) for entity in of(name, id, row.get(far_key))]

    for entity in rows.get("Dataset", ()):
        entity |= {
            "parameters": of("Parameter", "datasetId", entity["pid"]),
            "files": of("File", "datasetId", entity["pid"]),
            "samples": by("Sample", "DatasetSample", "datasetId", "sampleId", entity["pid"]),
            "techniques": by("Technique", "DatasetTechnique", "datasetId", "techniqueId", entity["pid"]),
            "instrument": next(iter(of("Instrument", "pid", entity.get("instrumentId"))), None),
        }
    for entity in rows.get("Document", ()):
        members = [
            row | {"person": next(iter(of("Person", "id", row.get("personId"))), None),
                   "affiliation": next(iter(of("Affiliation", "id", row.get("affiliationId"))), None)}
            for row in of("Member", "documentId", entity["pid"])
        ]  # fmt: skip
        linked = of("DocumentDataset", "documentId", entity["pid"])
        entity |= {"members": members, "parameters": of("Parameter", "documentId", entity["pid"]),
                "datasets": [{"pid": row.get("datasetId")} for row in linked]}  # fmt: skip
    return {f"{name}s": rows.get(name, []) for name in MODELS.values()}


def item_of(kind: str, entity: Mapping[str, Any]) -> Item | None:
    """Make what is kept of an entity of the PaNOSC search API; None where it has no identifier.

    Parameters
    ----------
    kind : str
        "dataset", "document" or "instrument".
    entity : Mapping
        As the API answers it.

    Returns
    -------
    Item or None
        All that it told is in `content`.
    """
    shared = read_shared(MODELS[kind], entity)
    if shared is None:
        return None
    body, instrument = shared.body, entity.get("instrument")
    place = instrument if isinstance(instrument, Mapping) else {}
    samples = [
        ": ".join(filter(None, (str(sample.get("name") or ""), str(sample.get("description") or ""))))
        for sample in body.get("samples", ())
    ]
    size = body.get("size")
    return Item(
        identifier=shared.pid,
        kind=kind,
        title=str(body.get("title") or body.get("name") or shared.pid),
        description=str(body.get("summary") or "")
        or "; ".join(f"Sample {sample}" for sample in samples if sample),
        created=str(body.get("creationDate") or ""),
        keywords=tuple(body.get("keywords", ())),
        techniques=techniques_of(body),
        instrument=str(place.get("name") or ""),
        facility=str(place.get("facility") or ""),
        doi=shared.pid if shared.pid.startswith("10.") else "",
        address=_address(shared.pid, body),
        bytes=int(size) if isinstance(size, (int, float)) and 0 <= size < 2**62 else 0,
        parameters=keyed(body.get("parameters", ())),
        content=dict(entity),
    )


def _address(pid: str, body: Mapping[str, Any]) -> str:
    """Return the address of a dataset's page: as it is told, or where its DOI or handle leads."""
    url = str(body.get("url") or "")
    if url.startswith(("https://", "http://")):
        return url
    if "/" not in pid or " " in pid:
        return ""
    if pid.startswith("10."):
        return f"https://doi.org/{pid}"
    return f"https://hdl.handle.net/{pid}" if pid.startswith(("20.", "21.")) else ""
