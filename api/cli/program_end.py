"""`fansumer brand sunset`: a program's end, said in dates before it is announced, for nothing takes it back."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, PayOwn, Program, Url, Wait, WalletFile
from api.words import speak_time
from ledger.errors import Code

if TYPE_CHECKING:
    from api.wallet.client import Answer
    from api.wallet.wallet import Wallet
    from ledger.types import Timestamp

PAST = Code(
    "cli.past_date",
    "the program would end on {at}, and that is past; the earliest is {earliest}",
    "Name a day ahead, after the notice that the program's terms promise.",
)


def sunset(
    program: Program,
    at: Annotated[
        datetime,
        typer.Option(
            "--at",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"],
            help="When earning ends, in UTC (a day alone: as it begins); at least notice_days ahead.",
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before announcing it.")] = False,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Announce a program's end. Earning stops then, redeeming stays open for wind_down_days more. It cannot be taken back, and
    from now on nothing can be made worse.

    \b
    Example:
      fansumer brand sunset 5f5f...5f --at 2027-12-31
    """
    from api.cli.output import print_answer, say
    from api.cli.session import open_wallet, payment_choice, read_id
    from api.wallet.brand import Brand
    from ledger.types import ProgramId, Timestamp

    of_program, ends = ProgramId(read_id(program, "PROGRAM")), Timestamp(int(at.replace(tzinfo=UTC).timestamp()))
    if ends < 1:
        raise typer.BadParameter("--at must lie after 1970-01-01")
    with open_wallet(url, wallet, account) as opened:
        shown = opened.client.program(of_program)
        _refuse_early(opened, shown, ends)
        closes = ends + int(shown["terms"]["wind_down_days"]) * 86_400
        say(
            f"{shown['name']} ends on {speak_time(ends)}: nothing is earned after that, "
            f"and redeeming ends on {speak_time(closes)}. "
            "Once it is announced, this cannot be taken back."
        )
        if not yes:
            typer.confirm("Announce it?", abort=True, err=True)
        sent = Brand(opened, payment=payment_choice(pay_own=pay_own)).announce_sunset(of_program, ends)
        answer: dict[str, Any] = {"txid": sent.txid.hex()}
        if wait:
            say(f"sent {sent.txid.hex()}; waiting for its block")
            opened.wait_for(sent)
            answer |= opened.client.program(of_program)["sunset"] or {}
    if not as_json:
        dates = {"sunset_at": "earning_ends", "closes_at": "redeeming_ends"}
        answer = {
            dates.get(name, name): speak_time(value) if name in dates else value for name, value in answer.items()
        }
    print_answer(answer, as_json=as_json)


def _refuse_early(opened: "Wallet", shown: "Answer", ends: "Timestamp") -> None:
    """What the ledger would refuse, before anybody is asked or pays: in its order, with its codes."""
    from api.wallet.errors import WalletError
    from ledger.domains.loyalty.program_sunset import ALREADY_ANNOUNCED, NOT_OWNER, TOO_EARLY

    if shown["owner"] != opened.address_text(opened.main.address):
        raise WalletError(NOT_OWNER)
    if shown["sunset"] is not None:
        raise WalletError(ALREADY_ANNOUNCED, sunset_at=int(shown["sunset"]["sunset_at"]))
    now, notice_days = int(opened.client.chain()["time"]), int(shown["terms"]["notice_days"])
    earliest = now + notice_days * 86_400
    if ends <= now:
        raise WalletError(PAST, at=speak_time(ends), earliest=speak_time(earliest))
    if ends < earliest:
        raise WalletError(TOO_EARLY, notice_days=notice_days, earliest=earliest)
