"""Claims that two specimens are the same sample: two instances that ask each other, and DataCite."""

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app_client import TestClient
from portal.cutting_portal import served
from portal.test_follow import Web
from portal.test_follow import served as web_served
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, open_catalogue
from tomarium.catalogue.backup import durable_tables
from tomarium.catalogue.dois import due_attributes
from tomarium.catalogue.entity_edit import make_entity, publish_entity
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.same_sample import claims_of
from tomarium.catalogue.same_sample_edit import claim_same
from tomarium.catalogue.settings import change_setting
from tomarium.cli import group
from tomarium.errors import InputError, ParameterError
from tomarium.portal.app import create_app

EVIDENCE = "both halves carry the label 7"


@dataclass
class Instance:
    """A portal that runs, as a stranger sees it."""

    catalogue: Catalogue
    address: str
    specimen: str

    @property
    def page(self) -> str:
        return f"{self.address}/specimens/{self.specimen}"

    def command(self, line: str) -> Any:
        words = shlex.split(
            f"specimen {line} --json --catalogue '{self.catalogue.home / 'catalogue.sqlite'}'"
        )
        done = CliRunner().invoke(group(), words, catch_exceptions=False)
        return json.loads(done.stdout)

    def check(self, more: str = "") -> Any:
        (found,) = self.command(f"check-claims --address {self.address} --private {more}")
        return found

    def claim(self, target: str) -> Any:
        return self.command(f"claim {self.specimen} '{target}' --evidence '{EVIDENCE}'")[0]


def settings(opened: Catalogue, **given: str) -> None:
    with opened.writing() as connection:
        for key, value in given.items():
            change_setting(connection, key, value)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Instance, Instance]]:
    with ExitStack() as stack:
        made = []
        for name in ("rum-7", "rum-block"):
            opened = stack.enter_context(open_catalogue(tmp_path / name / "catalogue.sqlite"))
            make_entity(opened, LOCAL_OWNER, "specimen", f"Chromitite {name}", {}, name)
            publish_entity(opened, LOCAL_OWNER, name)
            address, app = stack.enter_context(served(opened, local=False))
            app.app.state.reader_of = lambda _request: ANYBODY
            made.append(Instance(opened, address, name))
        yield made[0], made[1]


@pytest.fixture
def datacite() -> Iterator[Web]:
    yield from web_served("127.0.0.1")


def test_two_instances_confirm_each_other(both: tuple[Instance, Instance], tmp_path: Path) -> None:
    here, there = both
    claimed = here.claim(there.page)
    assert (claimed["state"], claimed["checked"], claimed["who"]) == ("claimed", "", LOCAL_OWNER.name)
    alone = here.check()
    assert alone["state"] == "claimed"
    assert "claims nothing of this specimen" in alone["told"]
    with TestClient(create_app(here.catalogue, local=False)) as client:
        page = client.get("/specimens/rum-7").text
        assert "Claimed to be the same as" in page
        assert "The same as <a" not in page
        assert EVIDENCE in page
    there.claim(f"{here.page}/")  # the same address
    known = here.check()
    assert (known["state"], there.check()["state"]) == ("confirmed", "confirmed")
    assert EVIDENCE in known["told"]
    with TestClient(create_app(here.catalogue, local=False)) as client:
        page = client.get("/specimens/rum-7").text
        assert f'The same as <a href="{there.page}"' in page
        told = client.get("/specimens/rum-7.json").json()["claims"]
        assert [(one["target"], one["state"]) for one in told] == [(there.page, "confirmed")]
    there.command(f"claim rum-block {here.page} --withdraw 'the labels were mixed up'")
    again = here.check()
    assert again["state"] == "claimed"
    assert "the labels were mixed up" in again["told"]


def test_what_cannot_be_read_is_not_reachable(both: tuple[Instance, Instance]) -> None:
    here, there = both
    here.claim(f"{there.address}/specimens/none")
    assert here.check()["state"] == "not-reachable"
    assert "answered 404" in here.check()["told"]
    (refused,) = here.command(f"check-claims --address {here.address}")
    assert refused["state"] == "not-reachable"
    assert "private net" in refused["told"]


@pytest.mark.parametrize("igsn", ["10.60510/ABC", "https://doi.org/10.60510/abc"])
def test_datacite_confirms(both: tuple[Instance, Instance], datacite: Web, igsn: str) -> None:
    here, _ = both
    here.claim(igsn)
    asked = f"--datacite {datacite.address} --resolver {datacite.address}/resolver"
    assert here.check(asked)["state"] == "not-reachable"  # both answer 404
    related: list[dict[str, str]] = []
    told = {"data": {"id": "10.60510/abc", "attributes": {"relatedIdentifiers": related}}}
    datacite.put("/dois/10.60510/abc", json.dumps(told).encode(), "application/vnd.api+json")
    assert here.check(asked)["state"] == "claimed"
    related += [
        {
            "relatedIdentifier": "10.5072/other",
            "relatedIdentifierType": "DOI",
            "relationType": "IsIdenticalTo",
        },
        {"relatedIdentifier": here.page, "relatedIdentifierType": "URL", "relationType": "IsDerivedFrom"},
    ]
    datacite.put("/dois/10.60510/abc", json.dumps(told).encode(), "application/vnd.api+json")
    assert here.check(asked)["state"] == "claimed"
    related[1]["relationType"] = "IsIdenticalTo"
    datacite.put("/dois/10.60510/abc", json.dumps(told).encode(), "application/vnd.api+json")
    assert here.check(asked)["state"] == "confirmed"


def test_datacite_is_told_and_the_crate_tells_a_claim_from_the_truth(
    both: tuple[Instance, Instance], tmp_path: Path
) -> None:
    here, there = both
    opened = here.catalogue
    settings(opened, doi_prefix="10.5072", address=here.address)
    make_entity(opened, LOCAL_OWNER, "specimen", "Core", {}, "core")
    publish_entity(opened, LOCAL_OWNER, "core")
    for target in (there.page, "igsn:AU1234", "10.60510/abc"):
        claim_same(opened, LOCAL_OWNER, "core", target, EVIDENCE)
    there.command(f"claim rum-block https://doi.org/10.5072/specimen/core --evidence '{EVIDENCE}'")
    asked = f"--datacite {there.address}/none --resolver {there.address}/none"
    states = {one["target"]: one["state"] for one in here.command(f"check-claims core --private {asked}")}
    assert states[there.page] == "confirmed"
    told = due_attributes(opened)["10.5072/specimen/core"]["relatedIdentifiers"]
    assert {
        (one["relatedIdentifier"], one["relatedIdentifierType"], one["relationType"]) for one in told
    } == {
        (there.page, "URL", "IsIdenticalTo"),
        ("AU1234", "IGSN", "IsIdenticalTo"),
        ("10.60510/abc", "DOI", "IsIdenticalTo"),
    }
    line = f"specimen export core --as crate -o '{tmp_path / 'crate'}' --catalogue '{opened.home / 'catalogue.sqlite'}'"
    assert CliRunner().invoke(group(), shlex.split(line), catch_exceptions=False).exit_code == 0
    graph = {
        one["@id"]: one
        for one in json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    }
    core = graph["#specimen-core"]
    assert core["sameAs"] == [{"@id": there.page}]
    claims = [graph[one["@id"]] for one in core["additionalProperty"]]
    assert {one["value"] for one in claims} == {"https://igsn.org/AU1234", "https://doi.org/10.60510/abc"}
    assert all(EVIDENCE in one["description"] for one in claims)


def test_only_who_keeps_a_specimen_claims(tmp_path: Path) -> None:
    ada, eve = Reader("ada", "member"), Reader("eve", "member")
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        settings(opened, address="https://here.example.org")
        make_entity(opened, ada, "specimen", "Tooth", {}, "tooth")
        claim_same(opened, ada, "tooth", "10.60510/abc", EVIDENCE)
        assert "same_sample_claim" in {one.name for one in durable_tables()}
        with opened.reading() as connection:
            for stranger in (eve, ANYBODY):
                with pytest.raises(InputError, match="tooth"):
                    claims_of(connection, stranger, "tooth")
        with TestClient(create_app(opened, local=False)) as client:
            fields = {"target": "10.60510/other", "evidence": EVIDENCE}
            assert client.post("/entities/tooth/claim", data=fields).status_code == 401
        with pytest.raises(InputError, match="tooth"):
            claim_same(opened, eve, "tooth", "10.60510/other", EVIDENCE)
        publish_entity(opened, LOCAL_OWNER, "tooth")
        with pytest.raises(NotAllowed, match="eve"):
            claim_same(opened, eve, "tooth", "10.60510/other", EVIDENCE)
        for target, evidence, problem in (
            ("number 7", EVIDENCE, "no address, DOI or IGSN"),
            ("https://here.example.org/specimens/core", EVIDENCE, "of this catalogue"),
            ("10.60510/abc", " ", "how it is known"),
        ):
            with pytest.raises((InputError, ParameterError), match=problem):
                claim_same(opened, ada, "tooth", target, evidence)


def test_it_is_claimed_and_withdrawn_on_the_page(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        make_entity(opened, LOCAL_OWNER, "specimen", "Tooth", {}, "tooth")
        with TestClient(create_app(opened, local=True)) as client:
            fields = {"target": "https://there.example.org/specimens/bear", "evidence": EVIDENCE}
            assert "Claimed to be the same as" in client.post("/entities/tooth/claim", data=fields).text
            gone = {"target": fields["target"], "reason": "another bear"}
            page = client.post("/entities/tooth/claim", data=gone).text
            assert "Was claimed to be the same as" in page
            assert "another bear" in page
            assert client.post("/entities/tooth/claim", data=gone).status_code == 422
