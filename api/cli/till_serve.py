"""`fansumer till`: the service between a shop's POS and the ledger."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, Account, Confirmations, WalletFile

if TYPE_CHECKING:
    from rich.console import Console

    from api.till.service import Settling, TillOptions
    from api.wallet.mnemonic import MasterSeed
    from ledger.types import Address, ProgramId

app = typer.Typer(
    no_args_is_help=True, help="Serve a shop's POS: sales in, signed receipts out, also without a network."
)

DEFAULT_PORT = 8790
ProgramOption = Annotated[
    str, typer.Option("--program", metavar="PROGRAM", help="The program's id: 64 hexadecimal digits.")
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="The till's folder: store and token. By default one for each key and program."),
]

Host = Annotated[str, typer.Option("--host", help="An address of this computer alone: 127.0.0.1 or ::1.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="The POS's port; 0 takes a free one.")]
Node = Annotated[
    str, typer.Option("--node", "--url", envvar="FANSUMER_URL", help="The node's API, for terms and hand-over.")
]
RefreshSeconds = Annotated[
    float, typer.Option("--refresh-seconds", min=0.1, max=600.0, help="How often the node is asked for the terms.")
]
Settle = Annotated[
    bool, typer.Option("--settle", help="Also settle this till's receipts on schedule. One key settles for a program.")
]
SettleWallet = Annotated[
    Path | None,
    typer.Option("--settle-wallet", help="The keystore with the scope settle; by default the till's own."),
]
SettleAccount = Annotated[
    int | None,
    typer.Option("--settle-account", min=0, max=2**31 - 1, help="Which of its main accounts; by default --account."),
]
NewBook = Annotated[
    bool,
    typer.Option(
        "--new-book",
        help="Settle with an empty store though this key has settled before; what it settled may be credited again.",
    ),
]
SettleDelay = Annotated[
    int,
    typer.Option("--settle-delay-seconds", min=0, max=31 * 86_400, help="How long after a period's end it is settled."),
]


@app.command()
def serve(
    program: ProgramOption,
    wallet: WalletFile = None,
    account: Account = 0,
    data_dir: DataDir = None,
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    node: Node = DEFAULT_URL,
    refresh_seconds: RefreshSeconds = 15.0,
    settle: Settle = False,
    settle_wallet: SettleWallet = None,
    settle_account: SettleAccount = None,
    settle_delay_seconds: SettleDelay = 3_600,
    new_book: NewBook = False,
    confirmations: Confirmations = 1,
) -> None:
    """Serve a POS on this computer. Ctrl-C stops it; a kill at any moment loses no sale and no number.

    The POS sends each sale with an id of its own, and sends it again until it is answered: it is signed once. The token is in the
    file `token` of the till's folder. A new till does not start for a program that its node does not know, or with a key that was
    granted nothing; where no node answers it starts, and says that it could not check.

    Without the node it signs for 72 hours, and hands the receipts over when it is back. The answer to a sale has `warnings`, each
    with a code and what to do: till.no_member where the fan has not joined, so that the receipt gives no points. It forgets a sale
    once nobody can contest it or bring it back: 169 days and the program's return window after it. With --settle its store holds
    the settlement book: where that is lost, nothing is settled, and GET /status says so.

    \b
    Examples:
      fansumer till serve --program 5f5f...5f --wallet till.json
      fansumer till serve --program 5f5f...5f --wallet till.json --settle --settle-wallet office.json
      curl -H "Authorization: Bearer $(cat token)" -H "Content-Type: application/json" http://127.0.0.1:8790/sales \\
        -d '{"id": "0017", "member": "dfan1p...", "net_cents": 1147, "codes": {"bakery": 498}, "lines": [["Bread", 2, 498]]}'
      curl -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8790/status
      curl -H "Authorization: Bearer $(cat token)" 'http://127.0.0.1:8790/invitation?qr=text'
      curl -H "Authorization: Bearer $(cat token)" -d @request.json http://127.0.0.1:8790/enrolments
    """
    from rich.console import Console

    from api.cli.session import data_folder, open_master, read_id
    from api.till.service import TillOptions
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "--program"))
    if not settle and (settle_wallet is not None or settle_account is not None or new_book):
        raise typer.BadParameter("--settle-wallet, --settle-account and --new-book belong to --settle")
    master = open_master(wallet)
    settling = None
    if settle:
        settling = _settling(
            master if settle_wallet is None else open_master(settle_wallet),
            account if settle_account is None else settle_account,
            of_program,
            delay_seconds=settle_delay_seconds,
            confirmations=confirmations,
            new_book=new_book,
        )
    options = TillOptions(
        program=of_program,
        master=master,
        account=account,
        data_dir=data_dir or _default_folder(of_program, master, account),
        sequences=data_folder() / "tills",
        node_url=node.rstrip("/"),
        host=host,
        port=port,
        refresh_seconds=refresh_seconds,
        settling=settling,
    )
    _run(options, Console())


def _settling(
    master: "MasterSeed", account: int, program: "ProgramId", *, delay_seconds: int, confirmations: int, new_book: bool
) -> "Settling":
    """Who settles, with openings where `brand settle` and `brand contests` look for them."""
    from api.cli.session import data_folder
    from api.cli.till import settlement_book, write_openings
    from api.till.schedule import ScheduleOptions
    from api.till.service import Settling

    address = _address_of(master, account)
    openings = data_folder() / "openings" / program.hex()
    book = settlement_book(data_folder(), program, address)
    return Settling(
        master,
        account,
        ScheduleOptions(delay_seconds=delay_seconds, confirmations=confirmations, book_file=book, begins_anew=new_book),
        lambda found: write_openings(openings, found),
    )


def _address_of(master: "MasterSeed", account: int) -> "Address":
    from api.wallet.builder import Signer
    from api.wallet.derivation import derive_main_seed

    return Signer.of_seed(derive_main_seed(master, account)).address


def _check_first(options: "TillOptions") -> None:
    """Before anything is made, and before the key's numbers are taken over: may this key sign for that program?"""
    from api.cli.output import warn
    from api.till.first_visit import make_first_visit
    from api.till.store import STORE_FILE
    from api.till.tier_book import quick_client

    is_new = not (options.data_dir / STORE_FILE).exists()
    with quick_client(options.node_url) as client:
        address = _address_of(options.master, options.account)
        for warning in make_first_visit(client, options.program, address, is_new=is_new):
            warn(warning)


def _default_folder(program: "ProgramId", master: "MasterSeed", account: int) -> Path:
    """Each key has a folder for each of its programs."""
    from api.cli.session import data_folder

    address = _address_of(master, account)
    return data_folder() / "tills" / f"{program.hex()}-{address.hex()}"


def _run(options: "TillOptions", console: "Console") -> None:
    """Serve until it is told to stop (Ctrl-C or SIGTERM)."""
    import signal
    import threading

    from api.till.service import TillService

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    _check_first(options)
    service = TillService(options)
    try:
        service.start()
        console.print(
            f"The till is at [bold]{service.url}[/bold] (POST /sales, GET /status). Ctrl-C stops.", soft_wrap=True
        )
        console.print(f"Its folder is {options.data_dir}; the POS's token is there in the file token.", soft_wrap=True)
        while not stop.wait(0.2):
            service.check()
        console.print("Stopping ...")
    finally:
        service.close()
    console.print("Stopped; no sale is lost.")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the receipts go, a file each.")],
    data_dir: Annotated[Path, typer.Option("--data-dir", help="The till's folder.")],
    after: Annotated[int, typer.Option("--after", min=0, help="Only receipts with a higher number.")] = 0,
) -> None:
    """Write a till's receipts as files: for `brand settle` in the office, for an audit. Also while the till serves.

    \b
    Example:
      fansumer till export receipts --data-dir till
    """
    from api.cli.output import UsageFault, say
    from api.cli.session import FILE_FAILED, write_file
    from api.till.store import STORE_FILE, read_receipts

    path = data_dir / STORE_FILE
    if not path.is_file():
        raise UsageFault(FILE_FAILED, path=str(path), reason="there is no till's store")
    count = 0
    for number, signed in read_receipts(path, after):
        write_file(folder / f"{number:08d}.bin", signed)
        count += 1
    say(f"{count} receipts are in {folder}.")
