"""Settling on schedule: when a period has ended and its delay has passed, its receipts become entries, with the carried remainder.

The settlement book lies in the till's store. A batch is written there before it is sent, so that a crash between posts nothing
twice (see `api.wallet.settlement`). One key settles for a program: what each member carries is in its book alone. With an empty
store, a key that has settled before settles nothing (see `api.wallet.lost_book`), and the status says so: until the store or the
book is back, or somebody wants to begin anew.

Once the program has ended nothing is carried on: what is left of its purchases is settled, and then every remainder is brought to
zero, each once. One that the chain skips is tried again a day later where that may help (a cap), in the period in which its member
left, or else never: the status names it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from api.till.clock import TillClock
from api.till.errors import NOTHING_SETTLES, TillRefused
from api.till.flushing import Flushing
from api.till.pruning import Pruning
from api.till.store import KeptSale, TillStore
from api.wallet.brand import Brand
from api.wallet.errors import ClientProblem
from api.wallet.grants import find_grant, held_scope_at
from api.wallet.lost_book import refuse_lost_book
from api.wallet.offer_settlement import CitedOffer, settle_cited
from api.wallet.settlement import Keep, Outcome, SettlementBook, SettlementTerms, Settler
from api.wallet.shown_terms import ProgramFacts
from ledger.domains.loyalty.receipts import SignedReceipt, decode_receipt
from ledger.errors import LedgerError
from ledger.types import ProgramId, Timestamp

log = structlog.get_logger()

BOOK: Final = "settlement_book"
LAST_RUN: Final = "settlement_run"
LOOK_SECONDS: Final = 60.0
"""How often it is looked whether a period is due."""
LEFT_SECONDS: Final = 3_600.0
"""When it is tried again where entries were skipped or receipts refused: a cap, a grant or a member may have changed."""
TROUBLE_SECONDS_FIRST: Final = 60.0
TROUBLE_SECONDS_MAX: Final = 3_600.0
DOUBLINGS_MAX: Final = 10
SKIPPED_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """`delay_seconds` after a period's end, late sales are in. `seconds_max`: how long a batch may take until it is in a block."""

    delay_seconds: int = 3_600
    confirmations: int = 1
    seconds_max: float = 300.0
    book_file: Path | None = None
    """Where `brand settle` keeps this key's book: it is taken over, once, and says so from then on."""
    begins_anew: bool = False
    """Whether a new book may stand for a key that has settled before."""


class SettlementSchedule:
    """Settles a till's receipts with `brand`'s key, one `work` after the other; `keep` gets every opening."""

    def __init__(
        self,
        store: TillStore,
        brand: Brand,
        program: ProgramId,
        clock: TillClock,
        *,
        keep: Keep,
        options: ScheduleOptions,
        pruning: Pruning | None = None,
    ) -> None:
        self._store = store
        self._brand = brand
        self._program = program
        self._clock = clock
        self._keep = keep
        self._options = options
        self._pruning = pruning
        self._flushing = Flushing(store, brand.wallet, program, clock)
        self._failures = 0
        self._is_marked = False
        self.problem = ""
        """Why the last run failed; empty where it did not."""

    def work(self) -> float:
        """Settle what is due; returns after how many seconds to come again. Raises NodeError store.*."""
        try:
            is_all = self._settle()
        except (ClientProblem, LedgerError) as fault:
            code = fault.code if isinstance(fault, ClientProblem) else fault.code.name
            self.problem = str(fault)
            log.warning("till.settling_failed", code=code, reason=str(fault))
            self._failures += 1
            return min(TROUBLE_SECONDS_FIRST * 2 ** min(self._failures - 1, DOUBLINGS_MAX), TROUBLE_SECONDS_MAX)
        self._failures, self.problem = 0, ""
        return LOOK_SECONDS if is_all else LEFT_SECONDS

    def _settle(self) -> bool:
        """Whether nothing that is due is left."""
        book = self._load_book()
        self._store.mark_settled(book.settled)  # a crash may have come between the book and this
        if self._pruning is not None:
            self._pruning.prune_if_due(book.forget)
        unsettled = self._store.unsettled()
        if not unsettled and book.pending is None and not self._flushing.list_due(book):
            return True
        facts = self._brand.read_program(self._program)
        now = Timestamp(int(self._brand.wallet.client.chain()["time"]))
        due, has_ended = self._due(unsettled, facts, now), 0 < facts.sunset_at < now
        is_over = has_ended and len(due) == len(unsettled)
        if not due and book.pending is None and not is_over:
            return True
        self._refuse_lost(book)
        self._check_scope(now)
        settler = Settler(
            self._brand,
            book,
            SettlementTerms(facts.periods, facts.terms.remainder_max),
            confirmations=self._options.confirmations,
            seconds_max=self._options.seconds_max,
            keep=self._keep,
        )
        receipts = [receipt for _, receipt in due]
        faults = settler.examine(receipts)
        self._store.note_unsettled({due[index][0].number: fault.code.name for index, fault in faults.items()})
        good = [receipt for index, receipt in enumerate(receipts) if index not in faults]
        # Before the receipts are marked as settled: a run that is cut off here does it again, and nothing is credited twice.
        cited = settle_cited(
            self._brand,
            self._program,
            good,
            facts.periods,
            until=now,
            confirmations=self._options.confirmations,
            seconds_max=self._options.seconds_max,
        )
        outcome = settler.settle(good, until=now, is_last=has_ended)
        is_left = bool(outcome.skipped)
        if is_over:
            outcome.add(self._flushing.flush(settler, book, facts.sunset_at))
        self._store.mark_settled(book.settled)
        if outcome.openings or outcome.skipped or faults or cited:
            self._note_run(outcome, len(faults), cited)
        return not is_left and not faults

    def _due(
        self, unsettled: Sequence[KeptSale], facts: ProgramFacts, now: Timestamp
    ) -> list[tuple[KeptSale, SignedReceipt]]:
        """Receipts whose period has ended, and the delay after it; where a program settles on demand, a period is a day."""
        found = [(sale, decode_receipt(sale.signed)) for sale in unsettled]
        rule = facts.periods
        return [
            (sale, receipt)
            for sale, receipt in found
            if rule.ends(rule.period_of(receipt.receipt.time)) + self._options.delay_seconds <= now
        ]

    def _check_scope(self, now: Timestamp) -> None:
        wallet = self._brand.wallet
        grant = find_grant(wallet.client, self._program, wallet.address_text(wallet.main.address))
        if not held_scope_at(grant, "settle", now):
            raise TillRefused(NOTHING_SETTLES)

    def _load_book(self) -> SettlementBook:
        data = self._store.read_bytes(BOOK)
        if data is None:
            file = self._options.book_file
            book = SettlementBook(self._store.path, self._program)
            if file is not None:
                book = SettlementBook.load(file, self._program)
                book.path = self._store.path
            self._refuse_lost(book)
        else:
            book = SettlementBook.read(data, self._store.path, self._program)
        book.write = lambda changed: self._store.keep_bytes(BOOK, changed)
        if data is None:
            book.save()
        self._mark_moved()
        return book

    def _refuse_lost(self, book: SettlementBook) -> None:
        """At the first run, so that the status says it early; and before settling, as the node may have been behind then."""
        if not self._options.begins_anew:
            refuse_lost_book(self._brand.wallet, book)

    def _mark_moved(self) -> None:
        """Let `brand settle` with this key refuse; once in a run of the service, after the book is in the store."""
        if self._options.book_file is not None and not self._is_marked:
            SettlementBook.mark_moved(self._options.book_file, self._program, str(self._store.path))
            self._is_marked = True

    def _note_run(self, outcome: Outcome, refused: int, cited: Sequence[CitedOffer]) -> None:
        run = {
            "at": self._clock.now(),
            "entries": len(outcome.openings),
            "points": outcome.points,
            "skipped": [
                {"member": opening.member.hex(), "period": opening.period, "code": code}
                for opening, code in outcome.skipped[:SKIPPED_SHOWN]
            ],
            "refused": refused,
            "offers": sum(1 for item in cited if not item.code),
            "offers_not_credited": [
                {"receipt": item.receipt.hex(), "offer": item.offer.hex(), "code": item.code}
                for item in cited
                if item.code
            ][:SKIPPED_SHOWN],
        }
        self._store.keep_document(LAST_RUN, run)

    def show(self) -> dict[str, Any]:
        """For the status: the last run, and what speaks against the next."""
        return {
            "last_run": self._store.document(LAST_RUN),
            "problem": self.problem or None,
            "not_flushed": self._flushing.show(),
        }
