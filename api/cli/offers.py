"""`fansumer brand offers` and `fansumer wallet offers`: personal offers, made, shown, contested, taken back."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import AMOUNT_MAX, DEFAULT_URL, Account, AsJson, PayOwn, Program, Url, Wait, WalletFile
from api.cli.purchase_options import MONEY_MAX

if TYPE_CHECKING:
    from api.wallet.wallet import Wallet
    from ledger.domains.offers.terms import PersonalOffer
    from ledger.types import Address, Timestamp

brand_app = typer.Typer(no_args_is_help=True, help="Personal offers to members who agreed to be profiled.")
wallet_app = typer.Typer(no_args_is_help=True, help="Personal offers that were made to you.")

OfferFile = Annotated[Path, typer.Argument(metavar="OFFER_FILE", help="The offer, as the shop gave it.")]
Moment = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
COLUMNS = {
    "id": "id",
    "points": "points",
    "status": "status",
    "until": "until",
    "asks_for": "asks for",
    "credited": "credited",
    "reversed": "taken back",
    "useless": "other receipts",
}
"""What a table of offers shows; --json shows all."""


@brand_app.command("issue")
def issue(
    program: Program,
    points: Annotated[int, typer.Option("--points", min=1, max=AMOUNT_MAX, help="The bonus of each.")],
    until: Annotated[datetime, typer.Option("--until", formats=Moment, help="The last second to buy, in UTC.")],
    out: Annotated[Path, typer.Option("--out", help="A folder: a file for each fan, which is to be handed over.")],
    member: Annotated[
        list[str] | None, typer.Option("--member", help="A fan's address for this program. Once for each.")
    ] = None,
    members: Annotated[
        Path | None, typer.Option("--members", help="A file with one fan's address on each line.")
    ] = None,
    begin: Annotated[datetime | None, typer.Option("--from", formats=Moment, help="By default now.")] = None,
    net_cents_min: Annotated[
        int, typer.Option("--min-cents", min=0, max=MONEY_MAX, help="Least basket, besides what points paid; 0: any.")
    ] = 0,
    codes: Annotated[
        list[str] | None, typer.Option("--code", help="Something of one of these category codes. Once for each.")
    ] = None,
    needs_all: Annotated[bool, typer.Option("--all", help="Something of each of the codes, in one purchase.")] = False,
    text: Annotated[str, typer.Option("--text", help="What to tell the fan; it decides nothing.")] = "",
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Promise members a bonus for a purchase. The chain holds who, how many and until when; what they must buy stays in the
    files, sealed on the chain. Who has not agreed to be profiled (consent personalise) is skipped, and the exit code is 1 then.
    offer_day_max of your terms bounds what is promised in a day.

    \b
    Example:
      fansumer brand offers issue 5f5f...5f --member dfan1p... --points 20 --until 2026-12-24 --code bread --out offers
    """
    from api.cli.offer_issue import issue_all
    from api.cli.output import EXIT_REFUSED, print_answer, warn
    from api.cli.session import open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from api.wallet.offers import make_offer
    from ledger.domains.offers.terms import OFFER_CODES_OF_ALL_MIN
    from ledger.types import Points, ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    if needs_all and len(set(codes or ())) < OFFER_CODES_OF_ALL_MIN:
        raise typer.BadParameter("--all asks for two different codes at least")
    with open_wallet(url, wallet, account) as opened:
        fans = _read_members(opened, member, members)
        now = datetime.fromtimestamp(int(opened.client.chain()["time"]), UTC)
        offers = [
            make_offer(
                of_program,
                fan,
                points=Points(points),
                expires_at=_seconds(until),
                from_time=_seconds(begin or now),
                net_cents_min=net_cents_min,
                codes=codes or (),
                text=text,
                needs_all=needs_all,
            )
            for fan in fans
        ]
        rows = issue_all(Brand(opened, payment=payment_choice(pay_own=pay_own)), of_program, offers, out)
    skipped = [row for row in rows if "reason" in row]
    issued = [row["offer"] for row in rows if "reason" not in row]
    print_answer({"issued": len(issued), "offers": issued, "folder": str(out), "skipped": skipped}, as_json=as_json)
    if skipped:
        warn(f"{len(skipped)} of {len(rows)} offers were not issued, and have no file; each says why")
        raise typer.Exit(EXIT_REFUSED)


@brand_app.command("list")
def list_made(program: Program, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the offers of a program, as everybody can: to whom, how much, until when, what became of them.

    \b
    Example:
      fansumer brand offers list 5f5f...5f
    """
    from api.cli.output import print_json, print_rows
    from api.cli.session import connect, read_id

    of_program = read_id(program, "PROGRAM")
    with connect(url) as client:
        found = list(client.every(client.offers.of_program, of_program))
    if as_json:
        print_json(found)
    else:
        print_rows([{"member": item["member"], **_row(item, None)} for item in found], {"member": "member", **COLUMNS})


@brand_app.command("take-back")
def take_back(
    program: Program,
    file: Annotated[Path, typer.Argument(metavar="RETURN_FILE", help="The return that the fan signed.")],
    offer: Annotated[str, typer.Option("--offer", help="The id of the offer whose bonus the purchase had brought.")],
    points: Annotated[
        int | None, typer.Option("--points", min=1, max=AMOUNT_MAX, help="How many; by default all of the bonus.")
    ] = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take the bonus of an offer back, for a return that the fan signed: its points beyond the purchase's own are the bonus.

    \b
    Example:
      fansumer brand offers take-back 5f5f...5f return.bin --offer 0f0f...0f
    """
    from api.cli.points import read_return
    from api.cli.session import finish, open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from api.wallet.returns import bonus_left, check_signed, offer_reversal_of
    from ledger.types import Hash, Points, ProgramId

    of_program, offer_id = ProgramId(read_id(program, "PROGRAM")), Hash(read_id(offer, "--offer"))
    signed = read_return(file)
    if signed.returned.program != of_program:
        raise typer.BadParameter("the return is of another program")
    with open_wallet(url, wallet, account) as opened:
        check_signed(signed, opened.facts.chain_id)
        shown = opened.client.offers.one(offer_id)
        left = bonus_left(shown)
        wanted = min(left, signed.returned.points) if points is None else points
        reversal = offer_reversal_of(signed, offer_id, Points(wanted))
        sent = Brand(opened, payment=payment_choice(pay_own=pay_own)).reverse_offer(reversal)
        finish(opened, sent, wait=wait, as_json=as_json)


@wallet_app.command("list")
def list_own(
    program: Program,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="A folder with offers that the shop gave you: says what they ask for."),
    ] = None,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the offers that a program made to you, as the chain holds them: what expires when, which were cited, and what came of
    it. What they ask for is in the files that the shop gave you.

    \b
    Example:
      fansumer wallet offers list 5f5f...5f --folder offers
    """
    from api.cli.output import print_json, print_rows, warn
    from api.cli.session import open_wallet, read_id
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        opened.client.program(of_program)  # raises program.unknown: an empty list would say that it exists
        address = opened.address_text(opened.program_signer(of_program).address)
        found = [
            item
            for item in opened.client.every(opened.client.offers.of_account, address)
            if item["program"] == of_program.hex()
        ]
    held = {offer.offer_id.hex(): offer for offer in _read_offers(folder)}
    known = {item["id"] for item in found}
    for offer_id, offer in held.items():
        if offer.program == of_program and offer_id not in known:
            warn(f"the offer {offer_id} in your folder is not on the chain: nobody promised it. Ask the shop.")
    rows = [_row(item, held.get(item["id"])) for item in found]
    if as_json:
        print_json([{**item, "asks_for": row["asks_for"]} for item, row in zip(found, rows, strict=True)])
    else:
        print_rows(rows, COLUMNS)


@wallet_app.command("show")
def show(file: OfferFile, wallet: WalletFile = None, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show what an offer asks for, and whether the chain holds it as the shop says.

    \b
    Example:
      fansumer wallet offers show bread.offer
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet
    from api.wallet.offers import describe_terms

    offer = read_offer(file)
    with open_wallet(url, wallet) as opened:
        shown = opened.client.offers.one(offer.offer_id)  # offer.unknown: it was never promised
        is_mine = opened.program_signer(offer.program).address == offer.member
    print_answer(
        {
            **{name: shown[name] for name in ("id", "program", "member", "points", "expires_at", "status", "receipt")},
            "text": offer.terms.text,
            "asks_for": describe_terms(offer),
            "is_yours": is_mine,
            "not_credited": list(shown["not_credited"]),
        },
        as_json=as_json,
    )


@wallet_app.command("contest")
def contest(
    file: OfferFile,
    receipt: Annotated[
        Path, typer.Option("--receipt", metavar="RECEIPT_FILE", help="The receipt that cites it, as the till gave it.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before making it public.")] = False,
    pay_own: Annotated[
        bool, typer.Option("--pay-own", help="Pay the fee yourself: joining paid for two contests only.")
    ] = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Contest an offer whose bonus the shop did not credit in time. Everybody sees that your purchase is what it asked for, and
    you get the bonus out of what was set aside for it. Free within what joining paid for.

    \b
    Example:
      fansumer wallet offers contest bread.offer --receipt receipt.bin
    """
    from api.cli.output import print_answer, say
    from api.cli.receipt import read_receipt
    from api.cli.session import open_wallet
    from api.wallet.offers import contest_offer_of, describe_contest

    offer, signed = read_offer(file), read_receipt(receipt)
    contest_offer_of(signed, offer)  # refused here, before anything is said
    with open_wallet(url, wallet) as opened:
        say(describe_contest(signed, offer))
        if not yes:
            typer.confirm("Send it?", abort=True, err=True)
        sent = opened.contest_offer(signed, offer, pay_own=pay_own)
        answer: dict[str, Any] = {"txid": sent.txid.hex(), "offer": offer.offer_id.hex()}
        if wait:
            say(f"sent {sent.txid.hex()}; waiting for its block")
            opened.wait_for(sent)
            shown = opened.client.offers.one(offer.offer_id)
            answer |= {name: shown[name] for name in ("status", "credited", "available_on", "expires_on")}
    print_answer(answer, as_json=as_json)


def read_offer(file: Path) -> "PersonalOffer":
    """The offer in a file. Raises UsageFault cli.file_failed, WalletError offer.text."""
    from api.cli.session import read_text
    from api.wallet.offers import read_offer_text

    return read_offer_text(read_text(file))


def _read_offers(folder: Path | None) -> "Iterator[PersonalOffer]":
    """Every offer in a folder; other files are left alone."""
    from api.cli.offer_issue import SUFFIX
    from api.cli.till import files_in

    for path in () if folder is None else files_in(folder):
        if path.suffix == SUFFIX:
            yield read_offer(path)


def _read_members(opened: "Wallet", named: Sequence[str] | None, file: Path | None) -> "list[Address]":
    """Who is to have an offer, each once. Raises UsageFault address.*, cli.file_failed."""
    from api.cli.session import read_account, read_text

    lines = [] if file is None else read_text(file).split()
    found = dict.fromkeys(read_account(opened, text) for text in (*(named or ()), *lines))
    if not found:
        raise typer.BadParameter("name at least one fan, by --member or --members")
    return list(found)


def _seconds(moment: datetime) -> "Timestamp":
    from ledger.types import Timestamp

    found = int(moment.replace(tzinfo=UTC).timestamp())
    if found < 0:
        raise typer.BadParameter("a time must lie after 1970-01-01")
    return Timestamp(found)


def _row(item: Mapping[str, Any], offer: "PersonalOffer | None") -> dict[str, Any]:
    """An offer of the node's answer as a row, with what it asks for where that is known."""
    from api.wallet.offer_settlement import explain_code
    from api.wallet.offers import describe_terms
    from ledger.errors import show_moment

    last = item["not_credited"][0] if item["not_credited"] else None
    return {
        **{name: item[name] for name in ("id", "points", "status", "credited", "reversed")},
        "until": show_moment(item["expires_at"]),
        "asks_for": None if offer is None else describe_terms(offer),
        "useless": None if last is None else explain_code(str(last["code"])),
    }
