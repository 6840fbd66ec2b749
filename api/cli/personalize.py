"""`fansumer personalize`: ranks and scores from purchases, and how good they are."""

import os
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from api.cli import personal_export
from api.cli.options import AsJson, Force

if TYPE_CHECKING:
    from api.personalization.features import Features
    from api.personalization.sources import Facts

LIMIT_MAX: Final = 50
SEED: Final = 20_171_004


class RankTask(StrEnum):
    """What is ranked."""

    discovery = "discovery"
    next7 = "next7"
    weekday = "weekday"
    slot = "slot"


class ScoreTask(StrEnum):
    """What is scored."""

    redemption = "redemption"
    churn = "churn"


class Items(StrEnum):
    """Which items."""

    category = "category"
    product = "product"


class JudgedTask(StrEnum):
    """What is judged."""

    discovery = "discovery"
    next7 = "next7"
    redemption = "redemption"
    churn = "churn"
    timing = "timing"


app = typer.Typer(
    no_args_is_help=True,
    help="Ranks and scores from purchases: by default from the grocer's year, or from an export of receipts.",
)

app.command()(personal_export.export)

AsOf = Annotated[
    datetime,
    typer.Option(
        "--as-of",
        formats=["%Y-%m-%d"],
        help="A local day: what was before its midnight is used, nothing of the day itself.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="The file to write.")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="The folder of an export, or of the grocer's files; by default the installed package's."
    ),
]
Spark = Annotated[
    str | None,
    typer.Option(
        "--spark",
        metavar="MASTER",
        help="Compute the features on Spark: local[2] is this machine with two cores, spark://HOST:7077 a cluster that reads "
        "the same folders. The answers are the same. By default DuckDB, in this process.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="The same seed gives the same answer.")]


@app.command()
def rank(
    task: Annotated[RankTask, typer.Option("--task", help="What is ranked.")],
    as_of: AsOf,
    out: Out,
    items: Annotated[Items | None, typer.Option("--items", help="For discovery and next7: which items.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LIMIT_MAX, help="At most so many per household.")] = 10,
    data: Data = None,
    spark: Spark = None,
    seed: Seed = SEED,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Rank items, weekdays or parts of the week for every household with history: a Parquet file of household_id, rank, item.

    discovery: what the household never bought, by how likely it does so for the first time in the next 28 days. next7: what it buys
    in the next 7 days. weekday: '0' (Monday) to '6'. slot: '<weekday>-<hour // 4>'. Rank 1 is the best.

    \b
    Example:
      fansumer personalize rank --task discovery --items category --as-of 2017-10-04 --out ranks.parquet
    """
    from api.cli.file_kinds import ANSWERS
    from api.cli.output import UsageFault
    from api.cli.session import write_file
    from api.personalization.errors import ITEMS_MISSING, ITEMS_NEEDLESS

    is_timing = task in (RankTask.weekday, RankTask.slot)
    if is_timing and items is not None:
        raise UsageFault(ITEMS_NEEDLESS, task=task.value)
    if not is_timing and items is None:
        raise UsageFault(ITEMS_MISSING, task=task.value)
    features = _open(data, spark, as_of.date(), out, ANSWERS, force=force)
    from api.personalization.answers import encode_table, rank_items, rank_moments

    if items is None:
        table = rank_moments(features, task.value, limit)
    else:
        wanted = "discovery" if task is RankTask.discovery else "next7"
        table = rank_items(features, wanted, "category" if items is Items.category else "product", limit, seed)
    write_file(out, encode_table(table, f"ranks of {task.value}"), force=force)
    _report(features, out, table.num_rows, as_json=as_json)


@app.command()
def score(
    task: Annotated[ScoreTask, typer.Option("--task", help="What is scored.")],
    as_of: AsOf,
    out: Out,
    data: Data = None,
    spark: Spark = None,
    seed: Seed = SEED,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Give probabilities: a Parquet file of household_id, campaign_id (redemption) and score.

    redemption: that a household redeems a coupon of a promotion it is sent, for promotions that start on or after the date. churn:
    that it buys nothing in the 42 days from the date.

    \b
    Example:
      fansumer personalize score --task churn --as-of 2017-10-09 --out churn.parquet
    """
    from api.cli.file_kinds import ANSWERS
    from api.cli.session import write_file

    features = _open(data, spark, as_of.date(), out, ANSWERS, force=force)
    from api.personalization.answers import encode_table, score_households

    table = score_households(features, task.value, seed)
    write_file(out, encode_table(table, f"scores of {task.value}"), force=force)
    _report(features, out, table.num_rows, as_json=as_json)


@app.command()
def train(
    out: Out,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d"],
            help="A local day: what was before its midnight is used. By default the day on which the export was made.",
        ),
    ] = None,
    data: Data = None,
    spark: Spark = None,
    seed: Seed = SEED,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Train everything that is served and write it as one file with a checksum. A few minutes on one core.

    A node answers by it with `--models FILE`, if it was trained on what `fansumer personalize export` wrote.

    \b
    Examples:
      fansumer personalize train --data purchases --out shop.models
      fansumer personalize train --as-of 2017-10-04 --out october.models
    """
    from api.cli.file_kinds import MODELS
    from api.cli.session import write_file

    features = _open(data, spark, None if as_of is None else as_of.date(), out, MODELS, force=force)
    from api.personalization.models import list_pieces
    from api.personalization.models import train as train_models

    models = train_models(features, features.as_of, seed)
    write_file(out, list_pieces(models), force=force)
    _report(features, out, len(models.households), as_json=as_json, version=models.version)


@app.command()
def evaluate(
    as_of: AsOf,
    task: Annotated[
        list[JudgedTask] | None, typer.Option("--task", help="Only this; may be repeated. By default everything.")
    ] = None,
    data: Data = None,
    spark: Spark = None,
    seed: Seed = SEED,
    as_json: AsJson = False,
) -> None:
    """Judge the models of a day by what happened after it, beside popularity and the household's own frequency.

    `ours - plain` is the difference to the better of these, with the 95 % interval of a paired bootstrap over households.
    For redemption, plain is how many baskets the household has; for churn, frequency is how long ago it last came.

    \b
    Example:
      fansumer personalize evaluate --as-of 2017-10-04 --task discovery
    """
    from dataclasses import asdict

    from api.cli.output import print_json, print_rows
    from api.personalization.extra import require_extra

    require_extra()
    from api.personalization.evaluation import TASKS
    from api.personalization.evaluation import evaluate as judge

    tasks = tuple(one.value for one in task) if task else TASKS
    found = list(judge(_open_facts(data, spark), as_of.date(), tasks, seed))
    if as_json:
        print_json([asdict(result) for result in found])
        return
    print_rows(
        {
            "task": result.task,
            "measure": result.measure,
            "cases": result.cases,
            "popularity": _shown(result.popularity),
            "frequency": _shown(result.frequency),
            "ours": _shown(result.ours),
            "ours - plain": f"{_shown(result.low)} to {_shown(result.high)}",
            "items": "" if result.catalogue is None else result.catalogue,
            "coverage": _shown(result.coverage),
        }
        for result in found
    )


def _open_facts(data: Path | None, spark: str | None) -> "Facts":
    from api.personalization.engines import connect_duckdb, connect_spark
    from api.personalization.sources import open_facts

    return open_facts(data, connection=connect_duckdb() if spark is None else connect_spark(spark))


def _open(data: Path | None, spark: str | None, as_of: date | None, out: Path, kind: str, *, force: bool) -> "Features":
    """The features; what is wrong with the file to write is said before anything is computed. None: the export's day."""
    from api.cli.output import UsageFault
    from api.cli.session import FILE_FAILED, refuse_overwriting
    from api.personalization.errors import AS_OF_MISSING
    from api.personalization.extra import require_extra

    require_extra()
    from api.personalization.features import open_features

    refuse_overwriting(out, kind, force=force)
    parent = next(folder for folder in out.absolute().parents if folder.exists())
    if out.is_dir():
        raise UsageFault(FILE_FAILED, path=str(out), reason="it is a folder")
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UsageFault(FILE_FAILED, path=str(out), reason="its folder cannot be written")
    facts = _open_facts(data, spark)
    if as_of is None:
        if not facts.read_at:
            raise UsageFault(AS_OF_MISSING)
        as_of = datetime.fromtimestamp(facts.read_at, facts.zone).date()
    return open_features(facts, as_of)


def _report(features: "Features", out: Path, rows: int, *, as_json: bool, version: str | None = None) -> None:
    from api.cli.output import print_answer

    facts = {
        "file": str(out),
        "as_of": features.as_of.isoformat(),
        "households": len(features.households),
        "rows": rows,
    }
    print_answer(facts if version is None else facts | {"version": version}, as_json=as_json)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
