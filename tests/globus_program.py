"""A program that stands for `globus` in tests: commands, answers and exit codes are those of globus-cli 3.44.

Collections are folders of this computer. A task is done when the test says so, by a file `FAKE_GLOBUS/state.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

SOURCE, TARGET = "7f5c5f0a-3d5b-4e0e-8a3c-3a7f0d8f3c11", "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"
"""Collections: the first is "/" of this computer, the second the folder `FAKE_GLOBUS/collection`."""


def install(folder: Path) -> None:
    """Put the program into a folder, to be named first in PATH."""
    program = folder / "globus"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} "$@"\n')
    program.chmod(0o755)


def main(words: list[str]) -> int:
    """Do a command."""
    home = Path(os.environ["FAKE_GLOBUS"])
    state_file = home / "state.json"
    state: dict[str, Any] = json.loads(state_file.read_text()) if state_file.exists() else {}
    state.setdefault("calls", []).append(words)
    if state.get("logged_out"):
        print(
            "MissingLoginError: Missing login for Globus Transfer.\nPlease run:\n\n  globus login\n",
            file=sys.stderr,
        )
        return 4
    code = {
        "endpoint local-id": _local_id,
        "task generate-submission-id": _submission,
        "task show": _show,
        "ls": _ls,
        "transfer": _transfer,
    }[" ".join(words[:2]) if words[0] in ("endpoint", "task") else words[0]](words, home, state)
    state_file.write_text(json.dumps(state))
    return code


def _local_id(words: list[str], home: Path, state: dict[str, Any]) -> int:
    if state.get("personal"):
        print(SOURCE)
        return 0
    print("No Globus Connect Personal installation found.", file=sys.stderr)
    return 1


def _submission(words: list[str], home: Path, state: dict[str, Any]) -> int:
    print(uuid.uuid4())
    return 0


def _ls(words: list[str], home: Path, state: dict[str, Any]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("place")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--format")
    parser.add_argument("--map-http-status")
    asked = parser.parse_args(words[1:])
    id, _, path = asked.place.partition(":")
    assert id == TARGET
    folder = home / "collection" / path.strip("/")
    if not folder.is_dir():
        print("Globus CLI Error: A Transfer API Error Occurred.\nHTTP status: 404", file=sys.stderr)
        return int(asked.map_http_status.removeprefix("404="))
    names = [{"DATA_TYPE": "file", "name": one.name, "type": "file"} for one in folder.iterdir()]
    print(json.dumps({"DATA": names, "DATA_TYPE": "file_list", "endpoint": id, "path": path}))
    return 0


def _transfer(words: list[str], home: Path, state: dict[str, Any]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("target")
    for name in ("submission-id", "label", "checksum-algorithm", "sync-level", "batch", "format"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--verify-checksum", action="store_true")
    parser.add_argument("--preserve-timestamp", action="store_true")
    asked = parser.parse_args(words[1:])
    assert (asked.source, asked.target, asked.format) == (SOURCE, TARGET, "json")
    line_parser = argparse.ArgumentParser()
    line_parser.add_argument("--external-checksum")
    line_parser.add_argument("paths", nargs=2)
    items = [
        vars(line_parser.parse_args(shlex.split(line))) for line in sys.stdin.read().splitlines() if line
    ]
    tasks = state.setdefault("tasks", {})
    known = next((id for id, one in tasks.items() if one["submission"] == asked.submission_id), None)
    task = known or str(uuid.uuid4())
    tasks.setdefault(
        task, {"submission": asked.submission_id, "status": "ACTIVE", "items": items, "asked": vars(asked)}
    )
    if state.pop("dies", False):
        (home / "state.json").write_text(json.dumps(state))
        return -9
    code = "Duplicate" if known else "Accepted"
    message = "The transfer has been accepted and a task has been created and queued for execution"
    answer = {"DATA_TYPE": "transfer_result", "code": code, "message": message, "request_id": "7HgMVYazI",
              "resource": "/transfer", "submission_id": asked.submission_id, "task_id": task}  # fmt: skip
    print(json.dumps(answer))
    return 0


def _show(words: list[str], home: Path, state: dict[str, Any]) -> int:
    task = state["tasks"][words[2]]
    status = task["status"] = state.get("becomes", "ACTIVE")
    if "--successful-transfers" in words:
        print(json.dumps({"DATA": task.get("done", []), "DATA_TYPE": "successful_transfers"}))
        return 0
    if status == "SUCCEEDED" and "done" not in task:
        task["done"] = [_copied(item, home, state) for item in task["items"]]
    files = len(task["items"])
    error = {"code": "TIMEOUT", "description": "the deadline passed"} if status == "FAILED" else None
    answer = {
        "DATA_TYPE": "task", "type": "TRANSFER", "task_id": words[2], "status": status, "verify_checksum": True,
        "completion_time": None if status == "ACTIVE" else "2026-11-29T03:04:05+00:00", "fatal_error": error,
        "destination_endpoint_display_name": "Archive of the Institute", "destination_endpoint_id": TARGET,
        "files": files, "files_transferred": files if status == "SUCCEEDED" else 1, "faults": 0,
        "nice_status": "OK" if status == "ACTIVE" else None, "nice_status_short_description": None,
        "subtasks_skipped_errors": 0,
    }  # fmt: skip
    print(json.dumps(answer))
    return 0


def _copied(item: dict[str, Any], home: Path, state: dict[str, Any]) -> dict[str, Any]:
    source, inside = item["paths"]
    target = home / "collection" / inside.strip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    sum = hashlib.sha256(target.read_bytes()).hexdigest()
    assert sum == item["external_checksum"]
    told = "0" * 64 if state.get("wrong") else sum
    return {"DATA_TYPE": "successful_transfer", "source_path": source, "destination_path": inside,
            "checksum_algorithm": "SHA256", "checksum": told, "size": target.stat().st_size}  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
