"""What a node holds on one account: found on the chain by looking at everything, which takes seconds and a thread of its own.

The formats are in `ledger/spec/fan_data.md`. Addresses are texts, other ids hexadecimal, canonical bytes base64.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from api.http.problems import RequestFault
from api.http.rendering import Renderer, show_hash
from api.words import show_time
from ledger.block import Block
from ledger.codec import Value, pack, unpack
from ledger.domains.loyalty.state import program_key
from ledger.errors import Code
from ledger.transaction import Transaction, decode_transaction
from ledger.types import Address, ChainId, ProgramId
from node.node import Node
from node.store.mentions import BlockMention, EventMention, ListMention, RecordMention
from node.store.reader import Reader, Snapshot

Result = TypeVar("Result")
WAITING_MAX: Final = 8
"""Passes over the whole chain that wait for their turn; one is done at a time."""

BUSY = Code(
    "me.busy",
    "{waiting} accounts are being looked up on the whole chain",
    "Send it again in a minute; nothing is lost.",
)


class ExportDesk:
    """Looks accounts up, one after the other."""

    def __init__(self, node: Node, reader: Reader, renderer: Renderer) -> None:
        self._node = node
        self._reader = reader
        self._renderer = renderer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="exports")
        self._waiting = 0

    async def collect(self, account: Address) -> dict[str, Any]:
        """All that the chain, the read model and the pool hold on an account, by section. Raises `me.busy`."""
        return await self._run(lambda: self._collect(account))

    async def count(self, account: Address) -> dict[str, int]:
        """How much of it there is. Raises `me.busy`."""
        return await self._run(lambda: self._count(account))

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= WAITING_MAX:
            raise RequestFault(BUSY, waiting=self._waiting)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def _pending(self, account: Address) -> list[Transaction]:
        with self._node.lock:
            return [found for found in self._node.mempool.transactions() if account in found.raw]

    def _count(self, account: Address) -> dict[str, int]:
        with self._reader.snapshot() as view:
            found = view.mentions(account)
            return {
                "records": len(found.records()),
                "earlier_records": len(found.earlier_records()),
                "events": len(found.events()),
                "lists": len(found.lists()),
                "blocks": len(found.blocks()),
                "pending": len(self._pending(account)),
            }

    def _collect(self, account: Address) -> dict[str, Any]:
        pending = self._pending(account)
        with self._reader.snapshot() as view:
            show = _Show(self._renderer, view, account, self._node.chain.chain_id)
            found, tip = view.mentions(account), view.tip()
            return {
                "height": tip.height,
                "block": show_hash(tip.hash),
                "time": tip.header.time,
                "date": show_time(tip.header.time),
                "records": [show.record(one) for one in found.records()],
                "earlier_records": [show.record(one) for one in found.earlier_records()],
                "events": [show.event(one) for one in found.events()],
                "lists": [show.listed(one) for one in found.lists()],
                "transactions": [row for one in found.blocks() for row in show.block(one)],
                "pending": [show.transaction(one) for one in pending],
            }

    def close(self) -> None:
        """Let what is under way finish."""
        self._thread.shutdown(wait=True, cancel_futures=True)


class _Show:
    """Shows what holds one account's address."""

    def __init__(self, renderer: Renderer, view: Snapshot, account: Address, chain_id: ChainId) -> None:
        self._renderer = renderer
        self._view = view
        self._account = account
        self._chain_id = chain_id
        self._programs: dict[bytes, bool] = {}

    def _is_program(self, found: bytes) -> bool:
        if found not in self._programs:
            self._programs[found] = self._view.stored(program_key(ProgramId(found))) is not None
        return self._programs[found]

    def record(self, found: RecordMention) -> dict[str, Any]:
        shown = {
            "table": found.table,
            "slot": found.slot,
            "key": found.key.hex(),
            "value": self._renderer.plain(found.record, self._is_program),
            "bytes": _base64(found.value_bytes),
        }
        return shown if found.undo_height is None else {"before_height": found.undo_height, **shown}

    def event(self, found: EventMention) -> dict[str, Any]:
        return {
            "height": found.height,
            "sequence": found.sequence,
            "subject": found.subject.hex(),
            **self._renderer.event(found.event, self._is_program),
        }

    def listed(self, found: ListMention) -> dict[str, Any]:
        return {
            "list": found.kind,
            "of": found.parent.hex() or None,
            "id": found.id.hex(),
            "height": found.height,
            "sequence": found.sequence,
        }

    def block(self, found: BlockMention) -> Iterator[dict[str, Any]]:
        """Of a block, what names the account: transactions, and the payees."""
        block = self._view.block(found.hash)
        assert block is not None, "a block that was found is there"
        place = {"block": show_hash(found.hash), "height": found.height, "active": found.is_active}
        yield from self._payees(block, place)
        for position, raw in enumerate(block.transactions):
            if self._account in raw:
                shown = self.transaction(decode_transaction(raw, self._chain_id))
                yield {**place, "position": position, **shown}

    def _payees(self, block: Block, place: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if self._account in block.commitment_bytes:
            parts = find_parts(unpack(block.commitment_bytes), self._account)
            yield {**place, "position": None, "kind": "reward", "parts": [_base64(pack(part)) for part in parts]}

    def transaction(self, found: Transaction) -> dict[str, Any]:
        """What the account itself signed is shown whole; of others' transactions, the parts that name the account."""
        is_own = self._account in found.signers
        parts = [] if is_own else find_parts(unpack(found.body_bytes), self._account)
        return {
            "txid": found.txid.hex(),
            "kind": found.kind.name,
            "author": self._renderer.address(found.author),
            "raw": _base64(found.raw) if is_own else None,
            "parts": [_base64(pack(part)) for part in parts],
        }


def find_parts(value: Value, needle: bytes) -> list[Value]:
    """The smallest arrays of a canonical value in which a byte string holds the needle, from left to right."""
    if not isinstance(value, tuple):
        return []
    inner = [part for item in value for part in find_parts(item, needle)]
    is_here = any(isinstance(item, bytes) and needle in item for item in value)
    return [value] if is_here else inner


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()
