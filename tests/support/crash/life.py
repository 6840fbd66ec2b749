"""The blocks that a killed node takes in: a shop's life on two branches that overtake each other, and a bad block between them."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.block import Block
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.errors import BlockViolation
from ledger.params import Params
from ledger.types import Amount, BlockHash, Hash
from node.chain import TipChanged
from node.clock import ManualClock
from node.node import Node, NodeConfig
from node.store.engine import open_engine
from node.store.migrate import migrate
from tests.node.forged_blocks import forge
from tests.node.lives import live
from tests.node.stored_chain import TIE_KEY, StoredShop
from tests.support.memory_chain import GENESIS_TIME, sim_params
from tests.support.shop import FAN, FRIEND, FUNDED, OWNER

PARAMS: Params = sim_params(*(signer.address for signer in FUNDED))
END_OF_TIME = GENESIS_TIME + 10**8
STORE_FILE = "chain.sqlite"


def open_node(folder: Path, url: str | None = None) -> Node:
    """The node that is killed, and the one that finds what is left: no two decide a tie differently. `url` None: a file there."""
    return Node(NodeConfig(folder, PARAMS, url), ManualClock(END_OF_TIME), lambda count: TIE_KEY[:count])


@dataclass(frozen=True)
class Life:
    """Blocks in the order in which they arrive, and what a store holds after so many of them."""

    blocks: tuple[Block, ...]
    tips: tuple[BlockHash, ...]
    digests: tuple[str, ...]
    reorganising: frozenset[int]
    """Numbers of the blocks with which the active chain moves to another branch."""

    def blocks_of(self, digest: str) -> int | None:
        """After how many blocks a store looks like this; None: never."""
        return self.digests.index(digest) if digest in self.digests else None


def make_life(folder: Path, *, scale: int = 1) -> Life:
    """Build the blocks, and take them in once without being disturbed."""
    first = StoredShop(folder / "first.sqlite", params=PARAMS)
    live(first, scale)
    blocks = list(first.chain.blocks)
    blocks.append(forge(_next(first), commitment={"state_root": Hash(bytes(32))}))
    second = first.fork(folder / "second.sqlite", below=5)
    blocks += _grow(second, 8)
    blocks += _grow(first, 7)
    blocks += _grow(second, 6)
    for shop in (first, second):
        shop.close()
    return _take_undisturbed(folder / "undisturbed", blocks)


def _next(shop: StoredShop) -> Block:
    transfer = shop.chain.sign("transfer", Transfer(ToAccount(FRIEND.address), Amount(9_000)), author=OWNER)
    return shop.store.build(transfer)


def _grow(shop: StoredShop, count: int) -> list[Block]:
    """So many more blocks: transfers, a campaign that fails, a pledge to it, days that pass."""
    before = len(shop.chain.blocks)
    campaign = shop.create_campaign(goal=10**9, days=1)
    shop.pledge(FAN, campaign, 5_000)
    shop.chain.advance(days=2)
    while len(shop.chain.blocks) < before + count:
        amount = 5_000 + len(shop.chain.blocks)
        shop.chain.send("transfer", Transfer(ToAccount(FRIEND.address), Amount(amount)), author=FAN)
    return shop.chain.blocks[before:]


def _take_undisturbed(folder: Path, blocks: Sequence[Block]) -> Life:
    node = open_node(folder)
    switches: list[TipChanged] = []
    node.chain.subscribe(switches.append)
    tips, digests, reorganising = [node.chain.tip.hash], [digest_of(folder)], set[int]()
    for number, block in enumerate(blocks):
        take(node, block)
        if switches and switches[-1].disconnected:
            reorganising.add(number)
        switches.clear()
        tips.append(node.chain.tip.hash)
        digests.append(digest_of(folder))
    node.close()
    assert len(set(digests)) == len(digests), "each block leaves a trace"
    assert len(reorganising) >= 3, "the branches overtake each other"
    return Life(tuple(blocks), tuple(tips), tuple(digests), frozenset(reorganising))


def take(node: Node, block: Block) -> None:
    """Take a block in, or find it bad: both are remembered."""
    try:
        node.chain.accept_block(block)
    except BlockViolation as fault:
        if fault.code.name not in ("block.wrong_root", "block.known_invalid"):
            raise


def digest_of(folder: Path) -> str:
    """A hash of every row of every table of a store in a file."""
    with closing(sqlite3.connect(folder / STORE_FILE)) as connection:
        connection.execute("PRAGMA query_only=ON")
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return digest_rows({name: connection.execute(f'SELECT * FROM "{name}"') for name in names})


def digest_rows(tables: Mapping[str, Iterable[Sequence[Any]]]) -> str:
    """A hash of the rows of each table, in whatever order they come: the same for the same rows on every database."""
    found = sha256()
    for name, rows in sorted(tables.items()):
        found.update(f"\n{name}\n".encode())
        for row in sorted(repr(tuple(row)) for row in rows):
            found.update(row.encode())
    return found.hexdigest()


def make_tables(folder: Path) -> None:
    """A store that has its tables and no genesis yet."""
    folder.mkdir(parents=True)
    engine = open_engine(f"sqlite:///{folder / STORE_FILE}")
    migrate(engine)
    engine.dispose()


def write_blocks(path: Path, blocks: Sequence[Block]) -> None:
    """Keep blocks in a file for another process."""
    with path.open("wb") as file:
        for block in blocks:
            data = block.encode()
            file.write(len(data).to_bytes(4, "big") + data)


def read_blocks(path: Path) -> list[Block]:
    """The blocks that `write_blocks` kept."""
    data, found, place = path.read_bytes(), list[Block](), 0
    while place < len(data):
        end = place + 4 + int.from_bytes(data[place : place + 4], "big")
        found.append(Block.decode(data[place + 4 : end]))
        place = end
    return found
