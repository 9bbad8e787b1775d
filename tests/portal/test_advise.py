"""The page that plans a beamtime: the numbers of `tomarium advise`, by a form without a script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import html

from app_client import TestClient
from tomarium.catalogue import Catalogue
from tomarium.cli import execute
from tomarium.model.sentence import Sentence
from tomarium.pipeline.advice import advice_words
from tomarium.pipeline.advice.acquisition import acquisition
from tomarium.pipeline.advice.advise import advise
from tomarium.pipeline.advice.questions import BY_OPTION
from tomarium.portal.app import create_app


@pytest.fixture
def client(catalogue: Catalogue) -> TestClient:
    return TestClient(create_app(catalogue))  # of anybody: it tells nothing of the catalogue


def numbers(topics: Any) -> dict[str, dict[str, Any]]:
    return {topic["key"]: {one["key"]: one["value"] for one in topic["answers"]} for topic in topics}


def test_it_answers_as_the_command_does(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    words = {
        "columns": "3000", "rows": "2400", "views": "8000", "span": "360 deg", "width": "5600", "scans": "12",
        "methods": "2", "scan-time": "1 h", "disk-speed": "100 MB/s", "pixel": "0.65 um", "energy": "20 keV",
        "distance": "5 cm", "delta-beta": "400", "sample": "3 mm", "exposure": "50 ms", "num-flats": "50",
    }  # fmt: skip
    answer = client.get("/advise.json", params={**words, "extended": "1"}).json()
    execute(
        [
            "advise",
            *(word for name, text in words.items() for word in (f"--{name}", text)),
            "--extended",
            "--json",
        ]
    )
    told = json.loads(capsys.readouterr().out)
    assert answer["problems"] == []
    found = numbers(answer["topics"])
    for name, values in found.items():
        assert values == {key: one["value"] for key, one in told[name]["values"].items()}
    assert {topic["key"]: topic["warnings"] for topic in answer["topics"]}["disk"] == told["disk"]["warnings"]
    assert "your disk falls behind by" in told["disk"]["warnings"][0]
    assert found.keys() == {"views", "disk", "exposure", "phase"}


def test_the_form_keeps_what_was_filled_in_and_says_what_cannot_be(client: TestClient) -> None:
    page = client.get("/advise", params={"columns": "2048", "rows": "2048", "pixel": "0.65", "scans": "1.5"})
    assert page.status_code == 200
    assert 'name="columns" value="2048"' in page.text
    problems = client.get("/advise.json", params={"pixel": "0.65", "scans": "1.5"}).json()["problems"]
    assert len(problems) == 2
    assert "give a whole number, 1 or more" in problems[0]
    assert problems[1].startswith("Pixel size at the sample: ")
    for params in (
        {"rows": "nan"},
        {"columns": "inf"},
        {"columns": "1e400"},
        {"energy": "-5 keV"},
        {"views": "0"},
    ):
        told = client.get("/advise.json", params=params).json()
        assert told["problems"], params
        assert told["topics"] == []


def test_what_lacks_is_named_by_its_field(client: TestClient) -> None:
    [views, *_] = client.get("/advise.json", params={"columns": "100", "views": "50"}).json()["topics"]
    assert views["missing"] == ["Angle of a scan"]
    page = client.get("/advise").text
    assert "--" not in page.split("<main")[1].split("</main>")[0].replace("</", "")
    assert ">Plan</a>" in client.get("/").text


SETS: tuple[dict[str, str], ...] = (
    {  # nearly everything, of an extended field that is too narrow
        "columns": "3000", "rows": "2400", "views": "8000", "span": "359.5 deg", "width": "5600", "scans": "12",
        "methods": "2", "scan-time": "1 h", "disk-speed": "100 MB/s", "pixel": "0.65 um", "energy": "20.5 keV",
        "distance": "5.5 m", "delta-beta": "400.5", "length-px": "12.5", "sample": "8 mm", "exposure": "50 ms",
        "num-flats": "50", "speed": "3.6 deg/s", "material": "SiO2 2.65", "extended": "1",
    },
    {  # undersampled, and too thick
        "columns": "2048", "rows": "2048", "views": "700", "span": "180 deg", "exposure": "50 ms", "scans": "1",
        "pixel": "6.5 um", "sample": "100 mm", "material": "Pb 11.35", "energy": "20.5 keV", "distance": "5 cm",
    },
    {"columns": "2048", "rows": "2048", "extended": "1", "views": "1500"},
    {"columns": "2048", "rows": "2048", "scans": "3"},
    {"columns": "2048", "rows": "10", "views": "2048", "span": "180 deg", "sample": "1.5 mm", "pixel": "1.5 um",
     "energy": "20 keV", "distance": "0 cm"},
    {"columns": "2048", "rows": "10", "views": "9000", "span": "180 deg", "energy": "20 keV", "distance": "5 cm"},
    {"columns": "2048", "rows": "10", "views": "3300", "span": "180 deg", "material": "H 1e-5", "sample": "1 um"},
    {"columns": "2048", "rows": "10", "views": "2500", "span": "180 deg"},
)  # fmt: skip
"""What is filled in, so that every sentence of advice is said once."""


def patterns(text: object) -> Iterator[str]:
    if isinstance(text, str):
        yield text.pattern if isinstance(text, Sentence) else text
    if isinstance(text, Sentence):
        yield from (one for value in text.values.values() for one in patterns(value))


def test_every_sentence_of_advice_is_in_the_language_of_the_page(client: TestClient) -> None:
    """Each sentence is said by one of the sets, and none of them is left in English."""
    said: set[str] = set()
    for params in SETS:
        told = client.get("/advise.json", params=params).json()
        assert told["problems"] == []
        english = {
            text
            for topic in told["topics"]
            for text in (*topic["warnings"], *(one["why"] for one in topic["answers"]), *topic["missing"])
            if re.search(r"[a-z]{3}", text)
        }
        given = {
            BY_OPTION[key].field if key in BY_OPTION else key: BY_OPTION[key].read(text)
            if key in BY_OPTION
            else True
            for key, text in params.items()
        }
        for topic in advise(acquisition(given)):
            for text in (*topic.warnings, *topic.missing):
                said |= set(patterns(text))
            for line in topic.lines:
                said |= {*patterns(line.why), *patterns(line.shown)}
        for language in ("fr", "de"):
            page = html.fromstring(client.get(f"/{language}/advise", params=params).text)
            texts = {
                " ".join(one.text_content().split())
                for one in page.xpath("//div[@class='advice']//*[self::small or self::p]")
            }
            assert english & texts == set()
            answers = " ".join(page.xpath("//div[@class='advice']//td/b/text()"))
            assert not re.search(r"\d\.\d| to ", answers), answers
    known = {words for name, words in vars(advice_words).items() if name.isupper()}
    assert known - said == set()


def test_numbers_of_advice_are_written_in_the_language(client: TestClient) -> None:
    french = client.get("/fr/advise", params=SETS[0])
    assert "π/2 · 5600 px, la largeur du volume : 1 px au bord" in french.text
    assert "δ/β 400,5, tel que donné" in french.text
    german = client.get(
        "/de/advise", params={"columns": "2048", "rows": "2048", "views": "700", "span": "180.5 deg"}
    )
    assert "über 180°, 700 über 180,5°" in german.text
    assert (
        "Geschwindigkeit der Drehung und Belichtung einer Projektion, für den wirklichen Wert" in german.text
    )


@pytest.mark.parametrize(
    ("params", "french", "german"),
    [
        ({"pixel": "0.65"}, "’a pas d’unité ; écrivez-la, par exemple '0.65 um'", "hat keine Einheit"),
        ({"pixel": "small"}, "ne contient pas de nombre", "enthält keine Zahl"),
        ({"pixel": "1 s"}, "mesure autre chose", "misst etwas anderes"),
        ({"pixel": "1 keks"}, "ne peut pas être lue comme m", "lässt sich nicht als m lesen"),
        ({"pixel": "0.65 m"}, "ce qu’aucun scan n’a", "was kein Scan hat"),
        ({"energy": "-5 keV"}, "a été donné ; ce doit être un nombre fini", "es muss eine endliche Zahl"),
        ({"scans": "1.5"}, "Scans est 1.5 ; donnez un nombre entier, 1 ou plus", "Scans ist 1.5; geben Sie"),
        ({"rows": "nan"}, "un nombre fini était attendu", "erwartet wird eine endliche Zahl"),
        ({"rows": "many"}, "un nombre était attendu", "erwartet wird eine Zahl"),
        (
            {"delta-beta": "-1"},
            "donnez un nombre fini supérieur à 0",
            "geben Sie eine endliche Zahl über 0 an",
        ),
        ({"material": "SiO2"}, "n’a pas de masse volumique", "hat keine Dichte"),
        ({"material": "Al x"}, "les tables donnent 2,6", "nennen für das Element 2,6"),
        ({"material": "SiO2 2650"}, "vérifiez l’unité", "prüfen Sie die Einheit"),
        ({"material": "SiO2 2.65 oz"}, "n’est pas une unité de masse volumique", "keine Einheit der Dichte"),
        ({"material": "Xx2 2.65"}, "n’est pas une formule chimique", "ist keine chemische Formel"),
        ({"material": "0.7 H2O + 0.5 C5H8O2 1.05"}, "la somme de ses parts est 1,2", "Anteile ist 1,2"),
        ({"material": "SiO2 2.65", "energy": "900 keV"}, "les tables vont de 0,1 à 800", "reichen von 0,1"),
    ],
)
def test_what_cannot_be_is_told_in_the_language(
    client: TestClient, params: dict[str, str], french: str, german: str
) -> None:
    for language, told in (("fr", french), ("de", german)):
        page = html.fromstring(client.get(f"/{language}/advise", params=params).text)
        [problem] = page.xpath("//div[@role='alert']/p")
        assert told in problem.text_content()
    assert len(client.get("/advise.json", params=params).json()["problems"]) == 1
