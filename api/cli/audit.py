"""`fansumer audit`: verifying a chain from its first block, what programs owed, and a brand's books from its receipts.

Exit codes of all: 0 everything is as it should be; 1 there are findings; 2 it could not run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.options import AsJson, DatabaseUrl, DataDir, Force, ParamsFile, Source

app = typer.Typer(
    no_args_is_help=True, help="Verify a chain from its first block, with nobody's permission; recompute what is owed."
)

EXIT_GOOD = 0
EXIT_BAD = 1
EXIT_NOT_READ = 2

Network = Annotated[
    str | None,
    typer.Option(
        "--network", help="Whose params: main, test, dev or sim; by default what lies with the source, or dev."
    ),
]
ChainId = Annotated[
    str | None, typer.Option("--chain-id", help="The chain that you mean: params that the source shows must make it.")
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder with receipts and openings.")]


@app.command()
def verify(
    source: Source = None,
    chain_id: ChainId = None,
    network: Network = None,
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the report with plots as one page, which needs no network.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Replay a chain from genesis: work, signatures, rules, supply, roots; of a store its tables, too, row by row.

    Exit code 0: everything verified; 1: something is wrong; 2: the source could not be read.

    \b
    Examples:
      fansumer audit verify --data-dir chain
      fansumer audit verify chain.dump.xz --chain-id 0f0f...0f
      fansumer audit verify http://127.0.0.1:8780 --html report.html
    """
    from api.cli.audit_progress import show_progress
    from api.cli.audit_sources import SourceOptions, open_source
    from api.cli.file_kinds import REPORT
    from api.cli.output import print_json, say
    from api.cli.session import refuse_overwriting, write_file
    from api.reporting.lines import report_lines
    from api.reporting.mapping import map_report
    from api.reporting.page import render_page
    from api.reporting.plots import check_plots
    from node.audit import audit_source

    with _ending_with_two():
        if html is not None:
            check_plots()
            refuse_overwriting(html, REPORT, force=force)
        options = SourceOptions(source, network, params, data_dir, database_url, chain_id)
        with open_source(options) as opened, show_progress(is_shown=not as_json) as progress:
            report = audit_source(opened.blocks, opened.params, progress=progress, stored=opened.stored)
            shown = map_report(report, source=opened.name, chain_is_known=opened.chain_is_known)
        if html is not None:
            write_file(html, render_page(shown).encode(), force=force)
    if as_json:
        print_json(shown)
    else:
        for line in report_lines(shown):
            typer.echo(line)
    if html is not None:
        say(f"The report is in {html}.")
    raise typer.Exit(EXIT_GOOD if report.is_good else EXIT_BAD)


@app.command()
def liability(
    at: Annotated[
        datetime, typer.Option("--at", formats=["%Y-%m-%d"], help="At the end of this day, each program's own.")
    ],
    source: Source = None,
    program: Annotated[
        str | None, typer.Option("--program", metavar="ID", help="Only this program: 64 hexadecimal digits.")
    ] = None,
    proofs: Annotated[
        Path | None, typer.Option("--proofs", metavar="DIR", help="Write the proofs of the totals into this folder.")
    ] = None,
    force: Force = False,
    chain_id: ChainId = None,
    network: Network = None,
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """What each program owed at the end of a day, by replay up to that day; by expiry day, with proofs.

    issued + restored = pending + available + held + escrowed + redeemed + expired + reversed.

    \b
    Examples:
      fansumer audit liability --at 2026-10-31 --data-dir chain
      fansumer audit liability chain.dump.xz --at 2026-10-31 --program 5f5f...5f --proofs proofs --json
    """
    from api.cli.audit_progress import show_progress
    from api.cli.audit_sources import SourceOptions, open_source
    from api.cli.output import print_json
    from api.cli.session import read_id, write_file
    from api.reporting.liability_lines import liability_lines
    from api.reporting.mapping import map_liability
    from ledger.types import Day, ProgramId
    from node.audit_liability import audit_liability

    date = at.date()
    day = Day((date - datetime.fromtimestamp(0, UTC).date()).days)
    with _ending_with_two():
        wanted = None if program is None else ProgramId(read_id(program, "--program"))
        options = SourceOptions(source, network, params, data_dir, database_url, chain_id)
        with open_source(options) as opened, show_progress(is_shown=not as_json) as progress:
            report = audit_liability(
                opened.blocks, opened.params, day, wanted, shown_date=date.isoformat(), progress=progress
            )
            name, is_known = opened.name, opened.chain_is_known
        files: dict[str, dict[str, str]] = {}
        if proofs is not None:
            for found in report.programs:
                for what, data in found.proofs.items():
                    file = proofs / f"{found.position.program_id.hex()}-{date.isoformat()}-{what}.proof"
                    write_file(file, data, force=force)
                    files.setdefault(found.position.program_id.hex(), {})[what] = str(file)
    shown = map_liability(report, date=date.isoformat(), source=name, chain_is_known=is_known, files=files)
    if as_json:
        print_json(shown)
    else:
        for line in liability_lines(shown):
            typer.echo(line)
    raise typer.Exit(EXIT_GOOD if report.is_good else EXIT_BAD)


@app.command()
def receipts(
    folder: Folder,
    source: Source = None,
    program: Annotated[
        str | None, typer.Option("--program", metavar="ID", help="Whose books; by default what the folder says.")
    ] = None,
    whole: Annotated[
        bool | None,
        typer.Option("--whole/--part", help="Whether it claims to hold everything; by default what books.json says."),
    ] = None,
    chain_id: ChainId = None,
    network: Network = None,
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Recompute a brand's books from the receipts that it, or a fan, hands over, entry by entry against the chain.

    Of a fan's part, what can't be checked is said to be unknown; it is not wrong.

    \b
    Examples:
      fansumer audit receipts export --data-dir chain
      fansumer audit receipts my-receipts http://127.0.0.1:8780 --part --json
    """
    from api.cli.audit_progress import show_progress
    from api.cli.audit_sources import SourceOptions, open_source
    from api.cli.output import print_json
    from api.reporting.receipts_audit import audit_receipts
    from api.reporting.receipts_folder import ALL, read_folder
    from api.reporting.receipts_lines import map_receipts, receipts_lines
    from node.audit_settlements import collect_settlements

    with _ending_with_two():
        found = read_folder(folder)
        wanted = _choose_program(found, program)
        known = chain_id or (None if found.chain_id is None else found.chain_id.hex())
        options = SourceOptions(source, network, params, data_dir, database_url, known)
        with open_source(options) as opened, show_progress(is_shown=not as_json) as progress:
            facts = collect_settlements(opened.blocks, opened.params, wanted, progress=progress)
            name, prefix = opened.name, opened.params.address_prefix
        is_whole = found.covers == ALL if whole is None else whole
        report = audit_receipts(found, facts, is_whole=is_whole)
    shown = map_receipts(report, facts, source=name, folder=str(folder), prefix=prefix)
    if as_json:
        print_json(shown)
    else:
        for line in receipts_lines(shown):
            typer.echo(line)
    raise typer.Exit(EXIT_GOOD if report.is_good else EXIT_BAD)


@app.command()
def recount(
    proposal: Annotated[str, typer.Argument(metavar="PROPOSAL", help="The proposal's id: 64 hexadecimal digits.")],
    source: Source = None,
    chain_id: ChainId = None,
    network: Network = None,
    params: ParamsFile = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Count a proposal's ballots again from the blocks alone, by code that shares nothing with the ledger's.

    Every ballot's power is checked against the snapshot; one that was taken away, changed or hidden is named. Of a node or a store
    the result that it shows is compared, too.

    \b
    Examples:
      fansumer audit recount p1p1...p1 http://127.0.0.1:8780
      fansumer audit recount p1p1...p1 chain.dump.xz --chain-id 0f0f...0f --json
    """
    from api.cli.audit_progress import show_progress
    from api.cli.audit_sources import SourceOptions, open_source
    from api.cli.output import print_json
    from api.cli.session import read_id
    from api.reporting.recount_lines import map_recount, recount_lines
    from ledger.address import encode_address
    from ledger.types import Address, ProposalId
    from node.recount import recount as count_again

    with _ending_with_two():
        wanted = ProposalId(read_id(proposal, "PROPOSAL"))
        options = SourceOptions(source, network, params, data_dir, database_url, chain_id)
        with open_source(options) as opened, show_progress(is_shown=not as_json) as progress:
            claim, prefix = _read_claim(opened, wanted), opened.params.address_prefix
            found = count_again(
                opened.blocks,
                opened.params,
                wanted,
                claim,
                show=lambda address: encode_address(prefix, Address(address)),
                progress=progress,
            )
            shown = map_recount(found, source=opened.name, is_compared=claim is not None)
    if as_json:
        print_json(shown)
    else:
        for line in recount_lines(shown):
            typer.echo(line)
    raise typer.Exit(EXIT_GOOD if found.is_good else EXIT_BAD)


def _read_claim(opened: Any, proposal: Any) -> Any:
    """What the source says of a proposal; None of a dump, and of a node that took a block between its blocks and its answer."""
    from api.cli.audit_sources import URL_SCHEMES
    from api.cli.output import warn
    from api.cli.session import connect
    from api.wallet.proposal_claims import fetch_claim
    from node.recount_claims import read_claim

    if opened.stored is not None:
        return read_claim(opened.stored, proposal)
    if not opened.name.lower().startswith(URL_SCHEMES):
        return None
    with connect(opened.name) as client:
        claim = fetch_claim(client, proposal, opened.params.address_prefix)
        if client.chain()["tip"] == (opened.blocks.tip or b"")[::-1].hex():
            return claim
    warn("the node took a block meanwhile, so what it shows is not compared; run it again")
    return None


def _choose_program(found: Any, named: str | None) -> Any:
    """The program whose books are meant. Raises UsageFault or WalletError receipts.bad_folder."""
    from api.cli.session import read_id
    from api.reporting.receipts_folder import BAD_FOLDER
    from api.wallet.errors import WalletError
    from ledger.types import ProgramId

    if named is not None:
        return ProgramId(read_id(named, "--program"))
    if found.program is not None:
        return found.program
    if len(found.programs) == 1:
        return found.programs[0]
    shown = ", ".join(program.hex() for program in found.programs[:4]) or "none that can be read"
    raise WalletError(BAD_FOLDER, path=str(found.path), reason=f"its receipts are of {shown}; name one with --program")


@contextmanager
def _ending_with_two() -> Iterator[None]:
    """What keeps an audit from running ends with the exit code 2: 1 would say that something was found."""
    from api.cli.output import report_fault
    from api.wallet.errors import ClientProblem
    from ledger.errors import LedgerError

    try:
        yield
    except (LedgerError, ClientProblem) as fault:
        report_fault(fault)
        raise typer.Exit(EXIT_NOT_READ) from None
