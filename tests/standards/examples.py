"""Records that the tests of every standard take: one that tells all it can, one draft that tells nothing."""

from dataclasses import replace
from datetime import datetime

import numpy as np

from tomarium.model import FileEntry, Funding, Link, Part, Person, Publication, Record, Related, Value
from tomarium.model.link import Landmark, rows

ADDRESS = "https://tomo.example.org/records/tooth-1"

FULL = Record(
    id="tooth-1",
    title="Tooth of Smilodon <em>& its “roots”: 100 % {sic}",
    created=datetime.fromisoformat("2025-11-20T21:00:00+01:00"),
    description="A canine of *Smilodon*, scanned whole.\nSecond paragraph: µm & <b>bold</b> ]]> \\alpha_1 $x^2$ #1 ~.",
    creators=(
        Person("Lovelace, Ada", "0000-0002-1825-0097", "ESRF & friends", "02550n020"),
        Person("Wilhelm Conrad Röntgen"),
        Person("Johannes Diderik van der Waals", affiliation="Universiteit van Amsterdam"),
        Person("The Smilodon Consortium"),
        Person("ESRF"),
    ),
    keywords=("tooth", "Smilodon", "dental & oral"),
    licence="CC-BY-4.0",
    parameters={
        "pixel_m": Value(0.65e-6, "read", "tooth.h5"),
        "energy_kev": Value(93.0, "user", "typed"),
        "sample_name": Value("M2", "user", "typed"),
        "angles_deg": Value([0.0, 0.5], "default", ""),
        "start_time": Value("2025-11-19T08:00:00+01:00", "read", "tooth.h5"),
        "end_time": Value("2025-11-19T09:30:00+01:00", "read", "tooth.h5"),
    },
    parts=(Part("volume", "volume.ome.zarr", summary={"shape": [4, 5, 6], "voxel_m": 0.65e-6}),),
    provenance={
        "versions": {"tomarium": "0.1.0"},
        "frozen": {"tomarium": 1, "steps": ["flat_field", {"paganin": {"delta_beta": 200.0}}, {"fbp": {}}]},
    },
    files=(
        FileEntry("volume.ome.zarr/", 480, "0" * 64, "application/vnd+zarr", "volume"),
        FileEntry("previews/slice z#1.png", 7, "1" * 64, "image/png", "preview"),
        FileEntry("manifest-sha256.txt", 9, "2" * 64, "text/plain", "manifest"),
    ),
    publication=Publication(
        published=datetime.fromisoformat("2026-03-01T10:00:00+01:00"),
        publisher="European Synchrotron & Co",
        open_from=datetime.fromisoformat("2026-06-01T00:00:00+02:00"),
        doi="10.5072/tooth_1.v2",
        concept_doi="10.5072/tooth",
        version=2,
    ),
    related=(
        Related("IsCitedBy", "https://doi.org/10.1107/S1600577525005272"),
        Related("IsDerivedFrom", "tooth-raw"),
        Related("IsPartOf", "https://example.org/smilodon?a=1&b=2"),
    ),
    techniques=("PaNET01207", "PaNET01332", "PaNET09999"),
    specimen="NHM PV M 12345",
    funding=(
        Funding("European Research Council", "101000000 https://doi.org/10.3030/101000000", "0472cxd90"),
        Funding("DFG", "Teeth of the past https://gepris.dfg.de/gepris/projekt/1234"),
        Funding("Wellcome", "Teeth of today"),
        Funding("Museum of Bears"),
    ),
    acknowledgement="We thank the museum.",
    links=(
        Link(
            "records/tooth-1",
            "records/skull-1",
            rows(np.eye(4)),
            rows(1e-6 * np.eye(6)),
            kind="landmark",
            residual_m=1e-5,
            landmarks=(Landmark("pit", (0.0, 0.0, 0.0), (1e-5, 0.0, 0.0)),),
            author="Lovelace, Ada",
            id="tooth-1-in-skull-1",
            version=2,
        ),
    ),
)

DRAFT = Record("a", "A", datetime.fromisoformat("2026-11-20T12:00:00+01:00"))

OPEN = replace(FULL, publication=replace(FULL.publication, open_from=FULL.publication.published))  # type: ignore[type-var, union-attr]
WITHDRAWN = replace(
    OPEN,
    publication=replace(  # type: ignore[type-var]
        OPEN.publication,
        withdrawn=datetime.fromisoformat("2026-07-01T00:00:00+02:00"),
        reason="Wrong specimen.",
    ),
)
