"""A record's metadata name the catalogue that it is in as its portal is named."""

from __future__ import annotations

import json

from lxml import html

from app_client import TestClient
from tomarium.catalogue import Catalogue
from tomarium.catalogue.settings import change_setting


def test_metadata_name_the_catalogue_as_its_setting_does(client: TestClient, catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "name", "Teeth of the Museum")
    told = [client.get(f"/records/tooth/metadata/{name}").json() for name in ("schema-org", "croissant")]
    page = html.fromstring(client.get("/records/tooth").text)
    told += [json.loads(text) for text in page.xpath("//script[@type='application/ld+json']/text()")]
    named = {"@type": "DataCatalog", "name": "Teeth of the Museum", "url": "http://testserver/"}
    assert [one["includedInDataCatalog"] for one in told] == [named] * len(told)
