"""How the menu asks: in a terminal with a line that can be edited, else line by line from a pipe."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections import deque
from typing import Any, Final

import click

from tomarium.errors import InputError

YES_OR_NO: Final = {
    "y": True,
    "yes": True,
    "true": True,
    "1": True,
    "n": False,
    "no": False,
    "false": False,
    "0": False,
}


class Console:
    """Asks for commands and for values.

    Words that stand behind a letter answer its questions in order. What they leave open is asked in a terminal; from a
    pipe the defaults are taken, so that a script is the same however many questions a letter has.
    """

    def __init__(self, letters: list[str]) -> None:
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self.words: deque[str] = deque()
        self._letters = letters
        self._session: Any = None

    def command(self) -> str | None:
        """Read a line and return its first word; None at the end of a pipe."""
        line = self._line("menu> ", self._letters)
        if line is None:
            return None
        try:
            first, *further_words = shlex.split(line) or [""]
        except ValueError as problem:
            raise InputError(f"{line!r} cannot be read: {problem}") from problem
        self.words = deque(further_words)
        return first

    def ask(self, words: str, default: str) -> str:
        """Ask for one word.

        Parameters
        ----------
        words : str
            The question.
        default : str
            What Enter gives.

        Returns
        -------
        str
            The next word of the line, what was typed, or the default.
        """
        if self.words:
            return self.words.popleft()
        if not self.interactive:
            return default
        return (self._line(f"  {words} [{default}] ", []) or "").strip() or default

    def ask_yes(self, words: str, default: bool) -> bool:
        """Ask for yes or no."""
        answer = self.ask(f"{words}, y or n", "y" if default else "n")
        if answer.lower() not in YES_OR_NO:
            raise InputError(f"{words}: {answer!r} was answered; write y or n")
        return YES_OR_NO[answer.lower()]

    def all_words(self) -> str:
        """Return the words that are left, for what takes a text with spaces."""
        text = " ".join(self.words)
        self.words.clear()
        return text

    def demand_no_more(self, letter: str) -> None:
        """Refuse words that no question took: they would be left out in silence."""
        if self.words:
            raise InputError(
                f"{letter} takes no further value {' '.join(self.words)!r}; hh {letter} tells what it takes"
            )

    def _line(self, prompt: str, complete: list[str]) -> str | None:
        if not self.interactive:
            line = sys.stdin.readline()
            if line and complete:
                click.echo(prompt + line.rstrip("\n"))
            return line.rstrip("\n") if line else None
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import InMemoryHistory

        if self._session is None:
            self._session = PromptSession(history=InMemoryHistory(), complete_while_typing=False)
        try:
            words = WordCompleter(complete, sentence=True)
            return str(self._session.prompt(prompt, completer=words, in_thread=_in_event_loop()))
        except EOFError:
            return "q" if complete else ""


def _in_event_loop() -> bool:
    """Tell whether this thread runs an event loop already, in which a prompt cannot run its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
