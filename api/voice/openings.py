"""Openings of sealed ballots: kept for voters, and sent as `ballot.reveal` when voting is over (spec VOI-9).

Anybody may send a reveal, and its commitment has paid for it, so the node signs it with a key that it makes for this and forgets.
An opening is on disk before its voter is answered, read again at the next start, and sent after each block while it is in none.
"""

import asyncio
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final

import structlog

from api.http.receipt_desk import ReceiptDesk
from api.wallet.builder import ChainFacts, Signer, build
from ledger.domains.voice.ballot_reveal import RevealBallot
from ledger.domains.voice.state import ENDED, Ballot, Proposal, ballot_key, proposal_key
from ledger.errors import LedgerError
from ledger.transaction import Prepaid
from ledger.types import Address, Height, PrivateSeed, ProposalId, RecordKey
from node.node import Node
from node.tip import TipChanged

log = structlog.get_logger()

SENT_PER_BLOCK_MAX: Final = 256
"""Openings that are looked at after a block; the others have their turn after the next ones."""

Which = tuple[ProposalId, Address]


class KeptOpenings:
    """The openings of one node. `keep` takes one in, `follow` is called under the node's lock."""

    def __init__(
        self, node: Node, desk: ReceiptDesk, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._node = node
        self._desk = desk
        self._random_bytes = random_bytes
        chain = node.chain
        self._facts = ChainFacts.of_params(chain.params, chain.chain_id)
        self._waiting: OrderedDict[Which, RevealBallot] = OrderedDict()
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_loaded = False
        self._loading = asyncio.Lock()
        chain.subscribe(self.follow)

    async def load(self) -> None:
        """Read what is kept, once. Raises what the store raises."""
        async with self._loading:
            if not self._is_loaded:
                found = await self._desk.run(lambda store: store.openings.all())
                with self._lock:
                    for opening in found:
                        self._waiting.setdefault((opening.proposal, opening.voter), opening)
                self._is_loaded = True

    async def keep(self, opening: RevealBallot) -> bool:
        """Keep an opening that fits its commitment; False if it was here. Raises what the store raises."""
        now = self._node.clock.now()
        is_new = await self._desk.run(lambda store: store.openings.add(opening, now))
        with self._lock:
            self._waiting.setdefault((opening.proposal, opening.voter), opening)
        return is_new

    def forget_voter(self, voter: Address) -> None:
        """Leave out what was deleted from the store at its voter's wish."""
        with self._lock:
            for which in [which for which in self._waiting if which[1] == voter]:
                del self._waiting[which]

    def close(self) -> None:
        """Send nothing any more: the store is closed next."""
        self._is_closed = True

    def follow(self, _: TipChanged) -> None:
        """A new tip: send what can be revealed now."""
        if not self._is_closed:
            self._send()

    def send_waiting(self) -> None:
        """Send what can be revealed now, as after a restart or when one came late. Takes the node's lock."""
        with self._node.lock:
            self.follow(TipChanged((), ()))

    def _send(self) -> None:
        with self._lock:
            looked_at = list(islice(self._waiting.items(), SENT_PER_BLOCK_MAX))
            for which, _ in looked_at:
                self._waiting.move_to_end(which)
        context = self._node.chain.next_context()
        ended: set[ProposalId] = set()
        raws: list[bytes] = []
        for (proposal_id, voter), opening in looked_at:
            proposal = self._record(proposal_key(proposal_id))
            if not isinstance(proposal, Proposal):
                continue  # the block with the proposal was taken back, and may come again
            if proposal.status >= ENDED:
                ended.add(proposal_id)
            ballot = self._record(ballot_key(proposal_id, voter))
            is_sealed = isinstance(ballot, Ballot) and not ballot.choice
            if is_sealed and proposal.voting_is_over(context) and not proposal.revealing_is_over(context):
                raws.append(self._reveal(opening, context.height))
        for result in self._node.mempool.submit_batch(raws) if raws else ():
            if isinstance(result, LedgerError):
                log.info("opening.waits", code=result.code.name)
        if ended:
            self._forget(ended)

    def _record(self, key: RecordKey) -> object:
        stored = self._node.chain.state.stored(key)
        return None if stored is None else stored.record

    def _reveal(self, opening: RevealBallot, height: Height) -> bytes:
        author = Signer.of_seed(PrivateSeed(self._random_bytes(32)))
        return build(self._facts, "ballot.reveal", opening, author, valid_from=height, payment=Prepaid())

    def _forget(self, ended: set[ProposalId]) -> None:
        with self._lock:
            for which in [which for which in self._waiting if which[0] in ended]:
                del self._waiting[which]
        now = self._node.clock.now()
        self._desk.post(lambda store: store.openings.forget(ended, now))
