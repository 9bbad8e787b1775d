"""How the datasets of an ICAT hang together: in publications, by jobs, by files that are related."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tomarium.importers.icat_entities import Icat, IcatEntity


@dataclass(frozen=True)
class DatasetRelations:
    """How datasets are related, each kind looked through once.

    Attributes
    ----------
    icat : Icat
        Its objects.
    """

    icat: Icat

    def datasets_of(self, collection: IcatEntity | None) -> list[IcatEntity]:
        """Return the datasets of a collection, also those whose files or investigations alone are named."""
        if collection is None:
            return []
        datasets = [
            self.icat.named(link, "dataset") for link in self.icat.of(collection, "dataCollectionDataset")
        ]
        for link in self.icat.of(collection, "dataCollectionDatafile"):
            file = self.icat.named(link, "datafile")
            datasets.append(self.icat.named(file, "dataset") if file else None)
        for link in self.icat.of(collection, "dataCollectionInvestigation"):
            investigation = self.icat.named(link, "investigation")
            datasets += self.icat.of(investigation, "dataset") if investigation else []
        return list(dict.fromkeys(dataset for dataset in datasets if dataset))

    def published_in(self, publication: IcatEntity) -> list[IcatEntity]:
        """Return the datasets of a data publication."""
        return self.datasets_of(self.icat.named(publication, "content", "dataCollection"))

    @cached_property
    def publications(self) -> dict[IcatEntity, list[IcatEntity]]:
        """Dataset → its data publications."""
        publications: dict[IcatEntity, list[IcatEntity]] = {}
        for publication in self.icat.all("dataPublication"):
            for dataset in self.published_in(publication):
                publications.setdefault(dataset, []).append(publication)
        return publications

    @cached_property
    def inputs(self) -> dict[IcatEntity, list[IcatEntity]]:
        """Dataset → those from which jobs made it; one to which a job added a file is not derived as a whole."""
        inputs: dict[IcatEntity, list[IcatEntity]] = {}
        for job in self.icat.all("job"):
            sources = self.datasets_of(self.icat.named(job, "inputDataCollection", "dataCollection"))
            out = self.icat.named(job, "outputDataCollection", "dataCollection")
            for link in self.icat.of(out, "dataCollectionDataset") if out else ():
                if (dataset := self.icat.named(link, "dataset")) is not None:
                    inputs_of_dataset = inputs.setdefault(dataset, [])
                    inputs_of_dataset += [
                        source
                        for source in sources
                        if source is not dataset and source not in inputs_of_dataset
                    ]
        return inputs

    @cached_property
    def related_files(self) -> dict[IcatEntity, dict[str, list[IcatEntity]]]:
        """Dataset → "sourceDatafile" and "destDatafile" → relations of its files to others."""
        related: dict[IcatEntity, dict[str, list[IcatEntity]]] = {}
        for relation in self.icat.all("relatedDatafile"):
            for end in ("sourceDatafile", "destDatafile"):
                file = self.icat.named(relation, end, "datafile")
                dataset = self.icat.named(file, "dataset") if file else None
                if dataset is not None:
                    related.setdefault(dataset, {}).setdefault(end, []).append(relation)
        return related
