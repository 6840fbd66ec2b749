"""Where the store is that a command is about, and what a check of it prints."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.cli.up import default_folder
from node.audit import NO_STORE
from node.check import CheckReport
from node.errors import NodeError

STORE_FILE = "chain.sqlite"


def find_folder(network: str, data_dir: Path | None) -> Path:
    """The chain's folder: the one that was named, else the network's."""
    return data_dir or default_folder(network)


def find_store(network: str, data_dir: Path | None, database: str | None) -> str:
    """The URL of the store: the one that was named, else the folder's file. Raises `audit.no_store` where there is none."""
    if database is not None:
        return database
    path = find_folder(network, data_dir) / STORE_FILE
    if not path.exists():
        raise NodeError(NO_STORE, path=str(path.parent))
    return f"sqlite:///{path}"


def check_lines(report: CheckReport) -> Iterator[str]:
    """What was found, in plain lines."""
    yield f"store {report.store}"
    width = max(len(line.name) for line in report.lines)
    for line in report.lines:
        yield f"{line.name:<{width}}  {'ok   ' if line.is_good else 'WRONG'}  {line.text}"
    for note in report.notes:
        yield f"note: {note}"
    wrong = sum(not line.is_good for line in report.lines)
    verdict = "all is in order" if report.is_good else f"{wrong} of {len(report.lines)} checks failed"
    yield f"{verdict}, {report.seconds:.1f} s"
    if not report.is_good:
        yield "what to do: stop the node, keep a copy of the store, then restore one from before, or sync or replay again"


def check_mapping(report: CheckReport) -> dict[str, Any]:
    """A check as JSON."""
    return {
        "good": report.is_good,
        "store": report.store,
        "checks": [
            {"name": line.name, "good": line.is_good, "text": line.text, "code": line.code or None}
            for line in report.lines
        ],
        "notes": report.notes,
        "seconds": round(report.seconds, 3),
    }
