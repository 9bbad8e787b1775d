"""Remarks on a record that is not published: of its owner, its team and curators, and what is to be changed."""

from __future__ import annotations

import time

from sqlalchemy import Connection, Row, insert, select

from tomarium.catalogue import form_words
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import place_for
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.tables import comments
from tomarium.errors import ParameterError
from tomarium.model.sentence import Sentence


def comment(catalogue: Catalogue, reader: Reader, id: str, text: str) -> None:
    """Leave a remark for those who may see a draft.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Who remarks.
    id : str
        Identifier of the record.
    text : str
        The remark.

    Raises
    ------
    InputError
        There is no such record that the reader may change, or the text is empty.
    """
    if not text.strip():
        raise ParameterError(Sentence(form_words.NO_REMARK, id=id))
    with catalogue.writing() as connection:
        place_for(connection, reader, id)
        add_comment(connection, reader, id, text, "comment")


def comments_of(connection: Connection, id: str) -> list[Row[tuple[object, ...]]]:
    """List the remarks on a record.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    id : str
        Identifier of the record, which the reader may change.

    Returns
    -------
    list of Row
        Rows of `comment`, the oldest first.
    """
    return list(
        connection.execute(select(comments).where(comments.c.record == id).order_by(comments.c.number)).all()
    )


def add_comment(connection: Connection, reader: Reader, id: str, text: str, kind: str) -> None:
    """Write a remark into the database.

    Parameters
    ----------
    connection : Connection
        Of a catalogue, for writing.
    reader : Reader
        Who remarks.
    id : str
        Identifier of the record, which the reader may change.
    text : str
        The remark.
    kind : str
        "comment", or "request" where it says what is to be changed.
    """
    connection.execute(
        insert(comments).values(
            record=id, who=reader.name, moment_utc=time.time(), kind=kind, text=text.strip()
        )
    )
