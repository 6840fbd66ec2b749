"""The way of receipts to the node: tried for ever, posted as often as needed, kept there once.

Three sorts of bad news are told apart. The node's trouble (no answer, too late, busy, broken, not a node): nothing is asked of it
for a growing while, and no receipt is blamed. A refusal that may mend (the member's joining is in no block yet): that receipt
waits, the others go on. A refusal for good: the receipt is set aside with the node's code, with all it has, and shown until
somebody looks.
"""

import random
from typing import Final

import structlog

from api.till.clock import TillClock
from api.till.store import TillStore, WaitingReceipt
from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from ledger.types import Timestamp

log = structlog.get_logger()

RECEIPTS_AT_ONCE: Final = 64
TROUBLE_SECONDS_FIRST: Final = 1.0
TROUBLE_SECONDS_MAX: Final = 300.0
"""A node that is down for days is asked every few minutes."""
REFUSED_SECONDS_FIRST: Final = 30
REFUSED_SECONDS_MAX: Final = 3_600
IDLE_SECONDS: Final = 5.0
DOUBLINGS_MAX: Final = 20

ERASED: Final = "receipt.erased"
"""The node had it once: there is nothing left to do."""
MAY_MEND: Final = frozenset(
    {
        "member.unknown",
        "program.unknown",
        "receipt.till_not_granted",
        "receipt.wrong_version",
        "receipt.wrong_time",
        "receipt.full",
    }
)
"""What a later block, the node's clock or the fan may change."""
STATUSES_OF_RECEIPTS: Final = frozenset({400, 409, 410, 413, 415, 422})
"""Refusals with another status are about the node or the way to it."""
SURPRISE: Final = "till.other_id"


class Outbox:
    """Hands receipts over, one `work` after the other; `random_source` spreads the tries of many tills."""

    def __init__(
        self, store: TillStore, client: Client, clock: TillClock, *, random_source: random.Random | None = None
    ) -> None:
        self._store = store
        self._client = client
        self._clock = clock
        self._random = random.Random() if random_source is None else random_source
        self._failures = 0
        self.problem = ""
        """The node's trouble at the last try; empty where there was none."""

    @property
    def is_in_trouble(self) -> bool:
        """Whether the node took nothing at the last try."""
        return self._failures > 0

    def work(self) -> float:
        """Hand over what waits; returns after how many seconds to come again. Raises NodeError store.*."""
        receipts = self._store.waiting(self._clock.now(), RECEIPTS_AT_ONCE, REFUSED_SECONDS_MAX)
        for receipt in receipts:
            try:
                self._hand_over(receipt)
            except ClientProblem as trouble:
                return self._pause_after(trouble)
            self._failures, self.problem = 0, ""
        return 0.0 if len(receipts) == RECEIPTS_AT_ONCE else IDLE_SECONDS

    def _hand_over(self, receipt: WaitingReceipt) -> None:
        """Raises ClientProblem for the node's trouble."""
        try:
            answer = self._client.hand_over(receipt.signed, receipt.lines)
        except ClientProblem as problem:
            if problem.status not in STATUSES_OF_RECEIPTS:
                raise
            self._take_refusal(receipt, problem)
            return
        if answer.get("id") != receipt.receipt.hex():
            raise ClientProblem(SURPRISE, "the node answered with the id of another receipt", "Check the node's URL.")
        self._store.mark_handed_over(receipt.number)

    def _take_refusal(self, receipt: WaitingReceipt, problem: ClientProblem) -> None:
        if problem.code == ERASED:
            self._store.mark_handed_over(receipt.number, ERASED)
        elif problem.code in MAY_MEND:
            pause = self._pause(REFUSED_SECONDS_FIRST, REFUSED_SECONDS_MAX, receipt.attempts)
            self._store.postpone(
                receipt.number,
                attempts=receipt.attempts + 1,
                next_try=Timestamp(self._clock.now() + round(pause)),
                code=problem.code,
                detail=problem.detail,
            )
        else:
            log.error("till.set_aside", number=receipt.number, code=problem.code, reason=problem.detail)
            self._store.set_aside(receipt.number, code=problem.code, detail=problem.detail)

    def _pause_after(self, trouble: ClientProblem) -> float:
        self.problem = f"{trouble.code}: {trouble.detail}"
        if not self._failures:
            log.warning("till.node_trouble", code=trouble.code, reason=trouble.detail)
        self._failures += 1
        return self._pause(TROUBLE_SECONDS_FIRST, TROUBLE_SECONDS_MAX, self._failures - 1)

    def _pause(self, first: float, most: float, failures: int) -> float:
        """Doubled with each failure up to a limit, of which between half and all."""
        whole = min(first * 2 ** min(failures, DOUBLINGS_MAX), most)
        return whole * self._random.uniform(0.5, 1.0)
