"""The commands that hand receipts over to an auditor: a brand's, and those of the demo's grocer."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, ChainIdOffline, Program, Url

if TYPE_CHECKING:
    from api.demo.receipts_file import ReceiptsFile
    from api.wallet.sealing import Opening
    from ledger.domains.loyalty.receipts import SignedReceipt
    from ledger.types import Address

Out = Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the export.")]


def export_receipts(
    program: Program,
    out: Out,
    receipts: Annotated[
        list[Path], typer.Option("--receipts", help="A folder with the tills' receipts; may be repeated.")
    ],
    openings: Annotated[
        list[Path] | None,
        typer.Option("--openings", help="A folder with openings; by default where `brand settle` puts them."),
    ] = None,
    part: Annotated[
        bool, typer.Option("--part", help="It is not everything: what is missing is unknown, and not wrong.")
    ] = False,
    chain_id: ChainIdOffline = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Put receipts and openings of a program into a folder that an auditor can check: `fansumer audit receipts DIR`.

    It holds what fans bought for how much and the salts that hide it on chain: give it to nobody else.

    \b
    Example:
      fansumer brand export-receipts 5f5f...5f export --receipts receipts
    """
    from api.cli import session
    from api.cli.output import print_answer
    from api.cli.session import data_folder, read_id
    from api.reporting.receipts_folder import ALL, PART, merge_folders, write_folder
    from ledger.types import ChainId, ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    if chain_id is None:
        with session.connect(url) as client:
            chain_id = str(client.chain()["chain_id"])
    kept = data_folder() / "openings" / of_program.hex()
    folders = [*receipts, *(openings if openings is not None else [kept] if kept.is_dir() else [])]
    found = merge_folders(folders, of_program)
    of_chain = ChainId(read_id(chain_id, "--chain-id"))
    written = write_folder(out, of_chain, of_program, PART if part else ALL, found.receipts, found.openings)
    print_answer(
        {
            "folder": str(out),
            "receipts": written.receipts,
            "openings": written.openings,
            "covers": PART if part else ALL,
            "left_aside": found.left_aside,
        },
        as_json=as_json,
    )


def export_demo(
    out: Out,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="The replay's folder; by default that of `fansumer up --demo`.")
    ] = None,
    household: Annotated[
        int | None, typer.Option("--household", min=1, help="Only what this household's fan has.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hand over the demo's receipts: all of the grocer's, or one fan's.

    \b
    Example:
      fansumer demo export-receipts export
    """
    from contextlib import closing

    from api.cli.chain_params import load_params
    from api.cli.output import UsageFault, print_answer
    from api.cli.session import FILE_FAILED, data_folder
    from api.demo.receipts_file import RECEIPTS_FILE, ReceiptsFile
    from api.reporting.receipts_folder import ALL, PART, write_folder
    from ledger.genesis import make_genesis

    home = folder or data_folder() / "demo"
    if not (home / RECEIPTS_FILE).exists():
        raise UsageFault(FILE_FAILED, path=str(home / RECEIPTS_FILE), reason="it is not there")
    chain_id = make_genesis(load_params("dev", None, home)).chain_id
    with closing(ReceiptsFile(home / RECEIPTS_FILE)) as file:
        fan = None if household is None else file.find_fan(household)
        if household is not None and fan is None:
            raise UsageFault(FILE_FAILED, path=str(home / RECEIPTS_FILE), reason=f"it has no household {household}")
        fans = file.fans() if fan is None else [fan]
        first = next(iter(_receipts_of(file, fans)), None)
        if first is None:
            raise UsageFault(FILE_FAILED, path=str(home / RECEIPTS_FILE), reason="it holds no receipt")
        covers = ALL if fan is None else PART
        written = write_folder(
            out, chain_id, first.receipt.program, covers, _receipts_of(file, fans), _openings_of(file, fans)
        )
    facts = {"folder": str(out), "receipts": written.receipts, "openings": written.openings, "covers": covers}
    print_answer(facts, as_json=as_json)


def _receipts_of(file: "ReceiptsFile", fans: "Iterable[Address]") -> "Iterator[SignedReceipt]":
    for fan in fans:
        yield from (signed for signed, _ in file.read_receipts(fan))


def _openings_of(file: "ReceiptsFile", fans: "Iterable[Address]") -> "Iterator[Opening]":
    for fan in fans:
        yield from file.read_openings(fan)
