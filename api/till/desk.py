"""The desk: a sale goes in, a signed receipt comes out, and is on disk by then.

Sales that come while others are being written are taken together: one thread signs them in their order and commits them at once.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from api.receipts.lines import lines_root
from api.till.clock import TillClock
from api.till.errors import BAD_SALE, CAP_REACHED, OFFER_REFUSED, STOPPING, TillRefused
from api.till.knowledge import Basis, Knowledge
from api.till.sale import Sale
from api.till.store import Earlier, KeptSale, Outcome, Request, SignedSale, TillStore
from api.wallet.brand import RECEIPT_SALT_BYTES, Brand, Purchase
from api.wallet.errors import WalletError
from ledger.address import decode_address
from ledger.domains.loyalty.receipts import encode_receipt, receipt_hash
from ledger.errors import Malformed
from ledger.types import Address, ProgramId, Timestamp

BATCH_MAX: Final = 256
"""Sales in one commit: bounds how long the first of them waits for the last."""

OnNew = Callable[[], None]


class Signing:
    """Signs sales of one program with the till's key, by what the till knows. One thread uses it at a time."""

    def __init__(
        self, store: TillStore, knowledge: Knowledge, brand: Brand, program: ProgramId, clock: TillClock
    ) -> None:
        self._store = store
        self._knowledge = knowledge
        self._brand = brand
        self._program = program
        self._clock = clock

    def keep(self, sales: Sequence[Sale]) -> list[Outcome]:
        """Sign and keep sales; each becomes what is kept, or why it was refused. Raises NodeError store.* for all of them."""
        outcomes: dict[int, Outcome] = {}
        requests: list[tuple[int, Request]] = []
        for index, sale in enumerate(sales):
            try:
                requests.append((index, Request(sale.id, sale.content_hash())))
            except TillRefused as fault:
                outcomes[index] = fault
        found = self._store.keep_sales(
            [request for _, request in requests],
            lambda place, number, before: self._sign(sales[requests[place][0]], requests[place][1], number, before),
        )
        outcomes |= {index: outcome for (index, _), outcome in zip(requests, found, strict=True)}
        return [outcomes[index] for index in range(len(sales))]

    def _sign(self, sale: Sale, request: Request, number: int, before: Earlier) -> SignedSale:
        """The signed sale. Raises TillRefused with the code of what speaks against it."""
        contact = self._knowledge.check_signing()
        now = self._clock.now()
        time = now if sale.time is None else Timestamp(sale.time)
        basis = self._knowledge.basis_at(contact, time)
        try:
            member = decode_address(contact.facts.address_prefix, sale.member)
        except Malformed as fault:
            raise TillRefused(BAD_SALE, field="member", reason=str(fault)) from None
        salt, lines = secrets.token_bytes(RECEIPT_SALT_BYTES), sale.canonical_lines()
        offer = sale.personal_offer()
        if offer is not None and before.has_cited(member, offer.offer_id):
            raise TillRefused(OFFER_REFUSED, reason="it was cited at this till already, and counts once")
        purchase = Purchase(
            member=member,
            sequence=number,
            time=time,
            net_cents=sale.net_cents,
            paid_with_points_cents=sale.paid_with_points_cents,
            codes=sale.sorted_codes(),
            lines_root=lines_root(salt, lines),
            tier=_tier_of(sale, basis, before, member),
            previous_visit=before.visit_before(member, time) if sale.previous_visit is None else sale.previous_visit,
            offer=offer,
        )
        self._brand.wallet.facts = contact.facts  # known from the last contact: signing asks no node
        try:
            signed = self._brand.sign_receipt(self._program, basis.facts, purchase, salt=salt)
        except Malformed as fault:
            raise TillRefused(BAD_SALE, field="the sale", reason=str(fault)) from None
        except WalletError as fault:
            raise TillRefused(OFFER_REFUSED, reason=str(fault)) from None
        points, bonus, used = signed.receipt.points, 0 if offer is None else offer.points, before.promised_on(basis.day)
        if used + points + bonus > basis.cap:
            raise TillRefused(CAP_REACHED, points=points + bonus, used=used, cap=basis.cap)
        return SignedSale(
            sale=request.sale,
            number=number,
            content=request.content,
            receipt=receipt_hash(signed.receipt, salt),
            signed=encode_receipt(signed),
            lines=lines,
            time=time,
            day=basis.day,
            points=points,
            bonus=bonus,
            offer=signed.receipt.offer,
            member=member,
            is_visit=sale.net_cents > 0,
            signed_at=now,
        )


def _tier_of(sale: Sale, basis: Basis, before: Earlier, member: Address) -> int:
    """The tier that the POS names, or what the node said last, for as long as it holds. Raises TillRefused till.bad_sale."""
    count = len(basis.facts.terms.tiers)
    if sale.tier is not None:
        if sale.tier > count:
            raise TillRefused(BAD_SALE, field="tier", reason=f"the program has {count} tiers")
        return sale.tier
    known = before.tier_of(member)
    is_over = known.until_day is not None and basis.day >= known.until_day
    return 0 if is_over else min(known.number, count)


class Desk:
    """Gathers sales of one event loop into batches. `on_new` is told when there are new receipts."""

    def __init__(self, signing: Signing, on_new: OnNew) -> None:
        self._signing = signing
        self._on_new = on_new
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._waiting: list[tuple[Sale, asyncio.Future[Outcome]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._is_closed = False

    async def sell(self, sale: Sale) -> KeptSale:
        """The sale with its receipt, once it is on disk. Raises TillRefused, NodeError store.*."""
        if self._is_closed:
            raise TillRefused(STOPPING)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((sale, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        outcome = await future
        if isinstance(outcome, TillRefused):
            raise outcome
        return outcome

    async def _write(self) -> None:
        """Batch after batch until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            sales = [sale for sale, _ in batch]
            try:
                outcomes = await loop.run_in_executor(self._thread, self._signing.keep, sales)
            except Exception as fault:  # noqa: BLE001 - whatever it was, those that wait are told, and the next batch is tried
                for _, future in batch:
                    if not future.done():
                        future.set_exception(fault)
                continue
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():  # the POS may have hung up
                    future.set_result(outcome)
            if any(isinstance(outcome, KeptSale) and outcome.is_new for outcome in outcomes):
                self._on_new()
        self._writer = None

    def close(self) -> None:
        """Let what is being written finish; harmless a second time."""
        self._is_closed = True
        self._thread.shutdown(wait=True)
