"""`fansumer demo replay`: a grocer's purchases become a chain, signed by wallets, sent over HTTP, mined hour by hour."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from api.data_folder import data_folder
from api.demo.brand import demo_brand_master
from api.demo.driver import STORE_FILE, Driver, ReplayError, Report
from api.demo.summary import ReplaySummary
from ledger.errors import Code
from ledger.types import Timestamp
from node.clock import SystemClock

__all__ = ["DEMO_WEEKS", "ReplayOptions", "demo_brand_master", "run_replay"]

DEMO_WEEKS: Final = 4
"""What `fansumer up --demo` shows."""

FOLDER_IN_USE = Code(
    "replay.folder_in_use",
    "the folder {folder} holds a chain already",
    "Name a new folder with --folder, or delete that one.",
)
AS_OF_FUTURE = Code(
    "replay.as_of_future", "{as_of} (seconds since 1970) has not come yet", "Choose a date for --as-of that is past."
)


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What to replay, and where to.

    `weeks` None: all. `as_of` None: now. `data_dir` None: the installed package's Parquet files. `folder` None: a new folder
    among the user's data; a folder that is named must hold no chain.
    """

    weeks: int | None = None
    as_of: Timestamp | None = None
    data_dir: Path | None = None
    folder: Path | None = None


def run_replay(options: ReplayOptions, console: Console | None = None) -> ReplaySummary:
    """Replay the purchases; progress is shown on `console`, if there is one.

    Raises `JourneyError`, `ReplayError`, `NodeError`, `ClientProblem`.
    """
    now = SystemClock().now()
    as_of = now if options.as_of is None else options.as_of
    if as_of > now:
        raise ReplayError(AS_OF_FUTURE, as_of=as_of)
    folder = options.folder or data_folder() / f"replay-{as_of}"
    if (folder / STORE_FILE).exists():
        raise ReplayError(FOLDER_IN_USE, folder=str(folder))
    with _show_progress(console) as report:
        return Driver(folder, as_of, options.weeks, options.data_dir, report).run()


@contextmanager
def _show_progress(console: Console | None) -> Iterator[Report]:
    if console is None:
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total or None)
