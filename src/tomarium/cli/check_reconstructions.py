"""`tomarium check_reconstructions`: `tomarium check` by the name it has in tomodata."""

from __future__ import annotations

from copy import copy

from tomarium.cli.check import command as check

command = copy(check)
command.name, command.hidden = "check_reconstructions", True
command.help = (check.help or "").replace("tomarium check ", "tomarium check_reconstructions ")
