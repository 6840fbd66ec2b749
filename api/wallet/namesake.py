"""A second program of the same name by the same brand: most often the same command sent twice."""

from functools import partial
from typing import Final

from api.wallet.errors import WalletError
from api.wallet.wallet import Wallet
from ledger.domains.loyalty.program_create import ProgramCreated
from ledger.errors import Code
from ledger.types import ProgramId

NAMESAKE: Final = Code(
    "program.namesake",
    "this account has a program named {name} already, {program}",
    "Change its terms with `fansumer brand update`, or give the new one another name. To make a second one on purpose: --another.",
)
CLOSED: Final = "closed"


def refuse_namesake(wallet: Wallet, name: str) -> None:
    """Raise WalletError program.namesake where the main account made a program of this name that has not closed."""
    found = find_namesake(wallet, name)
    if found is not None:
        raise WalletError(NAMESAKE, name=repr(name), program=found.hex())


def find_namesake(wallet: Wallet, name: str) -> ProgramId | None:
    """The latest program of the main account with this name, unless its wind-down is over."""
    read_page = partial(wallet.client.account_history, event=ProgramCreated.name)
    for item in wallet.client.every(read_page, wallet.address_text(wallet.main.address)):
        if item["name"] != ProgramCreated.name:
            continue
        program = ProgramId(bytes.fromhex(item["data"]["program"]))
        shown = wallet.client.program(program)
        has_closed = shown["sunset"] is not None and shown["sunset"]["state"] == CLOSED
        if shown["name"] == name and not has_closed:
            return program
    return None
