"""What mining brought: coin from the pool's public account, and whose transactions the blocks carried, from the node's API."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.wallet.client import Client
from api.wallet.errors import ClientProblem
from ledger.types import TxId

PAGE_LIMIT: Final = 100
TRANSACTIONS_READ_MAX: Final = 200
"""Of one block: whose the others are is not looked up."""
FOUND_READ_MAX: Final = 50
"""Found blocks that are looked for still, the newest ones: most of them stand in the chain at once."""
NOT_FOUND: Final = 404
FANS_NAMED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Earned:
    """Since the start. `coin` is from the node's blocks in the active chain, whoever found them; the rest is of own ones."""

    coin: int
    blocks_active: int
    transactions: int
    fans: tuple[str, ...]
    fault: str


@dataclass(slots=True)
class _Block:
    amount: int
    is_active: bool


@dataclass(slots=True)
class EarningsWatch:
    """Asks the node every few seconds. `look` is called by one thread; a node that does not answer is asked again the next time."""

    client: Client
    address: str
    _known: dict[str, _Block] = field(default_factory=dict)
    _before: set[str] = field(default_factory=set)
    _carried: set[str] = field(default_factory=set)
    _transactions: int = 0
    _fans: dict[str, None] = field(default_factory=dict)
    _fault: str = ""

    def begin(self) -> None:
        """From now on it counts. Raises ClientProblem."""
        self._before = {item["hash"] for item in self.client.mining.blocks(limit=PAGE_LIMIT)["items"]}

    def look(self, found: Sequence[str]) -> Earned:
        """What was earned so far; `found` are the blocks that this miner found, by their shown hashes."""
        try:
            self._look_at_account()
            for block in found[-FOUND_READ_MAX:]:
                if block not in self._carried:
                    self._look_into(block)
            self._fault = ""
        except ClientProblem as problem:
            self._fault = problem.detail
        active = [block for block in self._known.values() if block.is_active]
        mine = sum(block in self._known and self._known[block].is_active for block in found)
        coin = sum(block.amount for block in active)
        return Earned(coin, mine, self._transactions, tuple(self._fans), self._fault)

    def _look_at_account(self) -> None:
        for item in self.client.mining.blocks(limit=PAGE_LIMIT)["items"]:
            shown = str(item["hash"])
            if shown in self._before:
                continue
            if shown not in self._known:
                self._known[shown] = _Block(self._amount_of(shown), bool(item["is_active"]))
            self._known[shown].is_active = bool(item["is_active"])

    def _amount_of(self, shown: str) -> int:
        claims = self.client.mining.block(bytes.fromhex(shown))["claims"]
        return sum(int(claim["amount"]) for claim in claims if claim["address"] == self.address)

    def _look_into(self, shown: str) -> None:
        """Whose transactions a block carries: members whom they concern, and their authors."""
        try:
            block = self.client.block(shown)
        except ClientProblem as problem:
            if problem.status == NOT_FOUND:
                return  # it came too late for its tip, or the node takes it in just now
            raise
        if not block["confirmations"]:
            return
        txids: list[str] = block["txids"]
        for txid in txids[:TRANSACTIONS_READ_MAX]:
            for fan in fans_of(self.client.transaction(TxId(bytes.fromhex(txid)))):
                if len(self._fans) < FANS_NAMED_MAX:
                    self._fans.setdefault(fan)
        self._transactions += len(txids)
        self._carried.add(shown)


def fans_of(transaction: Any) -> list[str]:
    """The members that a transaction's events name; where none is named, its author."""
    events = transaction.get("events") or ()
    members = [str(event["data"]["member"]) for event in events if isinstance(event["data"].get("member"), str)]
    author = transaction.get("author")
    return list(dict.fromkeys(members)) or ([str(author)] if author else [])
