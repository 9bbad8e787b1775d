"""DataCite's JSON: the attributes of a DOI as DataCite's REST API takes them, without the envelope around."""

from __future__ import annotations

from tomarium.model import Record
from tomarium.standards import record_json
from tomarium.standards.datacite_attributes import attributes
from tomarium.standards.standard import Standard


def export(record: Record, address: str = "") -> str:
    """Write a record as the attributes of a DOI.

    Parameters
    ----------
    record : Record
        Any record.
    address : str, optional
        Address of its page, which the DOI leads to.

    Returns
    -------
    str
        JSON.

    Raises
    ------
    FormatError
        The record holds what JSON cannot hold.
    """
    record_json.demand_json(record)
    return record_json.to_json(attributes(record, address), indent=1) + "\n"


DATACITE_JSON = Standard(
    name="datacite-json",
    title="DataCite 4.7 (JSON)",
    filename="datacite.json",
    media_type="application/vnd.datacite.datacite+json",
    export=export,
)
