"""What must hold at the end of a simulation, whatever went wrong in it (spec NET-15)."""

from collections import Counter

from sqlalchemy import Engine

from ledger.fork_choice import TieKey
from ledger.params import Params
from ledger.supply import BUCKETS, CHAIN_KEY
from ledger.transaction import decode_transaction
from ledger.types import Day, Height, TxId
from node.audit_programs import measure_programs
from node.chain import Chain
from node.clock import ManualClock
from node.store.engine import open_engine
from node.store.tables import metadata
from tests.simulation.fake_node import FakeNode
from tests.simulation.plan import Broken
from tests.support.memory_chain import DAY_SECONDS

LAST_MOMENT = 2**31
IN_CHAIN, WAITING = "in the chain", "waiting"
Fates = Counter[str]
"""How many of the transactions that ever stood in a block of any node ended how: in the chain, waiting, or gone, with the code."""


def judge_nodes(nodes: list[FakeNode], params: Params) -> Fates:
    """Hold all nodes against each other and their chain against its own rules. Raises `Broken`."""
    first = nodes[0]
    if len({node.chain.tip.hash for node in nodes}) != 1:
        raise Broken("the nodes have several tips")
    if len({node.chain.state_root for node in nodes}) != 1:
        raise Broken("one tip and several state roots")
    final = replay_chain(first, params)
    committed: dict[TxId, str] = {}
    for node in nodes:
        for txid in node.seen:
            committed.setdefault(txid, _find_fate(node, txid, final))
    return Fates(Counter(committed.values()))


def _find_fate(node: FakeNode, txid: TxId, final: dict[TxId, None]) -> str:
    """What became of a transaction that this node once had in its chain: there, waiting, or gone for a reason that it tells."""
    if txid in final:
        return IN_CHAIN
    if node.mempool.get(txid) is not None:
        return WAITING
    dropped = node.mempool.dropped(txid)
    if dropped is None:
        raise Broken(f"{node.name} lost {txid.hex()} and does not say why")
    return dropped.code


def replay_chain(node: FakeNode, params: Params) -> dict[TxId, None]:
    """Do the chain again from genesis on a new disk; its transactions. Every block asserts the invariants."""
    engine = open_engine("sqlite://")
    metadata.create_all(engine)
    chain = Chain(engine, params, ManualClock(LAST_MOMENT), TieKey(bytes(32)))
    found: dict[TxId, None] = {}
    try:
        with chain.syncing():
            for height in range(1, node.chain.tip.height + 1):
                block = node.chain.block_at(Height(height))
                if block is None:
                    raise Broken(f"{node.name} lacks its block {height}")
                chain.accept_block(block)
                for raw in block.transactions:
                    found[decode_transaction(raw, chain.chain_id).txid] = None
        if chain.state_root != node.chain.state_root:
            raise Broken("a replay from genesis gives another root")
        _check_coin(chain, params)
        _check_points(engine, chain)
    finally:
        chain.close()
        engine.dispose()
    return found


def _check_coin(chain: Chain, params: Params) -> None:
    """Coin that exists is what was emitted."""
    stored = chain.state.stored(CHAIN_KEY)
    if stored is None:
        raise Broken("the chain record is gone")
    record = stored.record
    emission = params.emission
    emitted = params.allocated + sum(emission.subsidy(Height(height)) for height in range(1, chain.tip.height + 1))
    if record.emitted != emitted or sum(getattr(record, bucket) for bucket in BUCKETS) != emitted:
        raise Broken(f"coin is not conserved: {record}, emitted {emitted}")


def _check_points(engine: Engine, chain: Chain) -> None:
    """The points of each program, counted in every lot and hold, are those of its books, and these add up."""
    day = Day(chain.tip.header.time // DAY_SECONDS)
    with engine.connect() as connection:
        for position in measure_programs(connection, lambda _: day):
            for fault in position.faults():
                raise Broken(f"points are not conserved: {fault}")
