"""Languages of the pages: addresses, what leads where, every marked word, numbers and days."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from fastapi import HTTPException
from lxml import html

from app_client import TestClient
from marked_words import given, marked, plurals
from tomarium import units
from tomarium.catalogue import Catalogue
from tomarium.model.sentence import Day, Sentence, joined
from tomarium.portal.app import create_app
from tomarium.portal.forms import run_form_action
from tomarium.portal.languages import (
    ENGLISH,
    FOLDER,
    LANGUAGES,
    show_day,
    show_decimal,
    translate,
    translations,
)
from tomarium.portal.script_words import SCRIPT_WORDS
from tomarium.portal.work_words import stage_told

ROOT = Path(__file__).parents[2]
TOOLS = {"Distance", "Angle", "Profile"}  # of which a script makes the first letter a capital
OTHERS = [language for language in LANGUAGES if language != ENGLISH]
PLACEHOLDER = re.compile(r"%\(\w+\)s")


@pytest.mark.parametrize("language", OTHERS)
def test_every_word_is_translated(language: str) -> None:
    with (FOLDER / f"{language}.po").open("rb") as file:
        known = {
            entry.id: entry.string for entry in read_po(file, locale=language, abort_invalid=True) if entry.id
        }
    several = {one for pair in plurals() for one in pair}
    wanted = {*marked(), *given()} - several
    assert wanted - set(known) == set(), "add these to the .po file"
    assert {one for one in known if isinstance(one, str)} - wanted == set(), (
        "nothing has these words any more"
    )
    for pair in plurals():
        assert all(known[pair]), pair
    for words, told in known.items():
        told, words = (told[-1], words[-1]) if isinstance(words, tuple) else (told, words)
        assert told.strip(), words
        assert set(PLACEHOLDER.findall(told)) == set(PLACEHOLDER.findall(words)), words


@pytest.mark.parametrize("language", OTHERS)
def test_a_page_is_in_the_language_of_its_address(client: TestClient, language: str) -> None:
    page = html.fromstring(client.get(f"/{language}/records?q=tooth").text)
    assert page.get("lang") == language
    assert page.xpath("//form[@role='search']/@action") == [f"/{language}/records"]
    assert page.xpath("string(//form[@role='search']/button)") == translate("Search", language) != "Search"
    card = page.xpath("//li[@class='card']")[0]
    assert card.xpath(".//h2/a/@href") == [f"/{language}/records/tooth"]
    assert card.xpath(".//img/@src") == [
        "/records/tooth/files/previews/thumbnail.png"
    ]  # pictures have one address
    assert page.xpath("//link[@rel='stylesheet']/@href")[0].startswith("/static/")
    assert page.xpath("//nav[@class='languages']//a/@href") == [
        "/records?q=tooth",
        "/fr/records?q=tooth",
        "/de/records?q=tooth",
    ]


@pytest.mark.parametrize(
    ("language", "told"), [("fr", "Une projection est l’ombre"), ("de", "Eine Projektion ist der")]
)
def test_making_a_slice_is_told_in_the_language(client: TestClient, language: str, told: str) -> None:
    page = html.fromstring(client.get(f"/{language}/records/tooth/make-a-slice").text)
    [lead] = page.xpath("//p[@class='lead']")
    assert lead.text_content().startswith(told)
    assert lead.xpath("a/@href") == [f"/{language}/records/tooth"]


def test_scripts_find_their_words_on_the_page(client: TestClient) -> None:
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "web" / "src").rglob("*.ts"))
    called = set(re.findall(r'(?<![\w.])t\("((?:[^"\\]|\\.)*)"', scripts))
    assert called - set(SCRIPT_WORDS) == set(), "add these to script_words.py"
    assert {words for words in SCRIPT_WORDS if f'"{words}"' not in scripts} - TOOLS == set()
    told = json.loads(
        html.fromstring(client.get("/fr/records/tooth").text).xpath("string(//script[@id='words'])")
    )
    assert set(told) == set(SCRIPT_WORDS)
    assert told["Full screen"] == "Plein écran"
    assert 'id="words"' not in client.get("/records/tooth").text


def test_search_engines_find_the_other_languages(client: TestClient) -> None:
    for address in ("/records/tooth", "/fr/records/tooth"):
        page = html.fromstring(client.get(address).text)
        links = page.xpath("//link[@hreflang]")
        assert {one.get("hreflang"): one.get("href") for one in links} == {
            "en": "http://testserver/records/tooth",
            "fr": "http://testserver/fr/records/tooth",
            "de": "http://testserver/de/records/tooth",
        }
    assert "hreflang" not in client.get("/records?q=tooth").text.partition("</head>")[0]


def test_the_address_alone_decides(client: TestClient) -> None:
    """What a cache keeps of an address is right for everybody: neither a header nor a cookie changes the language."""
    asked = client.get("/about", headers={"Accept-Language": "fr", "Cookie": "language=fr"})
    assert 'lang="en"' in asked.text
    assert "Language" not in asked.headers["vary"]
    assert client.get("/fr").text == client.get("/fr/").text
    assert client.get("/it/records").status_code == client.get("/fr/fr/records").status_code == 404
    assert 'lang="fr"' in client.get("/fr/nothing", headers={"Accept": "text/html"}).text
    assert "de fiche « nope »" in client.get("/fr/records/nope", headers={"Accept": "text/html"}).text
    assert "no record “nope”" in client.get("/fr/records/nope.json").json()["detail"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/about", "About and help"),
        ("/statistics", "Views and downloads"),
        ("/compare", "Compare two records"),
        ("/advise", "Plan a beamtime"),
        ("/glossary", "What the words mean"),
        ("/specimens", "Specimens"),
        ("/admin/settings", "Settings"),
        ("/texts", "Pages, news and events"),
        ("/nothing", "There is nothing here"),
    ],
)
def test_headings_are_translated_and_json_is_not(client: TestClient, path: str, words: str) -> None:
    for language in OTHERS:
        page = html.fromstring(client.get(f"/{language}{path}", headers={"Accept": "text/html"}).text)
        assert page.xpath("string(//h1)") == translate(words, language) != words
        assert page.xpath("string(//title)").startswith(translate(words, language))
        assert words in client.get(f"/{language}{path}", headers={"Accept": "application/json"}).text


def test_what_is_copied_names_no_language(client: TestClient) -> None:
    page = client.get("/fr/records/tooth").text
    assert "http://testserver/records/tooth" in page
    assert (
        client.get("/fr/records/tooth/metadata/bibtex").text
        == client.get("/records/tooth/metadata/bibtex").text
    )
    assert (
        client.get("/fr/records/tooth.json").json()["citation"]
        == client.get("/records/tooth.json").json()["citation"]
    )
    schema = client.get("/fr/records/tooth/metadata/schema-org").text
    assert "/records/tooth" in schema
    assert "/fr/" not in schema


def test_below_another_application(catalogue: Catalogue) -> None:
    client = TestClient(create_app(catalogue, local=True), root_path="/data")
    page = html.fromstring(client.get("/data/fr/records").text)
    assert page.xpath("//li[@class='card']//h2/a/@href") == ["/data/fr/records/tooth"]
    assert page.xpath("//nav[@class='languages']//a/@href") == [
        "/data/records",
        "/data/fr/records",
        "/data/de/records",
    ]
    assert html.fromstring(client.get("/fr/records").text).xpath("//li[@class='card']//h2/a/@href") == [
        "/data/fr/records/tooth"
    ]


def test_a_sentence_is_translated_before_its_values_are_put_in() -> None:
    source = joined(["found", "confidence high"], ", ")
    told = Sentence("row %(row)s: column %(column)s, %(source)s", row=3, column="33.25", source=source)
    assert told == json.loads(json.dumps(told)) == "row 3: column 33.25, found, confidence high"
    assert translate(told, "fr") == "ligne 3 : colonne 33,25, trouvé, confiance élevée"
    assert translate(told, "de") == "Zeile 3: Spalte 33,25, gefunden, Zuverlässigkeit hoch"
    named = Sentence("%(title)s in %(scan)s", title=Sentence("Beam lost"), scan="waiting_1.5.h5")
    assert translate(named, "de") == "Strahl verloren in waiting_1.5.h5"
    assert translate(stage_told("trying axes: 3 of 10"), "fr") == "essai d’axes : 3 sur 10"
    assert translate(stage_told("reconstructing (fbp): 1 of 2"), "de") == "Rekonstruktion (fbp): 1 von 2"
    assert stage_told("row 3: 4 of them") == "row 3: 4 of them"


def test_days_and_numbers() -> None:
    told = {language: show_day("2027-06-01T12:00:00+00:00", language) for language in LANGUAGES}
    assert told == {"en": "1 June 2027", "fr": "1 juin 2027", "de": "1. Juni 2027"}
    assert [show_decimal("0.65 µm", language) for language in LANGUAGES] == ["0.65 µm", "0,65 µm", "0,65 µm"]
    assert translations("fr").ungettext("%(number)s record", "%(number)s records", 0) == "%(number)s fiche"
    assert (
        translations("de").ungettext("%(number)s record", "%(number)s records", 0) == "%(number)s Datensätze"
    )


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/de/records?pixel=2um..1um", "Pixelgröße an der Probe: &#39;2um..1um&#39; ist nicht zu verstehen"),
        ("/fr/records?pixel=<1", "son unité manque"),
        ("/de/records?colour=red", "weder eine Facette noch ein Zahlenparameter"),
        ("/fr/records?sort=oldest", "sort : ce doit être"),
        ("/de/records?limit=9999", "limit: es darf höchstens 200 sein. Ändern Sie es in der Adresse."),
        ("/fr/records?offset=x", "offset : ce doit être un nombre entier"),
    ],
)
def test_what_is_refused_is_told_in_the_language(client: TestClient, address: str, told: str) -> None:
    answer = client.get(address, headers={"Accept": "text/html"})
    assert answer.status_code == 400
    assert told in answer.text


def test_a_form_tells_a_wrong_unit_in_the_language() -> None:
    with pytest.raises(HTTPException) as told:
        run_form_action(lambda: units.parse("0.65", "m"))
    assert told.value.detail == "'0.65' has no unit; write it with one, such as '0.65 um'."
    assert translate(told.value.detail, "fr") == "'0.65' n’a pas d’unité ; écrivez-la, par exemple '0.65 um'."
    assert translate(told.value.detail, "de").startswith("'0.65' hat keine Einheit; schreiben Sie sie dazu")


def test_the_day_in_a_sentence_is_written_in_the_language() -> None:
    when = datetime(2027, 6, 1, tzinfo=UTC)
    told = Sentence("Its files open on %(day)s.", day=Day(when))
    assert told == "Its files open on 1 June 2027."
    assert "1 juin 2027" in translate(told, "fr")
    assert "1. Juni 2027" in translate(told, "de")


def test_numbers_of_parameters_are_written_in_the_language(client: TestClient) -> None:
    told = {
        language: html.fromstring(client.get(f"{language}/records/tooth").text).xpath(
            "string(//dl[@class='facts']//dd[contains(., 'µm')])"
        )
        for language in ("", "/fr", "/de")
    }
    assert {language: text.split()[0] for language, text in told.items()} == {
        "": "0.65",
        "/fr": "0,65",
        "/de": "0,65",
    }
