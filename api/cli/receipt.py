"""`fansumer wallet receipts`: what tills signed: checked without any network, and what a node keeps of it for the fan."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import CARRIED_NOTE, DEFAULT_URL, AsJson, ChainIdOffline, Force, Program, Url, WalletFile
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from api.wallet.client import Client
    from ledger.domains.loyalty.receipts import SignedReceipt

app = typer.Typer(no_args_is_help=True, help="Receipts: a till's signed promise of points.")

ReceiptId = Annotated[str, typer.Argument(metavar="RECEIPT", help="The receipt's id: 64 hexadecimal digits.")]
LIST_COLUMNS = ("date", "net_cents", "points", "line_count", "gift", "period", "id")
RECEIPT_ID_DIGITS = 64


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt, or the text of its QR code.")],
    chain_id: ChainIdOffline = None,
    opening: Annotated[
        Path | None,
        typer.Option("--opening", help="The opening that the shop gave after settling: is the receipt in it?"),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", help="With --chain-id: the network's prefix, such as dfan, to show addresses."),
    ] = None,
    own: Annotated[
        Path | None,
        typer.Option(
            "--receipts", help="A folder with your other receipts: do they contradict the visit before this one?"
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="It was signed just now: refuse it if its time is off by ten minutes.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Check a receipt: who signed it, for what, how many points, and how many the program's rules give.

    \b
    Examples:
      fansumer wallet receipts check receipt.bin
      fansumer wallet receipts check receipt.bin --chain-id 0f0f...0f --opening week-12.json
      fansumer wallet receipts check receipt.bin --receipts my-receipts
    """
    import time

    from api.cli.output import print_answer, say
    from api.cli.session import connect, read_id, read_text
    from api.wallet.receipts import check_receipt, describe_receipt, find_in_opening
    from ledger.types import ChainId, Timestamp

    signed = read_receipt(file)
    now = Timestamp(int(time.time())) if fresh else None
    granted: bool | None = None
    due: tuple[int, int] | None = None
    if chain_id is None:
        with connect(url) as client:
            chain = client.chain()
            prefix = str(chain["address_prefix"])
            check_receipt(signed, ChainId(read_id(str(chain["chain_id"]), "--chain-id")), now=now)
            granted = _warn_without_grant(client, signed, prefix)
            due = _points_due(client, signed)
    else:
        check_receipt(signed, ChainId(read_id(chain_id, "--chain-id")), now=now)
        say("Not checked: whether the program lets this till sign, and what its rules give. Ask a node: no --chain-id.")
    rule_points, version = due or (None, None)
    shown = {**describe_receipt(signed, prefix), "rule_points": rule_points, "counted_version": version}
    shown["till_granted"] = granted
    if own is not None:
        shown["visit_contradicted"] = _warn_of_visit(signed, own)
    if opening is not None:
        shown |= find_in_opening(signed, read_text(opening))
    print_answer(shown, as_json=as_json)
    if opening is None and not as_json:
        say(CARRIED_NOTE)


def _warn_of_visit(signed: "SignedReceipt", folder: Path) -> bool:
    """Whether the fan's own receipts say something else about its visit before this one than the till does."""
    from api.cli.output import warn
    from api.cli.till import files_in
    from api.wallet.receipts import contradicts_visit

    own = list["SignedReceipt"]()
    for path in files_in(folder):
        try:
            own.append(read_receipt(path))
        except LedgerError as fault:
            warn(f"left out: {path.name}: {fault}")
    found = contradicts_visit(signed.receipt, [other.receipt for other in own])
    if found is not None:
        warn(found + ".")
    return found is not None


def _warn_without_grant(client: "Client", signed: "SignedReceipt", prefix: str) -> bool | None:
    """Whether the till held its scope when it signed; None if the node could not say."""
    from api.cli.output import warn
    from api.wallet.errors import ClientProblem
    from api.wallet.grants import find_grant, held_scope_at
    from ledger.address import encode_address
    from ledger.policy import address_of_key

    receipt = signed.receipt
    till = encode_address(prefix, address_of_key(receipt.till))
    try:
        granted = held_scope_at(find_grant(client, receipt.program, till), "till", receipt.time)
    except ClientProblem as problem:
        warn(f"whether the program lets {till} sign could not be checked: {problem.detail}")
        return None
    if not granted:
        warn(f"the program had not granted {till} the scope till when it signed: nobody has to settle this receipt.")
    return granted


def _points_due(client: "Client", signed: "SignedReceipt") -> tuple[int, int] | None:
    """What the better of the terms named and those in force gives, and its version; None if the node could not say."""
    from api.cli.output import warn
    from api.wallet.errors import ClientProblem
    from api.wallet.explanation import owed_points
    from api.wallet.shown_terms import read_versions_answer

    receipt = signed.receipt
    try:
        versions = read_versions_answer(client.terms(receipt.program))
    except ClientProblem as problem:
        warn(f"what the program's rules give could not be computed: {problem.detail}")
        return None
    found = owed_points(versions, receipt.purchase(), receipt.terms_version)
    if found is None:
        warn(
            f"the receipt names the terms {receipt.terms_version}, which a receipt of its time may not: ask for a new one."
        )
    elif found[0] > receipt.points:
        warn(
            f"the rules give {found[0]} points, the receipt promises {receipt.points}: `wallet contest --wrong-points`."
        )
    return found


@app.command("list")
def list_receipts(
    program: Program,
    period: Annotated[int | None, typer.Option("--period", min=0, help="Only this period of the program.")] = None,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List the receipts that the node keeps for you, the one that came last first. Nobody else is shown them.

    \b
    Example:
      fansumer wallet receipts list 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        client = opened.client
        client.program(of_program)  # raises program.unknown: an empty list would say that it exists
        found = list(client.every(client.receipts, opened.owner(of_program), of_program, period))
    if as_json:
        print_json(found)
    else:
        print_rows(found, LIST_COLUMNS)


@app.command()
def show(
    program: Program,
    receipt: ReceiptId,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the receipt as the till signed it to this file.")
    ] = None,
    force: Force = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show a receipt with its lines. The till's signature and every line are checked here, not believed.

    \b
    Example:
      fansumer wallet receipts show 5f5f...5f 9d9d...9d --out receipt.bin
    """
    from api.cli.output import print_answer, say
    from api.cli.session import open_wallet, read_id, write_file
    from api.wallet.receipts import read_kept_receipt
    from ledger.domains.loyalty.receipts import encode_receipt
    from ledger.types import ProgramId

    of_program, wanted = ProgramId(read_id(program, "PROGRAM")), read_id(receipt, "RECEIPT")
    with open_wallet(url, wallet) as opened:
        answer = opened.client.receipt(opened.owner(of_program), wanted)
        signed = read_kept_receipt(answer, opened.facts.chain_id)
    if out is not None:
        write_file(out, encode_receipt(signed), force=force)
        say(f"The receipt is in {out}.")
    print_answer({name: value for name, value in answer.items() if name != "signed"}, as_json=as_json)


@app.command()
def erase(
    program: Program,
    receipt: Annotated[
        str | None, typer.Argument(metavar="[RECEIPT]", help="The receipt's id; or --all.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of your receipts of this program.")] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Erase receipts from the node: lines, salts, everything. Points are not touched, and the shop has its own copy.

    \b
    Examples:
      fansumer wallet receipts erase 5f5f...5f 9d9d...9d
      fansumer wallet receipts erase 5f5f...5f --all
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    if (receipt is None) is not everything:
        raise typer.BadParameter("name either one receipt or --all")
    of_program = ProgramId(read_id(program, "PROGRAM"))
    wanted = None if receipt is None else read_id(receipt, "RECEIPT")
    with open_wallet(url, wallet) as opened:
        owner = opened.owner(of_program)
        if wanted is None:
            answer = opened.client.erase_receipts(owner, of_program)
        else:
            answer = opened.client.erase_receipt(owner, wanted)
    print_answer(answer, as_json=as_json)


@app.command()
def gift(
    receipt: Annotated[
        str, typer.Argument(metavar="FILE|ID", help="The receipt as the till gave it, or its id at the node.")
    ],
    off: Annotated[bool, typer.Option("--off", help="It was no gift after all.")] = False,
    program: Annotated[
        str | None, typer.Option("--program", help="Whose receipt it is; of a file it is known without.")
    ] = None,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Mark a purchase as a gift: it stays out of profiles and of what partners read. Points do not change.

    \b
    Examples:
      fansumer wallet receipts gift receipt.bin
      fansumer wallet receipts gift 9d9d...9d --program 5f5f...5f --off
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_id
    from ledger.domains.loyalty.receipts import receipt_hash
    from ledger.types import ProgramId

    file = Path(receipt)
    if file.exists() or len(receipt) != RECEIPT_ID_DIGITS:
        signed = read_receipt(file)
        wanted, of_program = receipt_hash(signed.receipt, signed.salt), signed.receipt.program
        if program is not None and read_id(program, "--program") != of_program:
            raise typer.BadParameter("the receipt in the file is of another program", param_hint="--program")
    else:
        if program is None:
            raise typer.BadParameter("name the program of an id by --program", param_hint="--program")
        wanted, of_program = read_id(receipt, "ID"), ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet) as opened:
        print_answer(opened.client.mark_gift(opened.owner(of_program), wanted, is_gift=not off), as_json=as_json)


def read_receipt(file: Path) -> "SignedReceipt":
    """The receipt in a file, as bytes or as the text of a till's QR code; its signature is not checked.

    Raises UsageFault cli.file_failed, WalletError cli.bad_file.
    """
    from api.cli.session import naming_file, read_bytes
    from api.till.symbol import TEXT_CHARACTERS_MAX, read_receipt_text
    from ledger.domains.loyalty.receipts import decode_receipt

    data = read_bytes(file, TEXT_CHARACTERS_MAX)
    in_text = read_receipt_text(data.decode("ascii")) if data.isascii() else None
    with naming_file(file, "receipt"):
        return decode_receipt(data if in_text is None else in_text)
