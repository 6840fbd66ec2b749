"""The commands of `fansumer brand` that tills use: enrol fans, sign receipts, settle them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Confirmations, Force, PayOwn, Program, Url, Wait, WalletFile
from api.cli.purchase_options import (
    MONEY_MAX,
    Codes,
    PaidWithPoints,
    PreviousVisit,
    ShownOffer,
    SoldAt,
    parse_codes,
    read_shown_offer,
)
from ledger.errors import Code, LedgerError

if TYPE_CHECKING:
    from api.wallet.brand import Brand
    from api.wallet.sealing import Opening
    from api.wallet.settlement import SettlementBook, Settler
    from api.wallet.shown_terms import ProgramFacts
    from api.wallet.wallet import Wallet
    from ledger.codec import Value
    from ledger.domains.loyalty.receipts import SignedReceipt
    from ledger.types import Address, ProgramId, ReceiptHash, Timestamp

RequestFile = Annotated[Path, typer.Argument(metavar="FILE", help="The fan's request to join.")]
RECEIPT_KEPT = Code(
    "cli.receipt_kept",
    "the receipt with the till's number {number} is signed, and {path} cannot be written ({reason}); it lies in {kept}",
    "Move it from there to where the shop's receipts are: the number is used, and the receipt counts.",
)
SEQUENCE_MAX = 2**63 - 1
"""What a receipt can hold (spec RCP-1): a till must not sign what nobody can read."""
Tier = Annotated[
    str | None,
    typer.Option("--tier", help="The fan's tier, by name or number; by default what the node shows; 0: none."),
]
Lines = Annotated[
    Path | None,
    typer.Option("--lines", help='What was bought, as a JSON list: [["Bread", 2, 498]]; only the fan ever sees it.'),
]
NewBook = Annotated[
    bool,
    typer.Option(
        "--new-book",
        help="Begin anew though this account has settled before: receipts settled then are credited again.",
    ),
]
Number = Annotated[
    int | None,
    typer.Option(
        "--sequence",
        min=0,
        max=SEQUENCE_MAX,
        help="The receipt's number, at least the till's next, which it is by default; the count goes on from there.",
    ),
]


def invite(
    program: Program,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write the invitation; else it is printed.")
    ] = None,
    force: Force = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
) -> None:
    """Make an invitation: a fan needs nothing else to ask for membership, not even a network.

    \b
    Example:
      fansumer brand invite 5f5f...5f --out invitation.json
    """
    from api.cli.output import say
    from api.cli.session import open_wallet, read_id, warn_without_scope, write_file
    from api.wallet.brand import Brand
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet, account) as opened:
        text = Brand(opened).invite(of_program).to_json()
        warn_without_scope(opened, of_program, "enrol", "it will not be able to enrol whom it invites")
    if out is None:
        typer.echo(text)
    else:
        write_file(out, text.encode(), force=force)
        say(f"The invitation is in {out}.")


def enrol(
    program: Program,
    file: RequestFile,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Counter-sign a fan's request to join and send it; the program's pool pays.

    \b
    Example:
      fansumer brand enrol 5f5f...5f request.json
    """
    from api.cli.session import finish, open_wallet, read_id, read_text
    from api.wallet.brand import Brand
    from api.wallet.enrolment import JoinRequest
    from ledger.types import ProgramId

    request = JoinRequest.from_json(read_text(file))
    with open_wallet(url, wallet, account) as opened:
        sent = Brand(opened).enrol(ProgramId(read_id(program, "PROGRAM")), request)
        finish(opened, sent, wait=wait, as_json=as_json)


def sign_receipt(
    program: Program,
    member: Annotated[str, typer.Option("--member", help="The fan's address for this program.")],
    net_cents: Annotated[
        int, typer.Option("--net-cents", min=-MONEY_MAX, max=MONEY_MAX, help="What was paid, in cents.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where to write the receipt for the fan.")],
    paid_with_points_cents: PaidWithPoints = 0,
    codes: Codes = None,
    tier: Tier = None,
    previous_visit: PreviousVisit = 0,
    offer: ShownOffer = None,
    sequence: Number = None,
    lines: Lines = None,
    handed_over: Annotated[
        bool, typer.Option("--hand-over", help="Also give receipt and lines to the node, for the fan to read there.")
    ] = False,
    at: SoldAt = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Sign a receipt for a purchase: the fan's promise of points.

    \b
    Examples:
      fansumer brand sign-receipt 5f5f...5f --member dfan1p... --net-cents 1999 --out receipts/0001.bin
      fansumer brand sign-receipt 5f5f...5f --member dfan1p... --net-cents 1999 --code bread=498 --out receipts/0002.bin
    """
    import secrets
    import time

    from api.cli.output import print_answer
    from api.cli.receipt_warnings import warn_about_signed
    from api.cli.session import data_folder, open_wallet, read_account, read_id, warn_without_scope
    from api.receipts.lines import lines_root
    from api.wallet.brand import RECEIPT_SALT_BYTES, Brand, Purchase
    from api.wallet.receipts import describe_receipt
    from ledger.domains.loyalty.receipts import decode_receipt, encode_receipt
    from ledger.types import ProgramId, Timestamp

    of_program, bought, cited = ProgramId(read_id(program, "PROGRAM")), _read_lines_file(lines), read_shown_offer(offer)
    by_code, when = parse_codes(codes), Timestamp(int(time.time()) if at is None else at)
    _refuse_existing(out)
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened)
        facts = brand.read_program(of_program)
        buyer = read_account(opened, member)
        level, salt = _tier_of(opened, of_program, facts, member, tier), secrets.token_bytes(RECEIPT_SALT_BYTES)

        def sign(number: int) -> bytes:
            root = lines_root(salt, bought)
            purchase = Purchase(
                buyer, number, when, net_cents, paid_with_points_cents, by_code, root, level, previous_visit, cited
            )
            return encode_receipt(brand.sign_receipt(of_program, facts, purchase, salt=salt))

        raw = _sign_next(data_folder() / "tills", of_program, opened.main.address, sign, out, sequence)
        signed = decode_receipt(raw)
        shown = describe_receipt(signed, opened.facts.address_prefix)
        shown["till_granted"] = warn_without_scope(opened, of_program, "till", "nobody will settle this receipt")
        warn_about_signed(opened, signed.receipt)
        if handed_over:
            shown["handed_over"] = opened.client.hand_over(raw, bought)["id"] == shown["receipt"]
    print_answer(shown, as_json=as_json)


def _sign_next(
    folder: Path, program: "ProgramId", till: "Address", sign: "Callable[[int], bytes]", out: Path, number: int | None
) -> bytes:
    """The receipt with the till's next number, or with one above it that was named, at `out`, before anything else may fail: the
    fan is to have it. Where that cannot be written it lies beside the counter, not lost.

    Raises UsageFault cli.receipt_kept, WalletError sequence.*.
    """
    from api.cli.output import UsageFault
    from api.cli.session import write_file
    from api.wallet.sequence import sign_numbered

    number, raw, kept = sign_numbered(folder, program, till, sign, number)
    try:
        write_file(out, raw)
    except UsageFault as fault:
        raise UsageFault(RECEIPT_KEPT, number=number, path=str(out), kept=str(kept), reason=str(fault)) from None
    kept.unlink()
    return raw


def _tier_of(opened: "Wallet", program: "ProgramId", facts: "ProgramFacts", member: str, tier: str | None) -> int:
    """The number of the tier that was named, or of the one that the node shows of the member."""
    from api.wallet.explanation import find_tier
    from api.wallet.member_tier import find_member_tier

    if tier is not None:
        return find_tier(facts.terms, tier)
    return find_member_tier(opened.client, program, facts.terms, member).number


def _refuse_existing(path: Path) -> None:
    """Raise UsageFault cli.file_failed where a file would be overwritten."""
    from api.cli.output import UsageFault
    from api.cli.session import FILE_FAILED

    if path.exists():
        raise UsageFault(FILE_FAILED, path=str(path), reason="it exists already, and a receipt is never overwritten")


def hand_over(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt, as `brand sign-receipt` wrote it.")],
    lines: Annotated[
        Path | None, typer.Option("--lines", help="The lines that it was signed with, as the same JSON list.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Give a receipt to the node, for the fan to read there. Within 31 days; the same one twice is harmless.

    \b
    Example:
      fansumer brand hand-over receipts/0001.bin --lines lines.json
    """
    from api.cli.output import print_answer
    from api.cli.receipt import read_receipt
    from api.cli.session import connect
    from ledger.domains.loyalty.receipts import encode_receipt

    signed, bought = read_receipt(file), _read_lines_file(lines)
    with connect(url) as client:
        print_answer(client.hand_over(encode_receipt(signed), bought), as_json=as_json)


def _read_lines_file(path: Path | None) -> "tuple[Value, ...]":
    """The lines in a JSON file; none without one. Raises WalletError cli.bad_file."""
    import json

    from api.cli.session import BAD_FILE, naming_file, read_text
    from api.receipts.lines import read_lines
    from api.wallet.errors import WalletError

    if path is None:
        return ()
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError):
        raise WalletError(BAD_FILE, path=str(path), what="list of lines", reason="it is not JSON") from None
    with naming_file(path, "list of lines"):
        return read_lines(document)


def settle(
    program: Program,
    receipts: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder with the tills' receipts.")],
    openings: Annotated[
        Path | None, typer.Option("--openings", help="Where each fan's opening goes; by default in your data folder.")
    ] = None,
    book: Annotated[
        Path | None, typer.Option("--book", help="The settlement book; by default in your data folder. Back it up.")
    ] = None,
    new_book: NewBook = False,
    last: Annotated[bool, typer.Option("--last", help="Carry nothing on: every remainder is brought to zero.")] = False,
    confirmations: Confirmations = 1,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Settle receipts: fans get their points, sealed. Running it again settles nothing twice: the settlement book remembers. Where
    the account has settled for the program before and the book is lost, nothing is settled, unless by --new-book.

    A file that is no receipt of this program is left out and named with its code, and so is a member whose entry the chain skips;
    the others are settled. The exit code is 1 where somebody must mend something, or where the folder holds no receipt at all.

    \b
    Example:
      fansumer brand settle 5f5f...5f receipts --openings openings
    """
    from api.cli.session import data_folder, open_wallet, payment_choice, read_id
    from api.cli.settle_report import NO_RECEIPTS, finish_settling, list_skipped, print_settled, tell_idle
    from api.wallet.brand import Brand
    from api.wallet.errors import WalletError
    from api.wallet.settlement import SettlementTerms, Settler
    from ledger.types import ProgramId, Timestamp

    of_program = ProgramId(read_id(program, "PROGRAM"))
    kept = openings or data_folder() / "openings" / of_program.hex()
    readable, bad = read_receipts(receipts)
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened, payment=payment_choice(pay_own=pay_own))
        facts, now = brand.read_program(of_program), Timestamp(int(opened.client.chain()["time"]))
        remembered = _open_book(opened, of_program, book, begins_anew=new_book)
        settler = Settler(
            brand,
            remembered,
            SettlementTerms(facts.periods, facts.terms.remainder_max),
            confirmations=confirmations,
            keep=lambda found: write_openings(kept, found),
        )
        good, refused = examine_files(settler, readable)
        has_ended = 0 < facts.sunset_at < now
        if not (readable or bad or last or has_ended or remembered.pending):
            raise WalletError(NO_RECEIPTS, path=str(receipts))
        cited = _settle_offers(brand, of_program, good, facts, until=now, confirmations=confirmations)
        outcome = settler.settle(good, until=now, is_last=last or has_ended)
        if last or has_ended:
            outcome.add(settler.flush(facts.sunset_at if has_ended else now))
        skipped = list_skipped(opened, outcome, _names_of(readable))
    shown = {"openings": str(kept), "book": str(remembered.path), "bad_files": bad + refused, **cited}
    print_settled(outcome, skipped, shown, as_json=as_json)
    if not outcome.openings and not skipped:
        tell_idle(good, remembered)
    finish_settling([*bad, *refused], skipped)


def _names_of(readable: "dict[Path, SignedReceipt]") -> "dict[ReceiptHash, str]":
    """The file of each receipt."""
    from ledger.domains.loyalty.receipts import receipt_hash

    return {receipt_hash(signed.receipt, signed.salt): path.name for path, signed in readable.items()}


def _open_book(opened: "Wallet", program: "ProgramId", path: Path | None, *, begins_anew: bool) -> "SettlementBook":
    """The book at `path` or in the data folder; one that stands for a lost one only where somebody `begins_anew`."""
    from api.cli.session import data_folder
    from api.wallet.lost_book import refuse_lost_book
    from api.wallet.settlement import SettlementBook

    book = SettlementBook.load(path or settlement_book(data_folder(), program, opened.main.address), program)
    if not begins_anew:
        refuse_lost_book(opened, book)
    return book


def _settle_offers(
    brand: "Brand",
    program: "ProgramId",
    receipts: "Sequence[SignedReceipt]",
    facts: "ProgramFacts",
    *,
    until: "Timestamp",
    confirmations: int,
) -> dict[str, Any]:
    """Credit the offers that the receipts cite, and say of the others why not."""
    from api.wallet.offer_settlement import explain_code, settle_cited

    cited = settle_cited(brand, program, receipts, facts.periods, until=until, confirmations=confirmations)
    refused = [item for item in cited if item.code]
    return {
        "offers_credited": len(cited) - len(refused),
        "offers_not_credited": [
            {
                "receipt": item.receipt.hex(),
                "offer": item.offer.hex(),
                "code": item.code,
                "reason": explain_code(item.code),
            }
            for item in refused
        ],
    }


def read_receipts(folder: Path) -> "tuple[dict[Path, SignedReceipt], list[dict[str, Any]]]":
    """The receipts in a folder's files, and the files that hold none. Raises UsageFault cli.file_failed for the folder."""
    from api.cli.receipt import read_receipt

    readable: dict[Path, SignedReceipt] = {}
    bad: list[dict[str, Any]] = []
    for path in files_in(folder):
        try:
            readable[path] = read_receipt(path)
        except LedgerError as fault:
            bad.append(_name_file(path, fault))
    return readable, bad


def examine_files(
    settler: "Settler", readable: "dict[Path, SignedReceipt]"
) -> "tuple[list[SignedReceipt], list[dict[str, Any]]]":
    """The receipts that can be settled, and the files of the others."""
    paths, signed = list(readable), list(readable.values())
    faults = settler.examine(signed)
    good = [found for index, found in enumerate(signed) if index not in faults]
    return good, [_name_file(paths[index], fault) for index, fault in sorted(faults.items())]


def warn_of_files(rows: "Sequence[dict[str, Any]]") -> None:
    """Name the files that were left out; where there are any, the exit code is 1."""
    from api.cli.output import EXIT_REFUSED, warn

    for row in rows:
        warn(f"left out: {row['file']}: {row['reason']} ({row['code']})")
    if rows:
        raise typer.Exit(EXIT_REFUSED)


def _name_file(path: Path, fault: LedgerError) -> dict[str, Any]:
    return {"file": path.name, "code": fault.code.name, "reason": str(fault).removeprefix(f"{fault.code.name}: ")}


def settlement_book(folder: Path, program: "ProgramId", settler: "Address") -> Path:
    """Where a settlement key's book is by default."""
    return folder / "settlement" / f"{program.hex()}-{settler.hex()[:16]}.json"


def write_openings(folder: Path, openings: "Sequence[Opening]") -> None:
    """One file for each entry; the same entry has the same name when it is written again."""
    import json

    from api.cli.session import write_file
    from api.wallet.sealing import opening_to_mapping

    for opening in openings:
        name = f"{opening.member.hex()[:16]}-{opening.period}-{opening.salt.hex()[:8]}.json"
        write_file(folder / name, json.dumps(opening_to_mapping(opening)).encode())


def files_in(folder: Path) -> list[Path]:
    """The files of a folder by name. Raises UsageFault cli.file_failed."""
    from api.cli.output import UsageFault
    from api.cli.session import FILE_FAILED

    if not folder.is_dir():
        raise UsageFault(FILE_FAILED, path=str(folder), reason="it is no folder")
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
