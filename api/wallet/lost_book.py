"""A settlement book that was lost: its key has settled before, and the book here knows nothing of it.

A receipt is on the chain as a part of a sealed entry alone, so the chain cannot tell that it is settled a second time. Only the
book can: with a new one each receipt would be credited again, and what members carry would begin at nothing.
"""

from functools import partial
from typing import Final

from api.wallet.errors import WalletError
from api.wallet.settlement import SettlementBook
from api.wallet.wallet import Wallet
from ledger.domains.loyalty.events import BatchSettled
from ledger.errors import Code
from ledger.types import ProgramId, TxId

NO_BOOK: Final = Code(
    "settlement.no_book",
    "this account settled for the program before, last in {txid}, and the book here, {path}, knows nothing of it",
    "Restore the book file from a backup, or name it with --book; `till serve` keeps it in the store in its --data-dir. To begin "
    "anew on purpose: --new-book; a receipt that was settled before is credited a second time then.",
)


def refuse_lost_book(wallet: Wallet, book: SettlementBook) -> None:
    """Raise WalletError settlement.no_book where a new book stands for a key that has settled for its program."""
    if not book.is_new:
        return
    txid = find_settled(wallet, book.program)
    if txid is not None:
        raise WalletError(NO_BOOK, txid=txid.hex(), path=str(book.path))


def find_settled(wallet: Wallet, program: ProgramId) -> TxId | None:
    """The latest transaction in which the wallet's main account settled an entry of a program; one that was skipped is none."""
    read_page = partial(wallet.client.account_history, event=BatchSettled.name)
    for item in wallet.client.every(read_page, wallet.address_text(wallet.main.address)):
        data = item["data"]
        if item["name"] == BatchSettled.name and data["program"] == program.hex() and data["skipped"] < data["entries"]:
            return TxId(bytes.fromhex(item["txid"]))
    return None
