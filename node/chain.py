"""The chain: the only writer. Connects blocks, takes them back, and follows the branch with the most work.

One database transaction holds everything that a step changes: blocks, records, undo, read model; while many blocks come in a row,
it holds many steps. The trees in memory follow it and are rebuilt from it when a step fails half-way. Listeners hear of a new tip
after it was committed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from ledger.block import (
    BODY_MISMATCH,
    COMMITTED_WRONG,
    WRONG_RESULTS,
    WRONG_ROOT,
    WRONG_SLOT_COUNT,
    Block,
    Commitment,
    check_body_belongs,
)
from ledger.difficulty import DifficultyState
from ledger.errors import BlockViolation, LedgerError, Malformed, RuleViolation, Violation
from ledger.finality.certificates import Certificate
from ledger.finality.votes import Checkpoint, SignedVote
from ledger.fork_choice import TieKey, is_better, order
from ledger.genesis import Genesis, make_genesis
from ledger.header_chain import check_header
from ledger.merkle import IncrementalTree
from ledger.params import Params
from ledger.pow import target_from_compact, work_of
from ledger.transaction import Transaction, decode_transaction, read_identity
from ledger.transition import BlockExecution, Transition
from ledger.types import BlockHash, ChainId, Height, Timestamp, Work
from node.assembly import assemble_block, choose_valid, root_of
from node.chain_reading import ChainReading
from node.clock import Clock
from node.collector import paused_collector
from node.decoding import NOTHING_AHEAD, Ahead, decode_transactions, read_kept
from node.errors import NodeError
from node.finality.keeper import FinalityKeeper, Learned
from node.listeners import Listeners
from node.missed import find_missed_change
from node.reach import Reach
from node.refusals import BAD_TRANSACTION, KNOWN_INVALID, TOO_EARLY, UNKNOWN_PARENT
from node.signatures import SignatureVerifier
from node.store.beginning import Beginning, write_beginning, write_genesis
from node.store.blocks import BlockStore, KnownHeader
from node.store.damage import check_kept, check_root, check_whole, present, read_commitment
from node.store.engine import LOADED, OTHER_CHAIN, corrupt_store, describe_store, explain_fault
from node.store.extent import Extent, prune, read_extent
from node.store.index import Index
from node.store.prefetch import keys_read
from node.store.state import StateTree, StoreState
from node.tip import AcceptedBlock, ChangedBlocks, ConnectedBlock, PayeesOf, Template, TipChanged
from node.window import TransactionWindow

SYNC_TRANSACTIONS = 20_000
"""Transactions of one commit while many blocks come in a row; their undo and rows stay in memory until then."""
SYNC_BLOCKS = 500


class Chain(ChainReading):
    """The active chain over one store. Not thread-safe: its owner holds a lock around every call. Others only read `blocks`."""

    def __init__(
        self,
        engine: Engine,
        params: Params,
        clock: Clock,
        tie_key: TieKey,
        keep_blocks: int | None = None,
        trusted: Checkpoint | None = None,
    ) -> None:
        """`keep_blocks`: how many blocks it can take back; what only leads further back is deleted. None: all are kept."""
        self.params = params
        self._keep_blocks = keep_blocks
        self._clock = clock
        self._tie_key = tie_key
        self._path = describe_store(engine.url)
        self._verifier = SignatureVerifier()
        self.listeners = Listeners()
        self._is_syncing = False
        self._uncommitted: list[ConnectedBlock] = []
        genesis = make_genesis(params)
        self.chain_id: ChainId = genesis.chain_id
        try:
            self._connection = engine.connect()
        except DatabaseError as fault:
            raise explain_fault(fault, self._path) from fault
        try:
            self.blocks = self._blocks = BlockStore(self._connection)
            self.reach = Reach(self._blocks)
            self.state = StoreState(self._connection)
            self._index = Index(self._connection)
            self.finality = FinalityKeeper(
                self._connection, self._blocks, params=params, chain_id=self.chain_id, trusted=trusted
            )
            self._open(genesis)
        except DatabaseError as fault:
            self._connection.close()
            raise explain_fault(fault, self._path) from fault
        except BaseException:
            self._connection.close()
            raise

    # --- opening ---

    def _open(self, genesis: Genesis) -> None:
        tip = self._blocks.tip()
        if tip is None:
            write_genesis(self._blocks, self.state, genesis)
            self._connection.commit()
        first = self._blocks.active_hash(Height(0))
        if first != genesis.chain_id:
            raise NodeError(OTHER_CHAIN, found=first, expected=genesis.chain_id)
        self._load()
        self._told = self.tip
        self._follow_best()

    def _load(self) -> None:
        """Rebuild what is kept in memory from the store. Raises `store.corrupt` where it is not what the tip commits to."""
        self._is_stale = True
        self._uncommitted = []
        tip = self._blocks.tip()
        block = None if tip is None else self._blocks.body(tip.hash)
        if tip is None or block is None:
            raise corrupt_store(self._connection, "the last block is missing")
        self.tip = tip
        self.extent: Extent = read_extent(self._connection)
        self.state.forget()
        self.state_tree = StateTree()
        self.state_tree.rebuild(self._connection)
        leaves = [known.history_leaf for known in self._blocks.active_headers()]
        self._history = IncrementalTree(leaves[:-1])
        commitment = read_commitment(self._connection, block)
        if self.state_tree.root() != commitment.state_root or self._history.root() != commitment.history_root:
            raise corrupt_store(self._connection, "its records or headers are not those that the last block commits to")
        self._history.extend([tip.history_leaf])
        self._window = TransactionWindow(self.params.validity_blocks_max)
        first = Height(max(tip.height - self.params.validity_blocks_max, 1))
        for height, kept in enumerate(self._blocks.active_blocks(first), start=first):
            self._window.extend(Height(height), read_kept(self._connection, kept, read_identity))
        self._connection.info[LOADED] = True
        if self.finality.is_active:
            self.finality.load(self.state)
            self._connection.commit()
        self._connection.rollback()
        self._is_stale, self._may_have_missed = False, True

    def _refresh(self) -> None:
        """After a fault, or where the database session is another one: load again, and tell what was not told."""
        if self._is_stale or LOADED not in self._connection.info:
            self._load()
        if self._may_have_missed and self._told.hash != self.tip.hash:
            self._tell(find_missed_change(self._blocks, self._told, self.tip, self._read_transactions))
        self._may_have_missed = False

    def _tell(self, changed: TipChanged) -> None:
        self._told = self.tip
        self.listeners.announce(changed)

    def _recover(self) -> None:
        """After a fault of this machine: back to what is committed; where even that can't be read, try again at the next call."""
        self._is_stale = True
        with suppress(DatabaseError, NodeError):
            self._connection.rollback()
            self._connection.connection.rollback()  # SQLAlchemy itself sends none after a commit that failed
            self._load()

    # --- building ---

    def build_template(self, transactions: Iterable[Transaction], payees_of: PayeesOf, time: Timestamp) -> Template:
        """A block on the tip with as many of `transactions` as are valid and fit, in their order. Raises `NodeError`."""
        try:
            with paused_collector():
                self._refresh()
                return self._build(transactions, payees_of, time)
        except DatabaseError as fault:
            self._recover()
            raise explain_fault(fault, self._path) from fault

    def _build(self, transactions: Iterable[Transaction], payees_of: PayeesOf, time: Timestamp) -> Template:
        context = self.next_context()
        execution = BlockExecution(self.state, context, self.window)
        own = self.finality.transactions_for(self.state, context.height, self._tie_key)
        kept, dropped = choose_valid(execution, (*own, *transactions))
        reward = execution.reward
        payees = payees_of(reward)
        transition = execution.finish(payees)
        state_root = self.state_tree.preview(transition)
        commitment = Commitment(
            chain_id=self.chain_id,
            height=context.height,
            transaction_root=root_of(kept, transition.codes),
            state_root=state_root,
            history_root=self._history.root(),
            transaction_count=len(kept),
            slot_count=transition.slot_count,
            payees=payees,
        )
        block = assemble_block(self.params, self.tip, commitment, kept, transition.codes, reward=reward, time=time)
        return Template(
            block,
            target_from_compact(block.header.bits),
            context.height,
            reward,
            tuple(pair for pair in dropped if pair[0] not in own),
        )

    # --- accepting ---

    @contextmanager
    def syncing(self) -> Iterator[None]:
        """Within: blocks that extend the tip are committed many at a time; all that was accepted is safe when this ends.

        A fault of the database takes back what was not committed yet: `tip` says where to go on. Raises `NodeError` at the end.
        """
        self._is_syncing = True
        try:
            yield
        finally:
            self._is_syncing = False
            try:
                self._commit()
            except DatabaseError as fault:
                self._recover()
                raise explain_fault(fault, self._path) from fault

    def accept_block(self, block: Block, ahead: Ahead = NOTHING_AHEAD) -> AcceptedBlock:
        """Check a block, keep it, and follow it if its branch has the most work. `ahead`: what was done for it already.

        Raises `HeaderViolation`, `BlockViolation` or `Malformed`; `block.unknown_parent`, `block.too_early` and
        `block.body_mismatch` say nothing against the block itself. Database faults become `NodeError`; nothing is half-written.
        """
        self.finality.check()
        try:
            with paused_collector():
                self._refresh()
                try:
                    return self._accept(block, ahead)
                except (Malformed, Violation):
                    self._commit()
                    raise
        except (Malformed, Violation):
            raise
        except DatabaseError as fault:
            self._recover()
            raise explain_fault(fault, self._path) from fault
        except BaseException:
            # A damaged store, a broken invariant or an interrupt: memory may be ahead of what is committed.
            self._recover()
            raise

    def _commit(self) -> None:
        """Make what was connected safe and tell the listeners; where nothing was, end what was only read."""
        if not self._uncommitted:
            self._connection.rollback()
            return
        changed = TipChanged(tuple(self._uncommitted), ())
        self._prune()
        self._connection.commit()
        self._uncommitted = []
        self._tell(changed)

    def _accept(self, block: Block, ahead: Ahead) -> AcceptedBlock:
        block_hash = block.hash
        earlier = self._blocks.header(block_hash)
        if earlier is not None:
            if earlier.invalid_code:
                raise BlockViolation(KNOWN_INVALID, reason=earlier.invalid_code)
            return AcceptedBlock(block_hash, is_new=False, is_tip=block_hash == self.tip.hash)
        known = self._check_header(block)
        try:
            check_body_belongs(block, self.params)
        except (Malformed, BlockViolation) as fault:
            if fault.code is not BODY_MISMATCH:
                self._remember_invalid(block, known, fault)
            raise
        if block.header.previous == self.tip.hash:
            return self._extend(block, known, ahead)
        self._commit()
        is_best = is_better(self.finality.branch(known), self.finality.branch(self.tip), self._tie_key)
        if is_best and self.reach.includes(self.extent, known, block.header.previous):
            self._tell(self._reorganise(known, block))
            return AcceptedBlock(known.hash, is_new=True, is_tip=True)
        self._blocks.add(known, block.encode())
        self.finality.note_side(block.transactions)
        self._connection.commit()
        self._follow_best()
        return AcceptedBlock(known.hash, is_new=True, is_tip=self.tip.hash == known.hash)

    def _follow_best(self) -> None:
        """After votes or a certificate: go over to the branch that they put in front, as far as its blocks are valid."""
        while tips := self._better_tips():
            best = min(tips, key=lambda known: order(self.finality.branch(known), self._tie_key))
            if not is_better(self.finality.branch(best), self.finality.branch(self.tip), self._tie_key):
                return
            self._commit()
            try:
                self._tell(self._reorganise(best))
                return
            except (Malformed, BlockViolation):
                continue

    def _better_tips(self) -> list[KnownHeader]:
        tips = self.finality.better_tips()
        return [known for known in tips if self.reach.includes(self.extent, known, known.header.previous)]

    def take_vote(self, signed: SignedVote) -> Learned:
        """An attestor's vote that came by itself. Raises what is wrong with it, and `NodeError`."""
        return self._learn(lambda: self.finality.take_vote(signed))

    def take_certificate(self, certificate: Certificate) -> Learned:
        """A certificate that came by itself; it may lead to another branch. Raises what is wrong with it, and `NodeError`."""
        return self._learn(lambda: self.finality.take_certificate(certificate))

    def _learn(self, take: Callable[[], Learned]) -> Learned:
        try:
            self._refresh()
            self._commit()
            learned = take()
            self._connection.commit()
            self._follow_best()
            return learned
        except DatabaseError as fault:
            self._recover()
            raise explain_fault(fault, self._path) from fault

    def _check_header(self, block: Block) -> KnownHeader:
        header = block.header
        parent = self.tip if header.previous == self.tip.hash else self._blocks.header(header.previous)
        if parent is None:
            raise BlockViolation(UNKNOWN_PARENT, parent=header.previous)
        if parent.invalid_code:
            raise BlockViolation(KNOWN_INVALID, reason=parent.invalid_code)
        state: DifficultyState = check_header(self.params.difficulty_eras, parent.difficulty, parent.hash, header)
        ahead, maximum = header.time - self._clock.now(), self.params.future_limit_seconds(state.height)
        if ahead > maximum:
            raise BlockViolation(TOO_EARLY, time=header.time, ahead=ahead, maximum=maximum)
        work = Work(parent.work + work_of(target_from_compact(header.bits)))
        known = KnownHeader(block.hash, header, state, work, "")
        self.finality.check_header(known)
        return known

    def _extend(self, block: Block, known: KnownHeader, ahead: Ahead) -> AcceptedBlock:
        try:
            connected = self._connect(block, known, ahead)
        except (Malformed, BlockViolation) as fault:
            check_whole(self._connection)
            self._remember_invalid(block, known, fault)
            raise
        self._blocks.add(known, block.encode())
        self._uncommitted.append(connected)
        waiting = sum(len(kept.transactions) for kept in self._uncommitted)
        if not self._is_syncing or waiting >= SYNC_TRANSACTIONS or len(self._uncommitted) >= SYNC_BLOCKS:
            self._commit()
        self._follow_best()
        return AcceptedBlock(known.hash, is_new=True, is_tip=self.tip.hash == known.hash)

    def _remember_invalid(self, block: Block, known: KnownHeader, fault: LedgerError) -> None:
        """A block with good work and a bad body is kept as invalid, so that it is not checked again."""
        self._commit()
        invalid = KnownHeader(known.hash, known.header, known.difficulty, known.work, fault.code.name)
        self._blocks.add(invalid, block.encode())
        self._connection.commit()

    def _reorganise(self, known: KnownHeader, block: Block | None = None) -> TipChanged:
        """Take back blocks down to the fork and connect the better branch, in one database transaction. `block`: it is new."""
        if block is not None:
            self._blocks.add(known, block.encode())
        fork, *branch = self._blocks.branch_of(known)
        disconnected, connected = ChangedBlocks(self._read_transactions), ChangedBlocks(self._read_transactions)
        at = known
        try:
            while self.tip.height > fork.height:
                disconnected.add(self._disconnect())
            check_root(self._connection, self.state_root, self._blocks.body(fork.hash))
            for at in branch:
                kept = check_kept(self._connection, self._blocks.body(at.hash), self.params)
                connected.add(self._connect(kept, at, NOTHING_AHEAD))
        except (Malformed, BlockViolation) as fault:
            self._connection.rollback()
            check_whole(self._connection)
            self._load()
            if block is not None:
                self._blocks.add(known, block.encode())
            self._blocks.condemn(at.hash, fault.code.name)
            self._connection.commit()
            if at is known:
                raise
            raise BlockViolation(KNOWN_INVALID, reason=fault.code.name) from fault
        self._prune()
        self._connection.commit()
        return TipChanged(connected.blocks, disconnected.blocks)

    def _prune(self) -> None:
        self.extent = prune(self._connection, self.extent, self.tip.height, self._keep_blocks, self.params)

    def _read_transactions(self, block_hash: BlockHash) -> tuple[Transaction, ...]:
        """The transactions of a block that is or was active."""
        block = present(self._connection, self._blocks.body(block_hash), "a block that was active")
        return tuple(read_kept(self._connection, block, lambda raw: decode_transaction(raw, self.chain_id)))

    def _disconnect(self) -> ConnectedBlock:
        gone = self.tip
        transactions = self._read_transactions(gone.hash)
        parent = present(self._connection, self._blocks.header(gone.header.previous), "the last block's parent")
        undo = self._blocks.deactivate(gone.height)
        self.state.take_back(undo)
        self.state_tree.take_back(undo)
        self._index.take_back(gone.height)
        self._history.truncate(gone.height)
        self.tip = parent
        returning = self._window.take_back(gone.height)
        older = None if returning is None else self.block_at(returning)
        if returning is not None and older is not None:
            self._window.restore(returning, read_kept(self._connection, older, read_identity))
        return ConnectedBlock(gone.hash, gone.height, transactions)

    def _connect(self, block: Block, known: KnownHeader, ahead: Ahead) -> ConnectedBlock:
        """Apply a block to the tip that is its parent. Changes nothing in memory if it raises."""
        commitment = Commitment.decode(block.commitment_bytes)
        height = known.height
        if commitment.chain_id != self.chain_id or commitment.height != height:
            raise BlockViolation(COMMITTED_WRONG, what="chain id or height")
        if commitment.history_root != self._history.root():
            raise BlockViolation(WRONG_ROOT, name="history")
        transactions = decode_transactions(block, self.chain_id) if ahead.transactions is None else ahead.transactions
        bad = None if ahead.are_signed else self._verifier.first_bad_transaction(transactions, self.chain_id)
        if bad is not None:
            raise BlockViolation(BAD_TRANSACTION, position=bad, reason="witness.signature")
        self.state.prefetch(keys_read(transactions))
        transition = self._execute(transactions, commitment)
        if block.results != transition.codes:
            raise BlockViolation(WRONG_RESULTS)
        if commitment.slot_count != transition.slot_count:
            raise BlockViolation(WRONG_SLOT_COUNT, found=commitment.slot_count, expected=transition.slot_count)
        if commitment.state_root != self.state_tree.apply(transition):
            self.state_tree.take_back(transition.undo)
            raise BlockViolation(WRONG_ROOT, name="state")
        self.state.write(transition)
        self._index.write(height, transactions, transition.events)
        self._blocks.activate(known, transition.undo)
        self._history.extend([known.history_leaf])
        self._window.extend(height, transactions)
        self.tip = known
        self.finality.note_connected(known, transactions, self.state)
        return ConnectedBlock(known.hash, height, tuple(transactions))

    def _execute(self, transactions: Sequence[Transaction], commitment: Commitment) -> Transition:
        execution = BlockExecution(self.state, self.next_context(), self.window)
        for position, transaction in enumerate(transactions):
            try:
                execution.add(transaction)
            except RuleViolation as fault:
                raise BlockViolation(BAD_TRANSACTION, position=position, reason=str(fault)) from fault
        return execution.finish(commitment.payees)

    # --- other changes of the store ---

    def change_store(self, change: Callable[[Connection], Extent]) -> None:
        """Let `change` write what is neither a block nor its taking back, and say what the store holds then. Raises `NodeError`."""
        try:
            self._refresh()
            extent = change(self._connection)
            self._connection.commit()
            self.extent = extent
        except DatabaseError as fault:
            self._recover()
            raise explain_fault(fault, self._path) from fault
        except BaseException:
            self._recover()
            raise

    def begin_with(self, beginning: Beginning) -> None:
        """Go on from a snapshot instead of from genesis, after which nothing came yet. Raises `snapshot.unusable`."""
        assert self.tip.height == 0, "only an empty chain begins with a snapshot"

        def begin(connection: Connection) -> Extent:
            extent = write_beginning(connection, beginning)
            self.state.forget()
            self.finality.begin(self.state)
            return extent

        self.change_store(begin)
        self._is_stale = True
        self._told = beginning.tip
        self._refresh()
        self._tell(TipChanged((ConnectedBlock(self.tip.hash, self.tip.height, ()),), ()))

    def close(self) -> None:
        """Close the store; what was committed is safe."""
        self._verifier.close()
        with suppress(DatabaseError):  # a server that is gone has ended what was not committed
            self._connection.rollback()
        self._connection.close()
