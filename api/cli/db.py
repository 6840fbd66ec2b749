"""`fansumer db`: the store's tables and whether they are sound."""

from typing import Annotated

import typer

from api.cli.options import AsJson, Database, DataDir, Network, ParamsFile

app = typer.Typer(no_args_is_help=True, help="Look after a node's store: an SQLite file, or a PostgreSQL database.")

EXIT_GOOD = 0
EXIT_BAD = 1
EXIT_NOT_READ = 2

Quick = Annotated[bool, typer.Option("--quick", help="Leave out the longest part: doing every block again.")]


@app.command()
def migrate(
    network: Network = "dev", data_dir: DataDir = None, database: Database = None, as_json: AsJson = False
) -> None:
    """Bring a store's tables up to date, or make them in an empty database. Starting a node does the same.

    No node may use the store meanwhile. Make a copy first: there is no way back to an older program.

    \b
    Examples:
      fansumer db migrate --data-dir chain
      fansumer db migrate --database postgresql://fansumer@localhost/ledger
    """
    from contextlib import ExitStack

    from api.cli.output import print_json
    from api.cli.store_place import find_folder, find_store
    from node.store.engine import StoreLock, describe_store, open_engine
    from node.store.migrate import migrate as bring_up_to_date

    url = find_store(network, data_dir, database)
    with ExitStack() as done:
        if database is None:
            done.callback(StoreLock(find_folder(network, data_dir)).release)
        engine = open_engine(url)
        done.callback(engine.dispose)
        version = bring_up_to_date(engine)
        store = describe_store(engine.url)
    if as_json:
        print_json({"store": store, "from": version.found, "to": version.newest, "changed": not version.is_current})
    elif version.is_current:
        typer.echo(f"{store}: version {version.found}, nothing to do")
    else:
        typer.echo(f"{store}: from {version.found or 'no tables'} to version {version.newest}")


@app.command()
def check(
    network: Network = "dev",
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database: Database = None,
    quick: Quick = False,
    as_json: AsJson = False,
) -> None:
    """Check a store as fsck checks a disk: tables, headers, bodies, undo, state root, read model. A node may go on meanwhile.

    Exit code 0: all is in order; 1: something is not; 2: the store could not be read. `audit verify` checks signatures too.

    \b
    Examples:
      fansumer db check --data-dir chain
      fansumer db check --database postgresql://fansumer@localhost/ledger --quick
    """
    from api.cli.audit_progress import show_progress
    from api.cli.chain_params import load_params
    from api.cli.output import print_json, report_fault
    from api.cli.store_place import check_lines, check_mapping, find_folder, find_store
    from node.check import check_store
    from node.errors import NodeError

    chain_params = load_params(network, params, find_folder(network, data_dir))
    try:
        url = find_store(network, data_dir, database)
        with show_progress(is_shown=not as_json and not quick) as progress:
            report = check_store(url, chain_params, is_quick=quick, progress=progress)
    except NodeError as fault:
        report_fault(fault)
        raise typer.Exit(EXIT_NOT_READ) from None
    if as_json:
        print_json(check_mapping(report))
    else:
        for line in check_lines(report):
            typer.echo(line)
    raise typer.Exit(EXIT_GOOD if report.is_good else EXIT_BAD)
