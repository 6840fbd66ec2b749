"""The bar that an audit shows while it works."""

from collections.abc import Iterator
from contextlib import contextmanager

from node.replay import Progress


@contextmanager
def show_progress(*, is_shown: bool) -> Iterator[Progress | None]:
    """A bar on standard error while blocks are replayed."""
    if not is_shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=None)
        yield lambda height, total: bar.update(task, completed=height, total=total)
