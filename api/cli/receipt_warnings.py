"""What may be wrong with a receipt that is signed as it should be: said to the till that signs, and to the fan who contests."""

from typing import TYPE_CHECKING, Any

from api.cli.output import warn
from api.wallet.errors import ClientProblem
from api.wallet.grants import find_grant
from api.words import counted
from ledger.policy import address_of_key

if TYPE_CHECKING:
    from api.wallet.client import Client
    from api.wallet.wallet import Wallet
    from ledger.domains.loyalty.receipts import Receipt
    from ledger.types import ProgramId

ENTRY = "points.earned"


def warn_about_signed(wallet: "Wallet", receipt: "Receipt") -> None:
    """Warn where nobody can settle a receipt, for it names no member, or no contest could make up for that: it is above the cap."""
    till, member = wallet.address_text(address_of_key(receipt.till)), wallet.address_text(receipt.member)
    try:
        is_member = _is_member(wallet.client, receipt.program, member)
        grant = find_grant(wallet.client, receipt.program, till)
    except ClientProblem as problem:
        warn(f"whether {member} is a member, and what the cap of {till} is, could not be checked: {problem.detail}")
        return
    if not is_member:
        warn(f"{member} is no member of the program: the receipt gives no points unless the fan joins in this period.")
    cap = 0 if grant is None else int(grant["daily_cap"])
    if grant is not None and receipt.points > cap:
        promised = counted(receipt.points, "point")
        warn(
            f"the receipt gives {promised}, and the daily cap of {till} is {cap}: if it is not settled, no contest can credit it. "
            "The owner raises the cap: fansumer brand grant-issuer"
        )


def _is_member(client: "Client", program: "ProgramId", address: str) -> bool:
    """Whether the account is a member now. An account of more programs than are shown is taken for one."""
    account = client.account(address)
    found = next((item for item in account["programs"] if item["program"] == program.hex()), None)
    return not account["programs_complete"] if found is None else not found["left_at"]


def warn_about_contested(wallet: "Wallet", receipt: "Receipt") -> None:
    """Warn where an entry of the receipt's period was settled: it may hold the receipt, and then a contest wins nothing."""
    from api.wallet.shown_terms import read_program_answer

    address = wallet.address_text(receipt.member)
    try:
        period = read_program_answer(wallet.client.program(receipt.program)).periods.period_of(receipt.time)
        found = _entry_of(wallet.client, address, receipt.program, period)
    except ClientProblem as problem:
        warn(f"whether this period was settled could not be checked: {problem.detail}")
        return
    if found is not None:
        given = counted(found["data"]["points"], "point")
        warn(
            f"the shop settled purchases of this receipt's period on {found['date']}, {given}. If the receipt is among them, the "
            "shop will show it, and the contest gives nothing. Ask the shop for the opening first: `fansumer wallet receipts check "
            "FILE --opening OPENING` says whether the receipt is in it."
        )


def _entry_of(client: "Client", address: str, program: "ProgramId", period: int) -> Any:
    """The newest entry of a period in an account's history; None if there is none."""
    for item in client.every(client.account_history, address):
        data = item["data"]
        if item["name"] == ENTRY and (data["program"], data["period"]) == (program.hex(), period):
            return item
    return None
