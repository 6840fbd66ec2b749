"""Points besides purchases: given by a brand, given on by a fan, taken back for returns."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import (
    AMOUNT_MAX,
    DEFAULT_URL,
    Account,
    AsJson,
    OpeningsFolder,
    PayOwn,
    PointsAmount,
    Program,
    Url,
    Wait,
    WalletFile,
)

if TYPE_CHECKING:
    from api.wallet.client import Client
    from api.wallet.wallet import Wallet
    from ledger.domains.loyalty.receipts import SignedReceipt
    from ledger.domains.loyalty.returns import SignedReturn

returns_app = typer.Typer(
    no_args_is_help=True, help="Purchases that fans bring back, and the points that go with them."
)

ReturnFile = Annotated[Path, typer.Argument(metavar="RETURN_FILE", help="The return, as it was written to a file.")]
COLUMNS = ("id", "member", "points", "reversed", "receipt")
"""What a table of returns shows; --json shows all."""


def adjust(
    program: Program,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="The fan's address for this program.")],
    points: PointsAmount,
    reason: Annotated[
        str, typer.Option("--reason", help="A code of your own, such as apology.late: public for ever, so no names.")
    ],
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Give a fan points without a purchase, within adjust_day_max of your terms. There is no way to take points like this.

    \b
    Example:
      fansumer brand adjust 5f5f...5f dfan1p... 100 --reason apology.late
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_account, read_id
    from api.wallet.brand import Brand
    from ledger.types import Points, ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened, payment=payment_choice(pay_own=pay_own))
        sent = brand.adjust(of_program, read_account(opened, member), Points(points), reason)
        finish(opened, sent, wait=wait, as_json=as_json)


def tell_sunset(name: str, shown: Mapping[str, Any]) -> str:
    """A program's announced end, in a sentence for its fans."""
    from api.words import speak_time

    ends, closes = speak_time(shown["sunset_at"]), speak_time(shown["closes_at"])
    if shown["state"] == "closed":
        return f"{name} has ended: since {closes} nothing can be redeemed."
    verb = "ended" if shown["state"] == "winding_down" else "ends"
    return f"{name} {verb} on {ends}: nothing is earned after that. Spend your points before {closes}."


def tell_collateral(program: Mapping[str, Any]) -> str:
    """What stands behind a fan's points, in a sentence."""
    behind = f"{program['collateral']} coin stand behind your points of {program['name']}"
    if program["sunset"] is not None and program["sunset"]["state"] == "closed":
        return f"{behind}: take them with `fansumer wallet claim-collateral {program['program']}` before the points expire."
    return f"{behind}: yours, should it close before you have used them."


def give(
    program: Program,
    recipient: Annotated[str, typer.Argument(metavar="ADDRESS", help="The other member's address for this program.")],
    points: PointsAmount,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Give points to another member of the program, where its terms allow that. They keep the day on which they expire.

    \b
    Example:
      fansumer wallet give 5f5f...5f dfan1p... 50
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_account, read_id
    from ledger.types import Points, ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        to = read_account(opened, recipient)
        sent = opened.give_points(of_program, to, Points(points), payment=payment_choice(pay_own=pay_own))
        finish(opened, sent, wait=wait, as_json=as_json)


def sign_return(
    file: ReturnFile,
    out: Annotated[Path, typer.Option("--out", help="Where to write the return that you signed, for the shop.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Counter-sign what you bring back. Without your signature no shop can take points from you.

    \b
    Example:
      fansumer wallet sign-return draft.bin --out return.bin
    """
    from api.cli.output import print_answer, say
    from api.cli.session import naming_file, open_wallet, read_bytes, write_file
    from api.wallet.returns import decode_draft, describe_return
    from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX
    from ledger.domains.loyalty.returns import encode_return

    data = read_bytes(file, RECEIPT_BYTES_MAX)
    with naming_file(file, "draft of a return"):
        draft = decode_draft(data)
    with open_wallet(url, wallet) as opened:
        signed = opened.sign_return(draft)
        shown = describe_return(draft.returned, opened.facts.address_prefix)
    say(
        f"You agree that {draft.returned.points} points of this purchase are taken back, and that everybody can see it: your "
        "account, the till, the time and the number; not what you bought."
    )
    if not yes:
        typer.confirm("Sign it?", abort=True, err=True)
    write_file(out, encode_return(signed))
    print_answer({**shown, "signed": True, "file": str(out)}, as_json=as_json)


@returns_app.command("draft")
def draft_return(
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT_FILE", help="The receipt of the purchase.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the draft, for the fan to sign.")],
    points: Annotated[
        int | None,
        typer.Option(
            "--points",
            min=1,
            max=AMOUNT_MAX,
            help="How many; by default the receipt's, and its offer's bonus.",
        ),
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Draft a return at the till. The fan signs it with `fansumer wallet sign-return`.

    \b
    Example:
      fansumer brand returns draft receipts/0001.bin --points 120 --out draft.bin
    """
    import time

    from api.cli.output import print_answer
    from api.cli.receipt import read_receipt
    from api.cli.session import open_wallet, warn_without_scope, write_file
    from api.wallet.brand import Brand
    from api.wallet.returns import describe_return, encode_draft
    from ledger.types import Points, Timestamp

    bought = read_receipt(receipt)
    with open_wallet(url, wallet, account) as opened:
        bonus = bonus_of(opened.client, bought)
        wanted = Points(bought.receipt.points + bonus if points is None else points)
        if not wanted:
            raise typer.BadParameter("the purchase gave no points, so there is nothing to take back")
        now = min(int(time.time()), int(opened.client.chain()["time"]))
        draft = Brand(opened).draft_return(bought, wanted, Timestamp(now), bonus=bonus)
        shown = describe_return(draft.returned, opened.facts.address_prefix)
        warn_without_scope(opened, bought.receipt.program, "till", "the chain will not take this return")
    write_file(out, encode_draft(draft))
    print_answer({**shown, "file": str(out)}, as_json=as_json)


@returns_app.command("post")
def post_return(
    program: Program,
    file: ReturnFile,
    openings: OpeningsFolder = None,
    points: Annotated[
        int | None,
        typer.Option("--points", min=1, max=AMOUNT_MAX, help="How many; by default what return and entry allow."),
    ] = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take points back for a return that the fan signed: of the purchase's entry, or of what is pending. What the fan has spent
    stays spent. The bonus of an offer that the purchase cited goes back by `brand offers take-back`.

    \b
    Example:
      fansumer brand returns post 5f5f...5f return.bin --openings openings
    """
    from api.cli.contests import read_openings
    from api.cli.session import data_folder, finish, open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from api.wallet.contests import find_opening
    from api.wallet.returns import check_signed, reversal_of
    from ledger.types import Points, ProgramId

    of_program, signed = ProgramId(read_id(program, "PROGRAM")), read_return(file)
    if signed.returned.program != of_program:
        raise typer.BadParameter("the return is of another program")
    kept = read_openings(openings or data_folder() / "openings" / of_program.hex())
    reversal = reversal_of(
        signed, find_opening(kept, signed.returned.receipt), None if points is None else Points(points)
    )
    with open_wallet(url, wallet, account) as opened:
        check_signed(signed, opened.facts.chain_id)
        sent = Brand(opened, payment=payment_choice(pay_own=pay_own)).reverse(reversal)
        finish(opened, sent, wait=wait, as_json=as_json)
        _tell_bonus(opened, signed, signed.returned.points - reversal.points, file)


def _tell_bonus(opened: "Wallet", signed: "SignedReturn", left: int, file: Path) -> None:
    """Where the purchase cited an offer: how much of the return is left for its bonus, and the command that takes it back."""
    from api.cli.output import say

    returned = signed.returned
    if left < 1:
        return
    member = opened.address_text(returned.member)
    for shown in opened.client.every(opened.client.offers.of_account, member):
        bonus = int(shown["credited"]) - int(shown["reversed"])
        if shown["receipt"] == returned.receipt.hex() and bonus > 0:
            say(
                f"{min(left, bonus)} points of this return are left for the bonus that the purchase brought. Take them back, too: "
                f"fansumer brand offers take-back {returned.program.hex()} {file} --offer {shown['id']}"
            )


@returns_app.command("list")
def list_returns(program: Program, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List what a program took back. Everybody can ask.

    \b
    Example:
      fansumer brand returns list 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect, read_id

    of_program = read_id(program, "PROGRAM")
    with connect(url) as client:
        found = list(client.every(client.returns, of_program))
    if as_json:
        print_json(found)
    else:
        print_rows(found, COLUMNS)


def bonus_of(client: "Client", bought: "SignedReceipt") -> int:
    """The points that an offer brought to this very receipt, and that were not taken back."""
    from api.wallet.client import ClientProblem
    from ledger.domains.loyalty.receipts import receipt_hash

    if not bought.receipt.offer:
        return 0
    try:
        shown = client.offers.one(bought.receipt.offer)
    except ClientProblem as problem:
        if problem.status != 404:
            raise
        return 0
    is_this = shown["receipt"] == receipt_hash(bought.receipt, bought.salt).hex()
    return int(shown["credited"]) - int(shown["reversed"]) if is_this else 0


def read_return(file: Path) -> "SignedReturn":
    """The signed return in a file; its signatures are not checked. Raises UsageFault cli.file_failed, WalletError cli.bad_file."""
    from api.cli.session import naming_file, read_bytes
    from ledger.domains.loyalty.receipts import RECEIPT_BYTES_MAX
    from ledger.domains.loyalty.returns import decode_return

    data = read_bytes(file, RECEIPT_BYTES_MAX)
    with naming_file(file, "return that a fan signed"):
        return decode_return(data)


def read_returns(folder: Path) -> "Iterator[SignedReturn]":
    """Every signed return in a folder. Raises as `read_return` does."""
    from api.cli.till import files_in

    for path in files_in(folder):
        yield read_return(path)
