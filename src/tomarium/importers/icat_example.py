"""Python-icat's example of a facility's content (`example_data.yaml`), spelled as `icatdump` spells the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Its names of types → those of ICAT.
_TYPES: Final = {
    "applications": "application",
    "data_publication_types": "dataPublicationType",
    "data_publications": "dataPublication",
    "datafile_formats": "datafileFormat",
    "dataset_types": "datasetType",
    "facilities": "facility",
    "facility_cycles": "facilityCycle",
    "fundings": "fundingReference",
    "instruments": "instrument",
    "investigation_types": "investigationType",
    "investigations": "investigation",
    "jobs": "job",
    "parameter_types": "parameterType",
    "publications": "publication",
    "related_datafiles": "relatedDatafile",
    "sample_types": "sampleType",
    "studies": "study",
    "techniques": "technique",
    "users": "user",
}
_ROLES: Final = {"invpi": "Principal Investigator", "invcol": "Investigator", "invguest": "Guest"}


def as_dump(document: Mapping[str, Any]) -> dict[str, Any]:
    """Spell a document as a dump does.

    Parameters
    ----------
    document : Mapping
        Of a YAML file.

    Returns
    -------
    dict
        Type → key → attributes, embedded lists and keys of others; a document that is a dump already is returned as it
        is.
    """
    if not set(document) & set(_TYPES):
        return dict(document)
    dump: dict[str, Any] = {}
    for name, entities in document.items():
        dump[_TYPES.get(name, name)] = entities if not isinstance(entities, Mapping) else dict(entities)
    dump["facilityCycle"] = _cycles(document.get("facility_cycles"))
    _investigations(dump)
    _publications(dump)
    _jobs(dump)
    for key, study in _pairs(dump, "study"):
        links = [{"investigation": investigation} for investigation in study.pop("investigations", [])]
        dump["study"][key] = study | {"studyInvestigations": links}
    for key, instrument in _pairs(dump, "instrument"):
        scientist = instrument.pop("instrumentscientist", None)
        technique = instrument.pop("technique", None)
        scientists = {"instrumentScientists": [{"user": scientist}]} if scientist else {}
        dump["instrument"][key] = instrument | scientists | ({"technique": technique} if technique else {})
    for key, type in _pairs(dump, "parameterType"):
        values = [{"value": value} for value in type.pop("values", [])]
        dump["parameterType"][key] = type | ({"permissibleStringValues": values} if values else {})
    for key, related in _pairs(dump, "relatedDatafile"):
        ends = {"sourceDatafile": related.pop("source", {}), "destDatafile": related.pop("dest", {})}
        dump["relatedDatafile"][key] = related | {name: _file_key(end) for name, end in ends.items()}
        if {"fileSize"} & set(ends["destDatafile"]):
            _add_file(dump, ends["destDatafile"])
    return dump


def _pairs(dump: Mapping[str, Any], type: str) -> list[tuple[str, dict[str, Any]]]:
    entities = dump.get(type)
    return [(key, dict(entity)) for key, entity in entities.items()] if isinstance(entities, Mapping) else []


def _cycles(document: Any) -> dict[str, Any]:
    """Name the cycles of each year; their days are those of the example's makers, and none of this catalogue's."""
    rules = document if isinstance(document, list) else []
    return {f"cycles {k}": {"name": f"cycles {k}", "rule": str(rule)} for k, rule in enumerate(rules)}


def _investigations(dump: dict[str, Any]) -> None:
    samples: dict[str, Any] = {}
    for key, investigation in _pairs(dump, "investigation"):
        users = [
            {"user": user, "role": role}
            for name, role in _ROLES.items()
            for user in _as_list(investigation.pop(name, None))
        ]
        sample = investigation.pop("sample", None)
        instrument = investigation.pop("instrument", None)
        if isinstance(sample, Mapping):
            samples[f"{key}/sample"] = {**sample, "investigation": key}
        datasets = [
            _dataset(dataset, f"{key}/sample" if sample else "", instrument)
            for dataset in investigation.pop("datasets", [])
        ]
        dump["investigation"][key] = investigation | {
            "investigationUsers": users,
            "investigationInstruments": [{"instrument": instrument}] if instrument else [],
            "keywords": [{"name": word} for word in investigation.pop("keywords", [])],
            "fundingReferences": [{"funding": fund} for fund in investigation.pop("fundingReferences", [])],
        }
        for dataset in datasets:
            _put_dataset(dump, {**dataset, "investigation": key})
    if samples:
        dump["sample"] = samples


def _dataset(dataset: Mapping[str, Any], sample: str, instrument: Any) -> dict[str, Any]:
    links = {"sample": sample} if sample else {}
    return {**dataset, **links, "datasetInstruments": [{"instrument": instrument}] if instrument else []}


def _publications(dump: dict[str, Any]) -> None:
    for key, publication in _pairs(dump, "dataPublication"):
        content = f"{key}/content"
        dataset = publication.pop("dataset", None)
        links = []
        if isinstance(dataset, Mapping):
            links = [{"dataset": _add_dataset(dump, dataset)}]
        dump.setdefault("dataCollection", {})[content] = {"dataCollectionDatasets": links}
        dump["dataPublication"][key] = publication | {
            "content": content,
            "fundingReferences": [{"funding": fund} for fund in publication.pop("fundingReferences", [])],
        }


def _jobs(dump: dict[str, Any]) -> None:
    for key, job in _pairs(dump, "job"):
        dump_job: dict[str, Any] = {"application": job.get("application")}
        for end, name in (("input", "inputDataCollection"), ("output", "outputDataCollection")):
            collection = job.get(end) or {}
            datasets = [
                {"dataset": _add_dataset(dump, dataset) if "startDate" in dataset else _dataset_key(dataset)}
                for dataset in collection.get("datasets", [])
            ]
            files = []
            for datafile in collection.get("datafiles", []):
                if "fileSize" in datafile:
                    _add_file(dump, datafile)
                files.append({"datafile": _file_key(datafile)})
            dump.setdefault("dataCollection", {})[f"{key}/{end}"] = {
                "doi": collection.get("doi"),
                "parameters": collection.get("parameters", []),
                "dataCollectionDatasets": datasets,
                "dataCollectionDatafiles": files,
            }
            dump_job[name] = f"{key}/{end}"
        dump["job"][key] = dump_job


def _add_dataset(dump: dict[str, Any], dataset: Mapping[str, Any]) -> str:
    return _put_dataset(dump, _dataset(dataset, "", None) | {"investigation": dataset.get("investigation")})


def _put_dataset(dump: dict[str, Any], dataset: dict[str, Any]) -> str:
    """Add a dataset, and its files as objects of their own, which others may name."""
    key = _dataset_key(dataset)
    for datafile in dataset.pop("datafiles", []):
        _add_file(dump, {**datafile, "investigation": dataset["investigation"], "dataset": dataset["name"]})
    dump.setdefault("dataset", {})[key] = dataset
    return key


def _add_file(dump: dict[str, Any], datafile: Mapping[str, Any]) -> None:
    own = {
        name: value for name, value in datafile.items() if name not in ("dataset", "investigation", "format")
    }
    dump.setdefault("datafile", {})[_file_key(datafile)] = own | {
        "datafileFormat": datafile.get("format"),
        "dataset": _dataset_key(
            {"investigation": datafile.get("investigation"), "name": datafile.get("dataset")}
        ),
    }


def _dataset_key(dataset: Mapping[str, Any]) -> str:
    return f"{dataset.get('investigation', '')}/{dataset.get('name', '')}"


def _file_key(datafile: Mapping[str, Any]) -> str:
    """Name a datafile as `icat_entities` names it where it stands in the list of its dataset, else by its own name."""
    return f"{datafile.get('investigation', '')}/{datafile.get('dataset', '')}/{datafile.get('name', '')}"


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
