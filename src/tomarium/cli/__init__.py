"""The command line: one file a command, no logic."""


def main() -> None:
    """Run the command line."""
    raise SystemExit("no command yet")
