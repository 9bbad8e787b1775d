"""Texts of which parts are for some readers alone."""

from __future__ import annotations

import pytest

from tomarium.errors import ParameterError
from tomarium.model.level import check_marks, for_level, read_level, shown_at

pytestmark = pytest.mark.fast
LESSON = """For all.
::: pupil
For **pupils**.
:::
::: student scientist
For both.
```
::: pupil
```
:::
The end."""


def test_each_reads_what_is_for_them() -> None:
    assert for_level(LESSON, "pupil") == "For all.\n\nFor **pupils**.\n\nThe end."
    assert for_level(LESSON, "student") == "For all.\n\nFor both.\n```\n::: pupil\n```\n\nThe end."
    assert for_level(LESSON, "scientist") == for_level(LESSON, "student")
    whole = for_level(LESSON, None)
    assert "For **pupils**." in whole
    assert "For both." in whole
    assert whole.count(":::") == 1  # within code
    assert for_level("One line, and ::: within it", "pupil") == "One line, and ::: within it"
    assert for_level("", "pupil") == ""
    assert for_level("a\r\n:::pupil\r\nb\r\n:::", "student") == "a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("::: pupils\nx\n:::", "line 1: 'pupils' is no level"),
        ("a\n::: pupil\nb", "begins in line 2 is never ended"),
        ("a\n:::", "line 2 ends a part with ::: but none was begun"),
        ("::: pupil\n::: student\n:::", "line 2, '::: student', stands in the part that began in line 1"),
    ],
)
def test_marks_that_are_none_are_refused(text: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        check_marks(text)


def test_levels_are_known_by_their_names() -> None:
    check_marks(LESSON)
    assert read_level(" Pupil ") == "pupil"
    with pytest.raises(ParameterError, match="choose pupil, student, scientist"):
        read_level("teacher")
    assert shown_at("scientist", "pupil")
    assert shown_at("student", "student")
    assert not shown_at("pupil", "student")
