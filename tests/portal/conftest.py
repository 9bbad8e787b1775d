"""A catalogue with one record, and a client of its application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.catalogue import Catalogue, file_record, ingest, open_catalogue
from tomarium.model import Value
from tomarium.portal.app import create_app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("records") / "tooth"
    make_volume(folder / "volume.ome.zarr", size=32)
    (folder / "protocol.yaml").write_text("steps: []\n")
    (folder / "page.html").write_text("<script>alert(1)</script>")
    file_record(
        folder,
        title="Tooth",
        id="tooth",
        created=datetime(2026, 11, 20, tzinfo=UTC),
        parameters={"pixel_m": Value(0.65e-6, "read", "tooth.h5")},
        volume={"unit": "1/cm"},
    )
    return folder


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path_factory.mktemp("catalogue") / "catalogue.sqlite") as catalogue:
        ingest(catalogue, folder)
        yield catalogue


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
        yield client
