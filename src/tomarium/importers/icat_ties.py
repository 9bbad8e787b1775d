"""How the datasets of an ICAT hang together: in publications, by jobs, by files that are related."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tomarium.importers.icat_objects import Icat, Thing


@dataclass(frozen=True)
class Ties:
    """What ties datasets, each kind looked through once.

    Attributes
    ----------
    icat : Icat
        Its objects.
    """

    icat: Icat

    def datasets_of(self, collection: Thing | None) -> list[Thing]:
        """Return the datasets of a collection, also those whose files or investigations alone are named."""
        if collection is None:
            return []
        found = [
            self.icat.named(thing, "dataset") for thing in self.icat.of(collection, "dataCollectionDataset")
        ]
        for link in self.icat.of(collection, "dataCollectionDatafile"):
            file = self.icat.named(link, "datafile")
            found.append(self.icat.named(file, "dataset") if file else None)
        for link in self.icat.of(collection, "dataCollectionInvestigation"):
            investigation = self.icat.named(link, "investigation")
            found += self.icat.of(investigation, "dataset") if investigation else []
        return list(dict.fromkeys(thing for thing in found if thing))

    def published_in(self, publication: Thing) -> list[Thing]:
        """Return the datasets of a data publication."""
        return self.datasets_of(self.icat.named(publication, "content", "dataCollection"))

    @cached_property
    def publications(self) -> dict[Thing, list[Thing]]:
        """Dataset → its data publications."""
        found: dict[Thing, list[Thing]] = {}
        for publication in self.icat.all("dataPublication"):
            for dataset in self.published_in(publication):
                found.setdefault(dataset, []).append(publication)
        return found

    @cached_property
    def inputs(self) -> dict[Thing, list[Thing]]:
        """Dataset → those from which jobs made it; one to which a job added a file is not derived as a whole."""
        found: dict[Thing, list[Thing]] = {}
        for job in self.icat.all("job"):
            sources = self.datasets_of(self.icat.named(job, "inputDataCollection", "dataCollection"))
            out = self.icat.named(job, "outputDataCollection", "dataCollection")
            for link in self.icat.of(out, "dataCollectionDataset") if out else ():
                if (dataset := self.icat.named(link, "dataset")) is not None:
                    kept = found.setdefault(dataset, [])
                    kept += [source for source in sources if source is not dataset and source not in kept]
        return found

    @cached_property
    def related_files(self) -> dict[Thing, dict[str, list[Thing]]]:
        """Dataset → "sourceDatafile" and "destDatafile" → relations of its files to others."""
        found: dict[Thing, dict[str, list[Thing]]] = {}
        for relation in self.icat.all("relatedDatafile"):
            for end in ("sourceDatafile", "destDatafile"):
                file = self.icat.named(relation, end, "datafile")
                dataset = self.icat.named(file, "dataset") if file else None
                if dataset is not None:
                    found.setdefault(dataset, {}).setdefault(end, []).append(relation)
        return found
