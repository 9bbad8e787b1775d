"""Which types of an ICAT and which of their attributes are read, and why others are left out."""

from __future__ import annotations

from typing import Final

from tomarium.importers.found import Notes
from tomarium.importers.icat_entities import Icat

# What is read of each type; what else is told is kept in the original metadata and named.
_ALWAYS: Final = frozenset({"id", "createId", "createTime", "modId", "modTime"})
_KNOWN: Final = {
    "facility": {"name", "fullName", "description", "url", "daysUntilRelease"},
    "instrument": {
        "name", "fullName", "description", "pid", "facility", "type", "url", "startDate", "endDate", "technique",
    },
    "investigation": {
        "name", "title", "summary", "visitId", "startDate", "endDate", "releaseDate", "doi", "facility", "type",
        "fileCount", "fileSize",
    },
    "sample": {"name", "pid", "type", "investigation"},
    "dataset": {
        "name", "description", "startDate", "endDate", "doi", "location", "complete", "investigation", "sample", "type",
        "fileCount", "fileSize",
    },
    "datafile": {
        "name", "location", "fileSize", "checksum", "description", "datafileCreateTime", "datafileModTime", "doi",
        "datafileFormat", "dataset",
    },
    "datasetParameter": {
        "type", "dataset", "numericValue", "stringValue", "dateTimeValue", "error", "rangeBottom", "rangeTop",
    },
    "publication": {"fullReference", "doi", "url", "repository", "repositoryId", "investigation"},
    "dataPublication": {
        "pid", "title", "description", "subject", "publicationDate", "content", "facility", "type",
    },
    "study": {"name", "description", "pid", "status", "startDate", "endDate", "user"},
}  # fmt: skip
# Types that are none of this catalogue's → why they are left out.
_LEFT_OUT: Final = {
    "rule": "who may do what on that server; here a record is its owner's and team's",
    "publicStep": "a rule of that server",
    "grouping": "a group of people; with --teams its name becomes the team of the records",
    "userGroup": "members of groups; add people to a team here with tomarium user",
    "facilityCycle": "periods of the facility's operation",
    "investigationFacilityCycle": "periods of the facility's operation",
    "datafileFormat": "formats are recognised by what files hold; told in the original metadata",
    "application": "told in the original metadata of what it made",
    "permissibleStringValue": "allowed values of parameters",
    "shift": "told in the original metadata of the datasets",
    "datafileParameter": "told in the original metadata of the datasets",
    "dataCollectionParameter": "told in no record: it is of a set of files",
    "relatedDatafile": "told in the original metadata of both datasets",
}
_IN_USE: Final = frozenset({
    *_KNOWN, "user", "technique", "investigationUser", "investigationInstrument", "investigationGroup", "keyword",
    "investigationParameter", "investigationFunding", "sampleParameter", "sampleType", "datasetType", "parameterType",
    "investigationType", "datasetInstrument", "datasetTechnique", "studyInvestigation", "dataCollection",
    "dataCollectionDataset", "dataCollectionDatafile", "dataCollectionInvestigation", "dataPublicationUser",
    "dataPublicationType", "dataPublicationDate", "relatedItem", "dataPublicationFunding", "affiliation",
    "fundingReference", "instrumentScientist", "job",
})  # fmt: skip


def note_unknown(icat: Icat, notes: Notes) -> None:
    """Count what is told and has no place here, and say what is left out and why."""
    for type, entities in icat.entities.items():
        if type in _LEFT_OUT:
            notes.left_out[f"{len(entities)} {type}"] = _LEFT_OUT[type]
        elif type not in _IN_USE:
            notes.unknown[f"{type} (a type of object)"] += len(entities)
        for entity in entities.values() if type in _KNOWN else ():
            for name in entity.attributes.keys() - _KNOWN[type] - _ALWAYS:
                notes.unknown[f"{type}.{name}"] += 1
