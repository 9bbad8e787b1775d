"""Reading a file of references, whatever its form."""

from __future__ import annotations

import json
import re
from typing import Final

from tomarium.errors import FormatError
from tomarium.standards import works_bibtex, works_json, works_ris
from tomarium.standards.works import Works

LONGEST: Final = 64 << 20
"""Characters of a file that is read."""


def read_works(text: str, name: str = "the text") -> Works:
    """Read a file of references; its form is known by its first signs.

    Parameters
    ----------
    text : str
        BibTeX, RIS, or JSON: CSL, Crossref's and DataCite's, single or a list.
    name : str
        Of the file, for messages.

    Returns
    -------
    Works
        At least one work, or one problem.

    Raises
    ------
    FormatError
        It is none of these, or holds no work.
    """
    if len(text) > LONGEST:
        raise FormatError(
            f"{name}: has {len(text)} characters; at most {LONGEST} are read, so cut it in parts"
        )
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] in ("{", "["):
        try:
            works = works_json.read(json.loads(start))
        except (ValueError, RecursionError) as problem:
            raise FormatError(f"{name}: is no JSON ({problem})") from problem
    elif re.search(r"^TY  ?- ", start, re.MULTILINE):
        works = works_ris.read(start)
    elif re.search(r"^\s*@\s*\w+\s*[{(]", start, re.MULTILINE):
        works = works_bibtex.read(start)
    else:
        raise FormatError(
            f"{name}: is neither BibTeX nor RIS, CSL-JSON or JSON of Crossref or DataCite; export it from your "
            f"reference manager as BibTeX"
        )
    if not works.works and not works.problems:
        raise FormatError(f"{name}: holds no work")
    return works
