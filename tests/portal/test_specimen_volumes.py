"""The page of a specimen's images leads to its volumes in Neuroglancer, placed by its links as the reader sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from app_client import TestClient
from placed_volumes import IN_BLOCK, file_volumes
from tomarium.catalogue import Catalogue, open_catalogue
from tomarium.portal.app import create_app


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    home = tmp_path_factory.mktemp("volumes")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        file_volumes(opened, home)
        yield opened


def test_the_page_leads_to_all_volumes(opened: Catalogue) -> None:
    with TestClient(create_app(opened, local=True)) as client:
        page = client.get("/specimens/rum-8/images").text
        found = re.search(r'href="(/records/block/volume\?[^"]+)"', page)
        assert found is not None
        address = found[1].replace("&amp;", "&").replace("/volume?", "/volume.json?")
        layers = client.get(address).json()["state"]["layers"]
        assert len(layers) == 3
        core = next(one for one in layers if "/records/core/" in one["source"]["url"])
        matrix = np.array(core["source"]["transform"]["matrix"])
        np.testing.assert_allclose(matrix[::-1, 2::-1], IN_BLOCK["core"][:3, :3], atol=1e-9)
        assert client.get("/records/block/volume.json?with=core&specimen=no").status_code == 404
        by_own = client.get("/records/block/volume.json?with=core").json()["state"]["layers"]
        assert all(isinstance(one["source"], str) for one in by_own)


def test_who_may_not_see_the_specimen_gets_none(opened: Catalogue) -> None:
    with TestClient(create_app(opened), raise_server_exceptions=False) as client:
        assert client.get("/records/block/volume.json?with=core&specimen=rum-8").status_code == 404
