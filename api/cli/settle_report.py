"""What `brand settle` says of what it could not settle: why, of whose receipts, and what to do; and its exit code."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import typer

from api.words import counted
from ledger.errors import Code

if TYPE_CHECKING:
    from api.wallet.settlement import Outcome, SettlementBook
    from api.wallet.wallet import Wallet
    from ledger.domains.loyalty.receipts import SignedReceipt
    from ledger.types import ReceiptHash

NO_RECEIPTS: Final = Code(
    "cli.no_receipts",
    "there is no receipt in the folder {path}: nothing was settled",
    "Name the folder with the tills' receipts (`brand sign-receipt --out`, `till export`); folders in it are not looked into.",
)
LONG_WORDS: Final = ("reason", "what_to_do", "files")
"""Fields of a skipped entry that a table has no room for: they are said in sentences."""
FILES_NAMED_MAX: Final = 3
NOTHING: Final = "Nothing."
TAKE_OUT: Final = (
    "Nobody can settle them: take these receipts out of the folder, or every run pays for trying it again."
)


def list_skipped(wallet: "Wallet", outcome: "Outcome", files: "Mapping[ReceiptHash, str]") -> list[dict[str, Any]]:
    """Each entry that the chain skipped: whose, why, what to do, and in which files its receipts are."""
    rows: list[dict[str, Any]] = []
    for opening, code in outcome.skipped:
        known = Code.catalogue.get(code)
        rows.append(
            {
                "member": wallet.address_text(opening.member),
                "period": opening.period,
                "code": code,
                "reason": code if known is None else known.text,
                "what_to_do": _advise(code, has_receipts=bool(opening.receipts)),
                "files": [files[receipt] for receipt, _ in opening.receipts if receipt in files],
            }
        )
    return rows


def _advise(code: str, *, has_receipts: bool) -> str:
    from ledger.domains.loyalty.earn import ENTRY_EARLY, ENTRY_LEFT

    if code in (ENTRY_LEFT.name, ENTRY_EARLY.name):
        return TAKE_OUT if has_receipts else NOTHING
    known = Code.catalogue.get(code)
    return "" if known is None else known.advice


def print_settled(
    outcome: "Outcome", skipped: Sequence[Mapping[str, Any]], shown: Mapping[str, Any], *, as_json: bool
) -> None:
    """What was settled; of what was skipped all for a program, and for a table without what sentences say below it."""
    from api.cli.output import print_answer

    rows = [{name: value for name, value in row.items() if as_json or name not in LONG_WORDS} for row in skipped]
    places = {name: shown[name] for name in ("openings", "book")}
    counts = {"entries": len(outcome.openings), "points": outcome.points}
    print_answer({**counts, **places, "skipped": rows, **shown}, as_json=as_json)


def tell_idle(receipts: "Sequence[SignedReceipt]", book: "SettlementBook") -> None:
    """Why a run over these receipts settled none of them."""
    from api.cli.output import say
    from ledger.domains.loyalty.receipts import receipt_hash

    settled = sum(1 for signed in receipts if receipt_hash(signed.receipt, signed.salt) in book.settled)
    waiting = len(receipts) - settled
    if receipts:
        rest = f"; {waiting} wait for the end of their period" if waiting else ""
        say(f"Nothing was due: of {counted(len(receipts), 'receipt')} {settled} are settled already{rest}.")


def finish_settling(bad_files: Sequence[dict[str, Any]], skipped: Sequence[dict[str, Any]]) -> None:
    """Name what was left out and skipped, and what to do; where somebody must mend something, the exit code is 1."""
    from api.cli.output import EXIT_REFUSED, warn
    from api.cli.till import warn_of_files

    for row in skipped:
        names = list(row["files"])
        shown = ", ".join(names[:FILES_NAMED_MAX]) + (", ..." if len(names) > FILES_NAMED_MAX else "")
        what = f"{counted(len(names), 'receipt')} ({shown})" if names else "what is carried on"
        warn(
            f"skipped: {what} of {row['member']} in the period {row['period']}: "
            f"{row['reason']} ({row['code']}). What to do: {row['what_to_do']}"
        )
    warn_of_files(list(bad_files))
    if any(row["what_to_do"] not in (TAKE_OUT, NOTHING) for row in skipped):
        raise typer.Exit(EXIT_REFUSED)
