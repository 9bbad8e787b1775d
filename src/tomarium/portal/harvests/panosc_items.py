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
        told = json.loads(file.read_text(encoding="utf-8"))
        lists = _joined(told["models"]) if isinstance(told, dict) and "models" in told else told
        listed = [(kind, one) for name, kind in KINDS.items() for one in lists.get(name, ())]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as problem:
        raise FormatError(
            f"{file}: is no file of PaNOSC entities ({problem}); it is JSON with the lists Datasets, Documents and "
            "Instruments, or a file of LoopBack's memory connector"
        ) from problem
    items = [item for kind, one in listed if isinstance(one, dict) and (item := item_of(kind, one))]
    if not items:
        raise FormatError(f"{file}: holds no dataset, document or instrument with a pid")
    return items


def _joined(models: Mapping[str, Mapping[str, str]]) -> dict[str, list[dict[str, Any]]]:
    """Put together what the tables of LoopBack's memory connector tell, as the API would answer it."""
    rows = {name: [dict(json.loads(text)) for text in table.values()] for name, table in models.items()}

    def of(name: str, key: str, value: Any) -> list[dict[str, Any]]:
        return [row for row in rows.get(name, ()) if row.get(key) == value and value is not None]

    def by(
        name: str, through: str, here: str, there: str, value: Any, id: str = "pid"
    ) -> list[dict[str, Any]]:
        return [one for row in of(through, here, value) for one in of(name, id, row.get(there))]

    for one in rows.get("Dataset", ()):
        one |= {
            "parameters": of("Parameter", "datasetId", one["pid"]),
            "files": of("File", "datasetId", one["pid"]),
            "samples": by("Sample", "DatasetSample", "datasetId", "sampleId", one["pid"]),
            "techniques": by("Technique", "DatasetTechnique", "datasetId", "techniqueId", one["pid"]),
            "instrument": next(iter(of("Instrument", "pid", one.get("instrumentId"))), None),
        }
    for one in rows.get("Document", ()):
        members = [
            row | {"person": next(iter(of("Person", "id", row.get("personId"))), None),
                   "affiliation": next(iter(of("Affiliation", "id", row.get("affiliationId"))), None)}
            for row in of("Member", "documentId", one["pid"])
        ]  # fmt: skip
        linked = of("DocumentDataset", "documentId", one["pid"])
        one |= {"members": members, "parameters": of("Parameter", "documentId", one["pid"]),
                "datasets": [{"pid": row.get("datasetId")} for row in linked]}  # fmt: skip
    return {f"{name}s": rows.get(name, []) for name in MODELS.values()}


def item_of(kind: str, told: Mapping[str, Any]) -> Item | None:
    """Make what is kept of an entity of the PaNOSC search API; None where it has no identifier.

    Parameters
    ----------
    kind : str
        "dataset", "document" or "instrument".
    told : Mapping
        As the API answers it.

    Returns
    -------
    Item or None
        All that it told is in `content`.
    """
    shared = read_shared(MODELS[kind], told)
    if shared is None:
        return None
    body, instrument = shared.body, told.get("instrument")
    place = instrument if isinstance(instrument, Mapping) else {}
    samples = [
        ": ".join(filter(None, (str(one.get("name") or ""), str(one.get("description") or ""))))
        for one in body.get("samples", ())
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
        content=dict(told),
    )


def _address(pid: str, body: Mapping[str, Any]) -> str:
    """Return the address of a dataset's page: as it is told, or where its DOI or handle leads."""
    told = str(body.get("url") or "")
    if told.startswith(("https://", "http://")):
        return told
    if "/" not in pid or " " in pid:
        return ""
    if pid.startswith("10."):
        return f"https://doi.org/{pid}"
    return f"https://hdl.handle.net/{pid}" if pid.startswith(("20.", "21.")) else ""
