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
    for name, things in document.items():
        dump[_TYPES.get(name, name)] = things if not isinstance(things, Mapping) else dict(things)
    dump["facilityCycle"] = _cycles(document.get("facility_cycles"))
    _investigations(dump)
    _publications(dump)
    _jobs(dump)
    for key, study in _pairs(dump, "study"):
        links = [{"investigation": one} for one in study.pop("investigations", [])]
        dump["study"][key] = study | {"studyInvestigations": links}
    for key, instrument in _pairs(dump, "instrument"):
        scientist = instrument.pop("instrumentscientist", None)
        technique = instrument.pop("technique", None)
        told = {"instrumentScientists": [{"user": scientist}]} if scientist else {}
        dump["instrument"][key] = instrument | told | ({"technique": technique} if technique else {})
    for key, type in _pairs(dump, "parameterType"):
        values = [{"value": one} for one in type.pop("values", [])]
        dump["parameterType"][key] = type | ({"permissibleStringValues": values} if values else {})
    for key, related in _pairs(dump, "relatedDatafile"):
        ends = {"sourceDatafile": related.pop("source", {}), "destDatafile": related.pop("dest", {})}
        dump["relatedDatafile"][key] = related | {name: _file_key(end) for name, end in ends.items()}
        if {"fileSize"} & set(ends["destDatafile"]):
            _add_file(dump, ends["destDatafile"])
    return dump


def _pairs(dump: Mapping[str, Any], type: str) -> list[tuple[str, dict[str, Any]]]:
    things = dump.get(type)
    return [(key, dict(thing)) for key, thing in things.items()] if isinstance(things, Mapping) else []


def _cycles(told: Any) -> dict[str, Any]:
    """Name the cycles of each year; their days are those of the example's makers, and none of this catalogue's."""
    rules = told if isinstance(told, list) else []
    return {f"cycles {k}": {"name": f"cycles {k}", "rule": str(rule)} for k, rule in enumerate(rules)}


def _investigations(dump: dict[str, Any]) -> None:
    samples: dict[str, Any] = {}
    for key, one in _pairs(dump, "investigation"):
        users = [
            {"user": user, "role": role}
            for name, role in _ROLES.items()
            for user in _listed(one.pop(name, None))
        ]
        sample = one.pop("sample", None)
        instrument = one.pop("instrument", None)
        if isinstance(sample, Mapping):
            samples[f"{key}/sample"] = {**sample, "investigation": key}
        datasets = [
            _dataset(each, f"{key}/sample" if sample else "", instrument) for each in one.pop("datasets", [])
        ]
        dump["investigation"][key] = one | {
            "investigationUsers": users,
            "investigationInstruments": [{"instrument": instrument}] if instrument else [],
            "keywords": [{"name": word} for word in one.pop("keywords", [])],
            "fundingReferences": [{"funding": fund} for fund in one.pop("fundingReferences", [])],
        }
        for each in datasets:
            _put_dataset(dump, {**each, "investigation": key})
    if samples:
        dump["sample"] = samples


def _dataset(told: Mapping[str, Any], sample: str, instrument: Any) -> dict[str, Any]:
    links = {"sample": sample} if sample else {}
    return {
        **told,
        **links,
        "datasetInstruments": [{"instrument": instrument}] if instrument else [],
    }


def _publications(dump: dict[str, Any]) -> None:
    for key, one in _pairs(dump, "dataPublication"):
        content = f"{key}/content"
        made = one.pop("dataset", None)
        links = []
        if isinstance(made, Mapping):
            links = [{"dataset": _add_dataset(dump, made)}]
        dump.setdefault("dataCollection", {})[content] = {"dataCollectionDatasets": links}
        dump["dataPublication"][key] = one | {
            "content": content,
            "fundingReferences": [{"funding": fund} for fund in one.pop("fundingReferences", [])],
        }


def _jobs(dump: dict[str, Any]) -> None:
    for key, one in _pairs(dump, "job"):
        told: dict[str, Any] = {"application": one.get("application")}
        for end, name in (("input", "inputDataCollection"), ("output", "outputDataCollection")):
            given = one.get(end) or {}
            datasets = [
                {"dataset": _add_dataset(dump, each) if "startDate" in each else _dataset_key(each)}
                for each in given.get("datasets", [])
            ]
            files = []
            for each in given.get("datafiles", []):
                if "fileSize" in each:
                    _add_file(dump, each)
                files.append({"datafile": _file_key(each)})
            dump.setdefault("dataCollection", {})[f"{key}/{end}"] = {
                "doi": given.get("doi"),
                "parameters": given.get("parameters", []),
                "dataCollectionDatasets": datasets,
                "dataCollectionDatafiles": files,
            }
            told[name] = f"{key}/{end}"
        dump["job"][key] = told


def _add_dataset(dump: dict[str, Any], told: Mapping[str, Any]) -> str:
    return _put_dataset(dump, _dataset(told, "", None) | {"investigation": told.get("investigation")})


def _put_dataset(dump: dict[str, Any], told: dict[str, Any]) -> str:
    """Add a dataset, and its files as objects of their own, which others may name."""
    key = _dataset_key(told)
    for one in told.pop("datafiles", []):
        _add_file(dump, {**one, "investigation": told["investigation"], "dataset": told["name"]})
    dump.setdefault("dataset", {})[key] = told
    return key


def _add_file(dump: dict[str, Any], told: Mapping[str, Any]) -> None:
    own = {name: value for name, value in told.items() if name not in ("dataset", "investigation", "format")}
    dump.setdefault("datafile", {})[_file_key(told)] = own | {
        "datafileFormat": told.get("format"),
        "dataset": _dataset_key({"investigation": told.get("investigation"), "name": told.get("dataset")}),
    }


def _dataset_key(told: Mapping[str, Any]) -> str:
    return f"{told.get('investigation', '')}/{told.get('name', '')}"


def _file_key(told: Mapping[str, Any]) -> str:
    """Name a datafile as `icat_objects` names it where it stands in the list of its dataset, else by its own name."""
    return f"{told.get('investigation', '')}/{told.get('dataset', '')}/{told.get('name', '')}"


def _listed(told: Any) -> list[Any]:
    return [] if told is None else told if isinstance(told, list) else [told]
