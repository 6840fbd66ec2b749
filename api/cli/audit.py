"""`fansumer audit`: verifying a node's store from the first block."""

import typer

from api.cli.node import Database, DataDir, Network, ParamsFile
from api.cli.options import AsJson

app = typer.Typer(no_args_is_help=True, help="Verify a chain from its first block, with nobody's permission.")

EXIT_GOOD = 0
EXIT_BAD = 1
EXIT_NOT_READ = 2


@app.callback()
def group() -> None:
    """Keep `verify` a command of its own."""


@app.command()
def verify(
    network: Network = "dev",
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Replay a store from genesis: work, signatures, rules, supply, roots, then its tables row by row.

    Exit code 0: everything verified; 1: something is wrong; 2: the store could not be read.

    \b
    Example:
      fansumer audit verify --data-dir chain
    """
    from api.cli.audit_lines import report_lines, report_mapping, show_progress
    from api.cli.chain_params import load_params
    from api.cli.output import print_json, report_fault
    from api.cli.up import default_folder
    from node.audit import audit_store
    from node.errors import NodeError

    folder = data_dir or default_folder(network)
    chain_params = load_params(network, params, folder)
    try:
        with show_progress(is_shown=not as_json) as progress:
            report = audit_store(folder, chain_params, database_url=database, progress=progress)
    except NodeError as fault:
        report_fault(fault)
        raise typer.Exit(EXIT_NOT_READ) from None
    if as_json:
        print_json(report_mapping(report))
    else:
        for line in report_lines(report):
            typer.echo(line)
    raise typer.Exit(EXIT_GOOD if report.is_good else EXIT_BAD)
