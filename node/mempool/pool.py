"""Transactions that wait: applied in order of arrival to an overlay of the tip, so that what is here can be mined together.

Two transactions of one author with the same salt exclude each other (spec ENV-5); the later one replaces the earlier if it pays
enough more. What no longer fits after a new tip is dropped, and the reason is remembered.

After a reorganisation, what stood in blocks that were taken back comes in front of what waits, in the order in which it was mined,
so that what depends on another follows it. If not all fits, what waits stays, and of the others the first ones come back that
there is room for; the rest is dropped as `mempool.no_room`. A transaction that a miner took once does not count against the limit
of its author.

A consent that its fan takes back goes in front of what waits (`node.mempool.withdrawal`), whatever it pays.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ledger.errors import Code, LedgerError, RuleViolation
from ledger.events import Event
from ledger.fees import sponsor_policy_at
from ledger.kinds import Context
from ledger.state import Overlay
from ledger.transaction import EXPIRED, OwnFee, Sponsored, Transaction, decode_transaction
from ledger.transition import REPEATED, SALT_USED, apply_transaction, begin_block
from ledger.types import Address, Amount, TxId
from node.chain import Chain
from node.errors import NodeError
from node.mempool.policy import MempoolLimits
from node.mempool.returning import TakenBack, sort_out, still_possible
from node.mempool.withdrawal import granted_consent, is_will_of_fan, put_first, revoked_consent
from node.tip import TipChanged

FULL = Code(
    "mempool.full",
    "the pool is full and takes fee rates above {rate_min} only",
    "Try again after the next block, or pay more.",
)
AUTHOR_LIMIT = Code(
    "mempool.author_limit",
    "this author has {count} transactions waiting already",
    "Wait for the next block.",
)
REPLACEMENT_FEE = Code(
    "mempool.replacement_fee",
    "it would replace a waiting transaction and must pay at least {needed}, not {offered}",
    "Raise the fee, or use a fresh salt if it is a transaction of its own.",
)
BUSY = Code(
    "mempool.busy",
    "replacements have made this node apply {weight} of waiting weight again since the last block; it does no more of that",
    "Wait for the next block.",
)
NO_ROOM = Code(
    "mempool.no_room",
    "its block was taken back, and the pool was full of what waited already and of what came back before it",
    "Send it again after the next block.",
)
REPLACED = Code("mempool.replaced", "it was replaced by {by}", "Nothing: its author replaced it.")
TOO_HEAVY = Code(
    "mempool.too_heavy",
    "its weight {weight} is more than a block's {maximum}",
    "Send it as several smaller ones.",
)
EVICTED = Code(
    "mempool.evicted", "the pool was full and its fee rate was the lowest", "Send it again with a higher fee."
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transaction in the pool. `fee` is what its block's miner gets."""

    transaction: Transaction
    fee: Amount
    sequence: int

    @property
    def fee_rate(self) -> float:
        """Coin a weight unit."""
        return self.fee / self.transaction.weight


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a transaction would do in the next block."""

    transaction: Transaction
    codes: tuple[str, ...]
    events: tuple[Event, ...]
    fee: Amount


@dataclass(frozen=True, slots=True)
class Dropped:
    """Why a transaction is no longer here."""

    code: str
    reason: str


class Mempool:
    """Not thread-safe: the node's lock is held around every call."""

    def __init__(self, chain: Chain, limits: MempoolLimits) -> None:
        self._chain = chain
        self._limits = limits
        self._waiting: dict[TxId, Waiting] = {}
        self._by_once_key: dict[bytes, TxId] = {}
        self._count_by_author: dict[Address, int] = {}
        self._dropped: dict[TxId, Dropped] = {}
        self.taken_back = TakenBack(limits.dropped_remembered)
        self._sequence = 0
        self._weight = 0
        self._reapplied = 0
        self._behind: list[TipChanged] = []
        self._is_stale = False
        self._followers_of_consents: list[Callable[[Transaction], None]] = []
        self._followers_of_arrivals: list[Callable[[Transaction], None]] = []
        self._start_overlay()
        chain.subscribe(self._follow)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def weight(self) -> int:
        """Weight of all that waits."""
        return self._weight

    def get(self, txid: TxId) -> Transaction | None:
        """A waiting transaction."""
        found = self._waiting.get(txid)
        return None if found is None else found.transaction

    def transactions(self) -> list[Transaction]:
        """All that waits, in order of arrival."""
        return [waiting.transaction for waiting in self._waiting.values()]

    def of_kind(self, kind: str) -> list[Transaction]:
        """Waiting transactions of one kind, in order of arrival."""
        return [transaction for transaction in self.transactions() if transaction.kind.name == kind]

    def follow_consents(self, follower: Callable[[Transaction], None]) -> None:
        """Call `follower`, under the node's lock, with each new `consent.grant` that is taken in, and with each new
        `consent.revoke` that its fan signed, be there room for it or not.
        """
        self._followers_of_consents.append(follower)

    def follow_arrivals(self, follower: Callable[[Transaction], None]) -> None:
        """Call `follower`, under the node's lock, with each new transaction that is taken in."""
        self._followers_of_arrivals.append(follower)

    def dropped(self, txid: TxId) -> Dropped | None:
        """Why a transaction that was here is gone, as far as it is remembered."""
        return self._dropped.get(txid)

    # --- taking in ---

    def submit_batch(self, batch: Sequence[bytes]) -> list[Transaction | LedgerError]:
        """Take in many transactions, verifying their signatures in one phase; one result each, in order."""
        self.catch_up()
        results: list[Transaction | LedgerError] = []
        for raw in batch:
            try:
                results.append(decode_transaction(raw, self._chain.chain_id))
            except LedgerError as fault:
                results.append(fault)
        decoded = [item for item in results if isinstance(item, Transaction)]
        verdicts = iter(self._chain.verify_signatures(decoded))
        for index, item in enumerate(results):
            if isinstance(item, Transaction):
                fault = next(verdicts)
                results[index] = fault if fault is not None else self._submit_verified(item)
        return results

    def submit(self, raw: bytes) -> Transaction:
        """Take in one transaction. Raises `Malformed`, `RuleViolation` or `NodeError`."""
        result = self.submit_batch([raw])[0]
        if isinstance(result, LedgerError):
            raise result
        return result

    def _submit_verified(self, transaction: Transaction) -> Transaction | LedgerError:
        known = self._waiting.get(transaction.txid)
        if known is not None:
            return known.transaction
        try:
            rival = self._by_once_key.get(transaction.once_key)
            if rival is not None:
                self._replace(self._waiting[rival], transaction)
            else:
                self._take(transaction)
        except (RuleViolation, NodeError) as fault:
            self._tell_refused(transaction)
            return fault
        if granted_consent(transaction) is not None or revoked_consent(transaction) is not None:
            self._tell(transaction)
        for follower in self._followers_of_arrivals:
            follower(transaction)
        return transaction

    def _tell_refused(self, transaction: Transaction) -> None:
        if revoked_consent(transaction) is None:
            return
        if is_will_of_fan(transaction, self._overlay, self._context, self._chain.window):
            self._tell(transaction)

    def _tell(self, transaction: Transaction) -> None:
        for follower in self._followers_of_consents:
            follower(transaction)

    def _take(self, transaction: Transaction) -> None:
        weight_max = self._chain.params.block_weight_max
        if transaction.weight > weight_max:
            raise NodeError(TOO_HEAVY, weight=transaction.weight, maximum=weight_max)
        count = self._count_by_author.get(transaction.author, 0)
        if count >= self._limits.author_count_max:
            raise NodeError(AUTHOR_LIMIT, count=count)
        newcomer = Waiting(transaction, self._fee_of(transaction), self._next_sequence())
        if self._weight + transaction.weight > self._limits.weight_max:
            self._squeeze_in(newcomer)
        else:
            self._apply(transaction)
            self._add(newcomer)

    def _apply(self, transaction: Transaction) -> tuple[str, ...]:
        """Apply to the overlay, or raise `RuleViolation` and leave it as it was."""
        mark = self._overlay.mark()
        try:
            return apply_transaction(self._overlay, transaction, self._context, self._chain.window)
        except BaseException:
            # The rules roll back after a violation; this is for a store that failed under them.
            self._overlay.roll_back(mark)
            raise

    def _add(self, waiting: Waiting) -> None:
        transaction = waiting.transaction
        self._waiting[transaction.txid] = waiting
        self._by_once_key[transaction.once_key] = transaction.txid
        self._count_by_author[transaction.author] = self._count_by_author.get(transaction.author, 0) + 1
        self._weight += transaction.weight
        self._dropped.pop(transaction.txid, None)

    def _remember_dropped(self, txid: TxId, code: Code, reason: str) -> None:
        self._dropped[txid] = Dropped(code.name, reason)
        if len(self._dropped) > self._limits.dropped_remembered:
            del self._dropped[next(iter(self._dropped))]

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _replace(self, rival: Waiting, transaction: Transaction) -> None:
        """Put a transaction into the place of the one that it excludes, if it pays enough more."""
        fee = self._fee_of(transaction)
        needed = max(-(-rival.fee * self._limits.replacement_percent // 100), rival.fee + 1)
        if fee < needed:
            raise NodeError(REPLACEMENT_FEE, needed=needed, offered=fee)
        if self._weight - rival.transaction.weight + transaction.weight > self._limits.weight_max:
            raise NodeError(FULL, rate_min=str(rival.fee_rate))
        self._check_not_busy()
        places = self._waiting.values()
        self._change(transaction, [transaction if place is rival else place.transaction for place in places])
        self._reapplied += self._weight
        replaced = RuleViolation(REPLACED, by=transaction.txid)
        self._remember_dropped(rival.transaction.txid, REPLACED, str(replaced))

    def _squeeze_in(self, newcomer: Waiting) -> None:
        """Take in a valid transaction in exchange for the cheapest twentieth of a full pool, if it pays more than all of that."""
        self._check_not_busy()
        leaving = self._choose_leaving(newcomer)
        mark = self._overlay.mark()
        self._apply(newcomer.transaction)  # what is not valid evicts nobody
        self._overlay.roll_back(mark)
        gone = {waiting.transaction.txid for waiting in leaving}
        staying = [waiting.transaction for txid, waiting in self._waiting.items() if txid not in gone]
        self._change(newcomer.transaction, [*staying, newcomer.transaction])
        for txid in gone:
            self._remember_dropped(txid, EVICTED, str(NodeError(EVICTED)))

    def _choose_leaving(self, newcomer: Waiting) -> list[Waiting]:
        weight = newcomer.transaction.weight
        by_rate = sorted(self._waiting.values(), key=lambda waiting: (waiting.fee_rate, -waiting.sequence))
        leaving: list[Waiting] = []
        freed = 0
        for waiting in by_rate:
            if freed >= max(self._limits.weight_max // 20, weight):
                break
            leaving.append(waiting)
            freed += waiting.transaction.weight
        highest = leaving[-1].fee_rate if leaving else 0.0
        if self._weight - freed + weight > self._limits.weight_max or newcomer.fee_rate <= highest:
            raise NodeError(FULL, rate_min=str(highest))
        return leaving

    def _change(self, newcomer: Transaction, wanted: Sequence[Transaction]) -> None:
        """Let `wanted` wait, in that order. If the newcomer among them is not valid then, raise why and change nothing."""
        before = [waiting.transaction for waiting in self._waiting.values()]
        faults = self._start_again(wanted)
        refused = faults.pop(newcomer.txid, None)
        if refused is not None:
            self._start_again(before)
            self._reapplied += 2 * self._weight
            raise refused
        for txid, fault in faults.items():
            self._remember_dropped(txid, fault.code, str(fault))

    def _check_not_busy(self) -> None:
        """Refuse to apply the pool again once that was done enough: a replacement that fails costs its author nothing."""
        if self._reapplied >= self._limits.reapplied_weight_max:
            raise NodeError(BUSY, weight=self._reapplied)

    def _fee_of(self, transaction: Transaction) -> Amount:
        payment = transaction.body.payment
        if isinstance(payment, OwnFee):
            return payment.fee
        if isinstance(payment, Sponsored):
            return Amount(transaction.weight * sponsor_policy_at(self._overlay, payment.program, self._context).rate)
        return Amount(transaction.kind.prepaid_weight * self._chain.params.fee_rate_min)

    # --- asking ---

    def dry_run(self, raw: bytes) -> DryRun:
        """What a transaction would do on top of all that waits; nothing is kept. Raises like `submit`."""
        self.catch_up()
        transaction = decode_transaction(raw, self._chain.chain_id)
        fault = self._chain.verify_signatures([transaction])[0]
        if fault is not None:
            raise fault
        mark = self._overlay.mark()
        codes = self._apply(transaction)
        events = tuple(self._overlay.events[mark.events :])
        fee = self._overlay.postings.get("fees", 0) - mark.postings.get("fees", 0)
        self._overlay.roll_back(mark)
        return DryRun(transaction, codes, events, Amount(fee))

    def select(self, weight_max: int) -> list[Transaction]:
        """What a block of `weight_max` should try: all, or the best-paying if not all fit, in order of arrival.

        That order is one in which what depends on another comes after it. Consents that are taken back come first of all.
        """
        self.catch_up()
        first, rest = put_first(self._waiting.values(), self._chain.state, weight_max)
        if self._weight <= weight_max:
            return [waiting.transaction for waiting in (*first, *rest)]
        chosen: list[Waiting] = []
        weight = sum(waiting.transaction.weight for waiting in first)
        for waiting in sorted(rest, key=lambda waiting: (-waiting.fee_rate, waiting.sequence)):
            if weight + waiting.transaction.weight <= weight_max:
                chosen.append(waiting)
                weight += waiting.transaction.weight
        chosen.sort(key=lambda waiting: waiting.sequence)
        return [waiting.transaction for waiting in (*first, *chosen)]

    # --- following the chain ---

    def _start_overlay(self) -> None:
        self._context: Context = self._chain.next_context()
        self._overlay = Overlay(self._chain.state)
        begin_block(self._overlay, self._context)

    def _start_again(self, wanted: Sequence[Transaction]) -> dict[TxId, RuleViolation]:
        """Empty the pool and take in `wanted`, in that order; returns why some are no longer valid.

        If the store fails meanwhile, what waits is what waited before, and the overlay is made anew at the next use.
        """
        before = self._waiting, self._by_once_key, self._count_by_author, self._weight
        self._waiting, self._by_once_key, self._count_by_author, self._weight = {}, {}, {}, 0
        faults: dict[TxId, RuleViolation] = {}
        self._is_stale = True
        try:
            self._start_overlay()
            for transaction in wanted:
                fault = self._take_again(transaction)
                if fault is not None:
                    faults[transaction.txid] = fault
            self._is_stale = False
        finally:
            if self._is_stale:
                self._waiting, self._by_once_key, self._count_by_author, self._weight = before
        return faults

    def _take_again(self, transaction: Transaction) -> RuleViolation | None:
        """Take in what was here or in a block before, whatever its author's count; returns why it is not valid."""
        earlier = self._by_once_key.get(transaction.once_key)
        if earlier is not None:
            return RuleViolation(REPEATED if earlier == transaction.txid else SALT_USED)
        try:
            fee = self._fee_of(transaction)
            self._apply(transaction)
        except RuleViolation as fault:
            return fault
        self._add(Waiting(transaction, fee, self._next_sequence()))
        return None

    def _follow(self, changed: TipChanged) -> None:
        self._reapplied = 0
        self._behind.append(changed)
        self.catch_up()

    def catch_up(self) -> None:
        """Follow the chain now, where the store failed while it should have been. Raises the store's fault if it fails again."""
        while self._behind:
            self._take_over(self._behind[0])
            del self._behind[0]
        if self._is_stale:
            self._take_all([waiting.transaction for waiting in self._waiting.values()])

    def _take_over(self, changed: TipChanged) -> None:
        """A new tip: what it holds leaves; what was taken back returns, in front of the rest, as far as there is room."""
        self.taken_back.note(changed)
        next_height = self._chain.next_context().height
        found = sort_out(changed, (self._waiting, self._dropped), next_height, self._limits.dropped_remembered)
        for txid in found.confirmed:
            self._dropped.pop(txid, None)
        for transaction in found.expired:
            expired = RuleViolation(EXPIRED, valid_until=transaction.body.valid_until, height=next_height)
            self._remember_dropped(transaction.txid, EXPIRED, str(expired))
        rest = {txid: place.transaction for txid, place in self._waiting.items() if txid not in found.confirmed}
        taken_back = still_possible(changed, self._chain.window, self._chain.params, next_height)
        returning = self._within_weight((tx for tx in taken_back if tx.txid not in rest), rest.values())
        self._take_all([*returning, *rest.values()])

    def put_back(self, transactions: Iterable[Transaction]) -> None:
        """After a start: take in again what stood in blocks that were taken back, as far as it is valid and there is room.

        The pool that had it is gone with the memory of its process. What is wrong with the others is remembered.
        """
        self.catch_up()
        rest = self.transactions()
        known = {transaction.txid for transaction in rest}
        window = self._chain.window
        unmined = {tx.txid: tx for tx in transactions if tx.txid not in known and window.get(tx.once_key) != tx.txid}
        verdicts = self._chain.verify_signatures(list(unmined.values()))  # some of these blocks were never connected
        signed = [tx for tx, fault in zip(unmined.values(), verdicts, strict=True) if fault is None]
        self._take_all([*rest, *self._within_weight(signed, rest)])

    def _take_all(self, wanted: Sequence[Transaction]) -> None:
        """Let all of `wanted` wait that is valid. One that lives off another behind it is tried once more at the end."""
        faults = self._start_again(wanted)
        for transaction in wanted:
            if transaction.txid in faults:
                fault = self._take_again(transaction)
                if fault is not None:
                    self._remember_dropped(transaction.txid, fault.code, str(fault))

    def _within_weight(self, transactions: Iterable[Transaction], rest: Iterable[Transaction]) -> list[Transaction]:
        """Those that may come back beside the rest, in their order; for the others there is no room."""
        room = self._limits.weight_max - sum(transaction.weight for transaction in rest)
        returning: list[Transaction] = []
        for transaction in transactions:
            if transaction.weight > room:
                self._remember_dropped(transaction.txid, NO_ROOM, str(NodeError(NO_ROOM)))
                continue
            room -= transaction.weight
            returning.append(transaction)
        return returning
