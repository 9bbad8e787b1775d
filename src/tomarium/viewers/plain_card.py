"""A record in plain words: what its keepers tell of it themselves, and what follows from it, each with its source."""

from __future__ import annotations

from markupsafe import Markup

from tomarium.model import Record
from tomarium.model.plain_card import FIELDS
from tomarium.standards.glossary import linked
from tomarium.viewers.plain_facts import plain_facts
from tomarium.viewers.viewer import Piece, View, Viewer, fill


def is_shown(record: Record) -> bool:
    """Tell whether something can be told of a record in plain words.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    bool
        Its keepers told something, or a sentence follows from it.
    """
    return bool(record.card.told or plain_facts(record))


def render(record: Record, view: View) -> Piece:
    """Show the card.

    Parameters
    ----------
    record : Record
        One that suits.
    view : View
        For the level, and the addresses of the glossary.

    Returns
    -------
    Piece
        Its data: `told` (field → text, as its keepers wrote it) and `facts`, each with `text` and `from`, the fields of
        the record that it was made from. The title is shown where the page has no such heading.
    """
    facts, linked_terms = plain_facts(record), set[str]()

    def words(text: str) -> Markup:
        return linked(text, linked_terms, view.term)

    texts = record.card.told
    facts_shown = plain_facts(record, view.translations)
    html = fill(
        "plain_card.html",
        {
            "title": texts.get("title", "") if view.level == "scientist" else "",
            # In this order, so that a word is linked where it is read first.
            "parts": [
                (FIELDS[name][0], [words(line) for line in text.splitlines() if line.strip()])
                for name, text in texts.items()
                if name != "title"
            ],
            "facts": [(words(fact.text), fact.source) for fact in facts_shown],
            "sources": view.level != "pupil",
        },
        view.translations,
    )
    return Piece({"told": texts, "facts": [{"text": fact.text, "from": fact.source} for fact in facts]}, html)


PLAIN_CARD = Viewer(
    name="plain_card",
    title="In plain words",
    order=5,
    whole=is_shown,
    render=render,
    metadata_only=True,
    plainest="pupil",
)
