"""Finality of one chain over its store: learns from blocks and others, says which branch may be followed, stops at a conflict.

Used by `node.chain` alone, within its database transactions and under its owner's lock. Without attestors it does nothing.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from ledger.domains.finality.attest import Attest
from ledger.domains.finality.state import FINALITY_KEY, CheckpointVotes, Finality, Justified, checkpoint_votes_key
from ledger.errors import BlockViolation, Code, LedgerError, Malformed, Violation
from ledger.finality.attestors import AttestorSet
from ledger.finality.certificates import Certificate
from ledger.finality.votes import Checkpoint, Evidence, SignedVote
from ledger.fork_choice import Branch
from ledger.params import Params
from ledger.transaction import Transaction, decode_transaction
from ledger.types import BlockHash, ChainId, Height, PublicKey
from node.errors import NodeError
from node.finality.book import Change, FinalityBook, Taken
from node.finality.inclusion import compose_evidence, compose_votes
from node.store.blocks import BlockStore, KnownHeader
from node.store.finality import FinalityStore
from node.store.state import StoreState

log = structlog.get_logger()

CONFLICT = Code(
    "finality.conflict",
    "two checkpoints are final on different branches: {known} at height {known_height}, and {other} at height {other_height}. "
    "More than a third of the attestors' weight has lied; this node takes in nothing more",
    "Ask people you trust which branch they keep, then start with `node run --trust HEIGHT:HASH` of that branch's checkpoint.",
)
OFF_FINAL = Code(
    "finality.other_branch",
    "at height {height} the operator trusts the block {expected}, and this is another one",
    "Mine on the branch of the trusted block.",
)
NO_ATTESTORS = Code(
    "finality.no_attestors", "this chain's params name no attestors", "Leave --trust out: here the most work decides."
)
NO_CHECKPOINT = Code(
    "finality.no_checkpoint",
    "height {height} is that of no checkpoint: this chain has one every {interval} blocks",
    "Name the height and the hash of a checkpoint that is final, as `fansumer chain finality` shows it.",
)
NOT_TRUSTED = Code(
    "finality.not_trusted",
    "the chain in the store has another block at height {height}: {found}",
    "Check the height and the hash; if they are right, begin with an empty data folder.",
)

Learned = tuple[Taken, Change]
"""What became of a vote or certificate, and what followed from it."""


class Known(NamedTuple):
    """What any thread may ask for at any time: the highest justified and the last final checkpoint, and a conflict."""

    justified: Justified
    final: Justified
    conflict: tuple[Checkpoint, Checkpoint] | None


NOT_ADMITTED = -1
"""Stands for "justified nowhere" in a branch that lacks a final checkpoint: it is behind every other."""


class FinalityKeeper:
    """What this node knows of finality. `evidence` holds what it found and the chain does not hold yet."""

    def __init__(
        self,
        connection: Connection,
        blocks: BlockStore,
        *,
        params: Params,
        chain_id: ChainId,
        trusted: Checkpoint | None,
    ) -> None:
        if trusted is not None and not params.attestors:
            raise NodeError(NO_ATTESTORS)
        if trusted is not None and trusted.height % params.checkpoint_interval_blocks:
            interval = params.checkpoint_interval_blocks
            raise NodeError(NO_CHECKPOINT, height=trusted.height, interval=interval)
        self.is_active = bool(params.attestors)
        self._params, self._chain_id, self._blocks = params, chain_id, blocks
        self._store = FinalityStore(connection)
        self._given = trusted or next((Checkpoint(*pair) for pair in params.trusted), None)
        self.evidence: list[Evidence] = []
        self.pinned: Checkpoint | None = None
        self._conflict: tuple[Checkpoint, Checkpoint] | None = None
        self.book = self._new_book()
        self._tell()

    def _tell(self) -> None:
        """Let others see what is known now."""
        self.known = Known(self.book.justified, self.book.final, self._conflict)

    def _new_book(self) -> FinalityBook:
        start = Justified(Height(0), BlockHash(self._chain_id), 0)
        return FinalityBook(self._chain_id, self._params.checkpoint_interval_blocks, start, self.is_ancestor)

    # --- opening ---

    def load(self, state: StoreState) -> None:
        """Read what was stored; take the trusted checkpoint that was given, if it is a new one. Raises `finality.not_trusted`."""
        if not self.is_active:
            return
        self.pinned, self._conflict = self._store.pinned(), self._store.conflict()
        if self._given is not None and self._given != self.pinned:
            self._pin(self._given)
        waiting = self.book.waiting_certificates()
        self.book = self._new_book()
        self.book.pinned = self.pinned
        rows = self._store.all_justified()
        for found, is_final in rows:
            if is_final:
                self.book.trust(found)
        certificates = self._store.certificates_from(self.book.final.height, limit=1_024)
        self.book.restore(certificates, [found for found, _ in rows])
        self.book.learn_sets([AttestorSet(0, self._params.attestors), *self._store.sets()])
        self._learn_state(state)
        for certificate in waiting:
            with suppress(Malformed, Violation):
                self._keep(self.book.take_certificate(certificate)[1])
        self._tell()
        if self._conflict is not None:
            log.critical("finality.conflict", fault=str(self._fault()))

    def begin(self, state: StoreState) -> None:
        """The chain begins with a snapshot: what its state says is justified and final is so, and the trusted checkpoint is."""
        if not self.is_active:
            return
        record = _record(state)
        for place, found in enumerate(record.justified):
            self._store.put_justified(found, is_final=place == 0)
        pinned = self.pinned
        if pinned is None or (record.justified and pinned.height <= record.final.height):
            return
        in_force = record.set_at(pinned.height)
        if in_force is not None and self._blocks.active_hash(pinned.height) == pinned.hash:
            self._store.put_justified(Justified(pinned.height, pinned.hash, in_force.number), is_final=True)

    def _pin(self, trusted: Checkpoint) -> None:
        """The operator's word: a conflict is settled by it, and what was justified beside it is forgotten."""
        found = self._blocks.active_hash(trusted.height)
        if self._conflict is None and found is not None and found != trusted.hash:
            raise NodeError(NOT_TRUSTED, height=trusted.height, found=found[::-1].hex())
        if self._conflict is not None:
            low = min(checkpoint.height for checkpoint in self._conflict)
            self._store.forget_above(Height(max(low - self._params.checkpoint_interval_blocks, 0)))
            self._store.put_conflict()
            self._conflict = None
        self.pinned = trusted
        self._store.put_pinned(trusted)

    def check(self) -> None:
        """Raise `finality.conflict` where two branches are final: nothing is taken in until the operator has decided."""
        if self._conflict is not None:
            raise self._fault()

    def _fault(self) -> NodeError:
        assert self._conflict is not None, "there is a conflict"
        known, other = self._conflict
        return NodeError(
            CONFLICT,
            known=known.hash[::-1].hex(),
            known_height=known.height,
            other=other.hash[::-1].hex(),
            other_height=other.height,
        )

    # --- which branch ---

    @property
    def anchor(self) -> Checkpoint:
        """The highest checkpoint that no branch may lack: the last final one, or the one that the operator trusts."""
        final = self.book.final.checkpoint
        return self.pinned if self.pinned is not None and self.pinned.height > final.height else final

    def check_header(self, known: KnownHeader) -> None:
        """Raise `BlockViolation` `finality.other_branch` for another block in the place of a trusted one. It stays uncondemned.

        Blocks beside a final one are kept and never followed: only with them a conflict can be seen.
        """
        if self.pinned is not None and known.height == self.pinned.height and known.hash != self.pinned.hash:
            raise BlockViolation(OFF_FINAL, height=known.height, expected=self.pinned.hash[::-1].hex())

    def branch(self, known: KnownHeader) -> Branch:
        """What fork choice compares: work, and before it the highest justified checkpoint of the branch (spec FIN-9)."""
        if not self.is_active:
            return Branch(known.hash, known.work)
        return Branch(known.hash, known.work, self._justified_height(known))

    def _justified_height(self, known: KnownHeader) -> int:
        anchor, way = self.anchor, self._blocks.branch_of(known)
        if known.height >= anchor.height and not self._leads_over(way, anchor):
            return NOT_ADMITTED
        for found in self.book.all_justified():
            if found.height <= anchor.height:
                break
            if found.height <= known.height and self._leads_over(way, found.checkpoint):
                return found.height
        return min(anchor.height, known.height)

    def is_ancestor(self, low: Checkpoint, high: Checkpoint) -> bool | None:
        """Whether `low` is `high` or below it; None where `high` is not known here."""
        known = self._blocks.header(high.hash)
        if known is None or known.height != high.height:
            return None
        if low.height > high.height:
            return False
        return self._leads_over(self._blocks.branch_of(known), low)

    def _leads_over(self, way: Sequence[KnownHeader], low: Checkpoint) -> bool:
        """Whether a checkpoint lies on the way that leads from the active chain to a block at or above it."""
        above = low.height - way[0].height
        return way[above].hash == low.hash if above > 0 else self._blocks.active_hash(low.height) == low.hash

    def better_tips(self) -> list[KnownHeader]:
        """Ends of branches that may come before the active one: none where what must lie on that does."""
        if not self.is_active:
            return []
        for wanted in (self.anchor, self.book.justified.checkpoint):
            if self._blocks.active_hash(wanted.height) != wanted.hash:
                return self._blocks.valid_leaves(wanted.height)
        return []

    # --- learning ---

    def note_connected(self, known: KnownHeader, transactions: Sequence[Transaction], state: StoreState) -> None:
        """A block joined the active chain: take its votes, and the sets that it brought. Signatures were checked with it."""
        if not self.is_active:
            return
        if self.pinned is not None and known.hash == self.pinned.hash and not self.book.is_justified(known.hash):
            finality: Finality = _record(state)
            self._trust(Justified(known.height, known.hash, finality.number))
        self._take_votes(transactions, is_verified=True)
        if known.height % self._params.checkpoint_interval_blocks == 0 or any(map(_is_of_finality, transactions)):
            self._learn_state(state)
        self._keep(self.book.look_again())

    def note_side(self, raws: Iterable[bytes]) -> None:
        """A block of another branch was kept: its votes are as good as any."""
        if not self.is_active:
            return
        found: list[Transaction] = []
        for raw in raws:
            try:
                found.append(decode_transaction(raw, self._chain_id))
            except LedgerError:
                continue  # its branch will be found invalid if it is ever followed
        self._take_votes(found, is_verified=False)
        self._keep(self.book.look_again())

    def _trust(self, found: Justified) -> None:
        self.book.trust(found)
        self._store.put_justified(found, is_final=True)
        self._tell()

    def _take_votes(self, transactions: Iterable[Transaction], *, is_verified: bool) -> None:
        for transaction in transactions:
            if isinstance(transaction.payload, Attest):
                vote = transaction.payload.vote(self._chain_id)
                for key, signature in transaction.payload.votes:
                    try:
                        _, change = self.book.take_vote(SignedVote(vote, key, signature), is_verified=is_verified)
                    except (Malformed, Violation):
                        continue
                    self._keep(change)

    def _learn_state(self, state: StoreState) -> None:
        finality = _record(state)
        sets = [finality.in_force]
        if finality.former:
            sets.append(AttestorSet(finality.number - 1, finality.former))
        sets.extend(AttestorSet(finality.number + 1, found.members) for found in finality.scheduled)
        sets.extend(AttestorSet(finality.number + 1, found.members, True) for found in finality.replacement)
        self._store.add_sets(sets)
        self._keep(self.book.learn_sets(sets))

    def take_vote(self, signed: SignedVote) -> Learned:
        """A vote from outside. Raises what is wrong with it, `finality.no_attestors` and `finality.conflict`."""
        self._check_use()
        taken, change = self.book.take_vote(signed)
        self._keep(change)
        return taken, change

    def take_certificate(self, certificate: Certificate) -> Learned:
        """A certificate from outside. Raises what is wrong with it, `finality.no_attestors` and `finality.conflict`."""
        self._check_use()
        taken, change = self.book.take_certificate(certificate)
        self._keep(change)
        return taken, change

    def _check_use(self) -> None:
        if not self.is_active:
            raise NodeError(NO_ATTESTORS)
        self.check()

    def _keep(self, change: Change) -> None:
        self._store.add(change.certificates)
        for found in change.justified:
            self._store.put_justified(found, is_final=False)
        for found in change.final:
            self._store.put_justified(found, is_final=True)
            log.info("finality.final", height=found.height, hash=found.hash[::-1].hex())
        for evidence in change.evidence:
            self.evidence.append(evidence)
            log.warning("finality.attestor_lied", key=evidence.key.hex())
        if change.conflict is not None:
            self._conflict = (change.conflict.known, change.conflict.other)
            self._store.put_conflict(*self._conflict)
        self._tell()
        if change.conflict is not None:
            log.critical("finality.conflict", fault=str(self._fault()))

    def certificates_from(self, height: Height, limit: int) -> list[Certificate]:
        """What another node needs: certificates of targets at or above `height`, the lowest first."""
        return self._store.certificates_from(height, limit)

    def certificates_for(self, target: BlockHash) -> list[Certificate]:
        """Certificates of links to one checkpoint."""
        return self._store.certificates_for(target)

    # --- giving ---

    def transactions_for(self, state: StoreState, height: Height, secret: bytes) -> list[Transaction]:
        """Votes and evidence that this node knows and the chain does not hold, as transactions of nobody's account."""
        if not self.is_active:
            return []
        finality = _record(state)

        def counted(target: Height) -> set[PublicKey]:
            stored = state.stored(checkpoint_votes_key(target))
            record: CheckpointVotes | None = None if stored is None else stored.record
            return set() if record is None else {vote.key for vote in record.votes}

        seed = hashlib.sha256(secret + b"finality").digest()
        votes = compose_votes(self.book, finality, counted, chain_id=self._chain_id, height=height, seed=seed)
        accused = compose_evidence(self.evidence, state, chain_id=self._chain_id, height=height, seed=seed)
        return [*votes, *accused]


def _is_of_finality(transaction: Transaction) -> bool:
    return transaction.body.kind.startswith("finality.")


def _record(state: StoreState) -> Finality:
    stored = state.stored(FINALITY_KEY)
    assert stored is not None, "a chain with attestors has a record of them"
    return stored.record
