"""The shop's desk for returns: keeps what came back until its week is settled, and cites the entries that gave the points."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from api.demo.brand import PERIODS, open_brand
from api.demo.paperwork import Assignment, Returned, Signed
from api.demo.returns import BroughtBack, cite_entries, sign_bonus_reversal, sign_return, sign_reversal
from api.wallet.sealing import Opening, placed
from ledger.kinds import APPLIED
from ledger.transaction import decode_transaction
from ledger.types import Address, Height, Points, Timestamp

PERIODS_KEPT: Final = 2
"""A purchase and its return at most seven days later lie in the same week or in two that follow each other."""


class ReturnDesk:
    """Returns over the settled weeks, in their order."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._waiting: list[BroughtBack] = []
        self._entries: defaultdict[Address, list[Opening]] = defaultdict(list)
        self._cited: Counter[tuple[Address, int]] = Counter()

    def take(self, back: BroughtBack | None) -> None:
        """Goods that will come back, if any."""
        if back is not None:
            self._waiting.append(back)

    def file_batch(self, raw: bytes, openings: Sequence[Opening]) -> None:
        """A batch that was signed: the places of its entries, all of which will be credited."""
        txid = decode_transaction(raw, self._assignment.facts.chain_id).txid
        for opening in placed(openings, [APPLIED] * len(openings), txid):
            kept = self._entries[opening.member]
            kept.append(opening)
            del kept[:-PERIODS_KEPT]

    def post(self, period: int, settled: Height, *, is_last: bool) -> tuple[tuple[Signed, ...], Returned]:
        """Reversals for what came back until the end of `period`, for the block after the one that settles it.

        At the end of a replay everything that would come back later comes back at once.
        """
        height, clock = Height(settled + 1), self._assignment.plan.times[settled]
        due = [back for back in self._waiting if is_last or PERIODS.period_of(back.time) <= period]
        self._waiting = [back for back in self._waiting if not (is_last or PERIODS.period_of(back.time) <= period)]
        figures = Returned(lines=sum(back.lines for back in due), returns=len(due))
        signed: list[Signed] = []
        for back in due:
            if not back.points:
                figures.without_points += 1
                continue
            figures.points_signed += back.points
            figures.bonuses += back.bonus > 0
            signed.extend(self._post_one(back, height, min(back.time, clock), figures))
        return tuple(signed), figures

    def _post_one(self, back: BroughtBack, height: Height, time: Timestamp, figures: Returned) -> list[Signed]:
        facts, program = self._assignment.facts, self._assignment.program
        returned = sign_return(facts, program, back, time)
        member = returned.returned.member
        citable = [
            (opening, Points(opening.points - self._cited[member, opening.period]))
            for opening in self._entries[member]
            if back.period <= opening.period <= PERIODS.period_of(time)
        ]
        reversals, beyond = cite_entries(returned, back.points, citable)
        figures.points_beyond_entries += beyond
        for reversal in reversals:
            self._cited[member, reversal.place.period] += reversal.points
        account = open_brand().settlement.address
        signed = [
            Signed(
                height,
                back.household,
                account,
                sign_reversal(facts, program, reversal, height),
                reversal.points,
                kind="reverse",
            )
            for reversal in reversals
        ]
        if back.bonus:
            raw = sign_bonus_reversal(facts, program, back, returned, height)
            signed.append(Signed(height, back.household, account, raw, back.bonus, kind="offer.reverse"))
        return signed
