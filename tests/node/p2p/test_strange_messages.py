"""Messages of the right form and with any content, at any time: a node answers, blames or ignores, and goes on."""

import random

from ledger.types import BlockHash, Height, WtxId
from node.p2p import messages
from node.p2p.messages import LIMITS, Message, encode_message
from tests.simulation.quiet import Quiet

MESSAGES = 1_500


class Babble:
    """Makes messages out of real ids and random bytes."""

    def __init__(self, quiet: Quiet, rng: random.Random) -> None:
        self._node = quiet.nodes[0]
        self._rng = rng

    def _hash(self) -> BlockHash:
        height = self._rng.randrange(self._node.chain.tip.height + 1)
        real = self._node.chain.blocks.active_hash(Height(height))
        return real if real is not None and self._rng.random() < 0.7 else BlockHash(self._rng.randbytes(32))

    def _wtxid(self) -> WtxId:
        waiting = self._node.mempool.transactions()
        return (
            self._rng.choice(waiting).wtxid if waiting and self._rng.random() < 0.5 else WtxId(self._rng.randbytes(32))
        )

    def _header(self) -> bytes:
        known = self._node.chain.blocks.header(self._hash()) or self._node.chain.tip
        raw = bytearray(known.header.encode())
        if self._rng.random() < 0.5:
            raw[self._rng.randrange(80)] ^= 1 << self._rng.randrange(8)
        return bytes(raw)

    def next(self) -> Message:
        rng = self._rng
        few = range(rng.randrange(1, 5))
        raw = [rng.randbytes(rng.randrange(1, 40)) for _ in few]
        positions = tuple(rng.randrange(4) for _ in few)
        block = self._node.chain.block(self._hash())
        compact = self._node.peers.blocks._make_compact(self._hash())
        made: list[Message] = [
            messages.Ping(rng.randbytes(8)),
            messages.Pong(rng.randbytes(8)),
            messages.GetAddresses(),
            messages.Addresses(
                tuple((rng.randbytes(rng.choice((4, 16))), rng.randrange(1, 99), rng.randrange(2**32)) for _ in few)
            ),
            messages.GetHeaders(tuple(self._hash() for _ in few)),
            messages.Headers(rng.random() < 0.5, b"".join(self._header() for _ in few)),
            messages.Headers(True, b""),
            messages.GetBlocks(tuple(self._hash() for _ in few)),
            messages.BlockBody(raw[0] if block is None or rng.random() < 0.3 else block.encode()),
            messages.Missing(rng.randrange(3), tuple(self._hash() for _ in few)),
            messages.WantCompact(rng.random() < 0.5),
            messages.GetCompact(self._hash()),
            messages.CompactBlock(
                self._header(), bytes(122), raw[0], bytes(8), rng.randbytes(rng.choice((0, 6, 7))), (), ()
            ),
            messages.GetBlockTransactions(self._hash(), positions),
            messages.BlockTransactions(self._hash(), tuple(raw)),
            messages.Inventory(tuple(self._wtxid() for _ in few)),
            messages.GetTransactions(tuple(self._wtxid() for _ in few)),
            messages.Transactions(tuple(raw)),
        ]
        if compact is not None:
            made.append(compact)
        return rng.choice(made)


def test_a_node_survives_babble() -> None:
    quiet = Quiet(2)
    quiet.start((1, 0))
    node, other = quiet.nodes
    quiet.mine(node, 5)
    for number in range(4):
        node.submit(quiet.people.next(6, 20_454 + number).raw)
    rng = random.Random(5)
    babble = Babble(quiet, rng)
    puppet, puppets = quiet.puppet(node), 1
    kinds = set[int]()
    for _ in range(MESSAGES):
        message = babble.next()
        kinds.add(message.tag)
        puppet.say_bytes(encode_message(message), LIMITS[message.tag].lane)
        quiet.wait(rng.random())
        if puppet.goodbye is not None or puppet.is_lost:
            puppet, puppets = quiet.puppet(node, seed=rng.randbytes(32)), puppets + 1
            if puppets > 100:
                break
    assert len(kinds) >= 15
    assert puppets > 5, "babble is not tolerated for long"
    (block,) = quiet.mine(node)
    quiet.wait(30)
    assert node.chain.tip.hash == other.chain.tip.hash == block.hash, "among themselves all goes on"
    quiet.close()
