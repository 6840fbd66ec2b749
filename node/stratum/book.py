"""The pool's book on disk: the newest shares, and the account of each block that the pool found. All its SQL is here.

Always SQLite, in `mining.sqlite` of the data folder, also where the chain is on PostgreSQL: it is the pool's, not the chain's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, Row, delete, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from ledger.codec import pack, unpack
from ledger.header import Header
from ledger.types import Address, Amount, BlockHash, Height, Timestamp, Work
from node.store.engine import explain_fault, open_engine
from node.store.migrate import migrate
from node.stratum.payout import Claim, Window
from node.stratum.shares import BLOCKS_KEPT_MAX, SHARES_KEPT_MAX, PoolBlock, Share, ShareBook
from node.stratum.tables import blocks, shares

MIGRATIONS: Final = Path(__file__).parent / "migrations"
VERSION_TABLE: Final = "mining_version"
FILE: Final = "mining.sqlite"
BLOCKS_LISTED_MAX: Final = 100_000
"""Blocks of the pool whose account is kept: two months of a pool that finds each block of a minute."""
WEIGHT_BYTES: Final = 32


class MiningBook:
    """One file. Writing is for one thread at a time; reading for any."""

    def __init__(self, folder: Path) -> None:
        """Raises `NodeError` store.*."""
        self._path = str(folder / FILE)
        self._engine: Engine = open_engine(f"sqlite:///{self._path}")
        try:
            migrate(self._engine, MIGRATIONS, VERSION_TABLE)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close the file; harmless a second time."""
        self._engine.dispose()

    # --- writing ---

    def write(self, new_shares: Sequence[Share], changed_blocks: Sequence[PoolBlock]) -> None:
        """Keep shares and blocks, and forget the oldest. Raises `NodeError` store.*; then nothing was kept."""
        try:
            with self._engine.begin() as connection:
                if new_shares:
                    connection.execute(shares.insert(), [_share_row(share) for share in new_shares])
                    connection.execute(delete(shares).where(shares.c.number <= new_shares[-1].number - SHARES_KEPT_MAX))
                for block in changed_blocks:
                    row = _block_row(block)
                    statement = insert(blocks).values(row)
                    connection.execute(statement.on_conflict_do_update(index_elements=["hash"], set_=row))
                if changed_blocks:
                    newest = select(func.max(blocks.c.number)).scalar_subquery()
                    connection.execute(delete(blocks).where(blocks.c.number <= newest - BLOCKS_LISTED_MAX))
        except DatabaseError as fault:
            raise explain_fault(fault, self._path) from fault

    # --- reading ---

    def load(self) -> ShareBook:
        """What is needed in memory: the newest shares and blocks. Raises `NodeError` store.*."""
        try:
            with self._engine.connect() as connection:
                found = connection.execute(
                    select(shares.c.address, shares.c.weight).order_by(shares.c.number.desc()).limit(SHARES_KEPT_MAX)
                ).all()
                last = connection.execute(select(func.max(shares.c.number))).scalar_one() or 0
                covered = connection.execute(select(func.max(blocks.c.last))).scalar_one() or 0
                newest = blocks.select().order_by(blocks.c.number.desc()).limit(BLOCKS_KEPT_MAX)
                known = [_read_block(row) for row in connection.execute(newest)]
        except DatabaseError as fault:
            raise explain_fault(fault, self._path) from fault
        pairs = [(Address(row.address), Work(int.from_bytes(row.weight, "big"))) for row in reversed(found)]
        return ShareBook(pairs, max(last, covered), known)

    def shares_below(self, number: int, limit: int) -> list[Share]:
        """Shares with a smaller number, the newest first."""
        with self._engine.connect() as connection:
            chosen = shares.select().where(shares.c.number < number).order_by(shares.c.number.desc()).limit(limit)
            return [_read_share(row) for row in connection.execute(chosen)]

    def blocks_below(self, number: int, limit: int) -> list[tuple[int, PoolBlock]]:
        """Blocks of the pool with their numbers, in the order in which they were found, the newest first, below `number`."""
        with self._engine.connect() as connection:
            chosen = blocks.select().where(blocks.c.number < number).order_by(blocks.c.number.desc()).limit(limit)
            return [(row.number, _read_block(row)) for row in connection.execute(chosen)]

    def block(self, block_hash: BlockHash) -> PoolBlock | None:
        """A block of the pool."""
        with self._engine.connect() as connection:
            row = connection.execute(blocks.select().where(blocks.c.hash == block_hash)).first()
            return None if row is None else _read_block(row)


def _share_row(share: Share) -> dict[str, Any]:
    return {
        "number": share.number,
        "time": share.time,
        "address": share.address,
        "worker": share.worker,
        "weight": share.weight.to_bytes(WEIGHT_BYTES, "big"),
        "header": share.header.encode(),
    }


def _read_share(row: Row[Any]) -> Share:
    weight = Work(int.from_bytes(row.weight, "big"))
    return Share(row.number, Timestamp(row.time), Address(row.address), row.worker, weight, Header.decode(row.header))


def _block_row(block: PoolBlock) -> dict[str, Any]:
    claims = tuple(
        (claim.address, claim.shares, str(claim.weight), str(claim.carried)) for claim in block.window.claims
    )
    return {
        "hash": block.hash,
        "height": block.height,
        "time": block.time,
        "first": block.window.first,
        "last": block.window.last,
        "is_active": block.is_active,
        "account": pack((claims, block.payees)),
    }


def _read_block(row: Row[Any]) -> PoolBlock:
    claims, payees = _read_account(row.account)
    return PoolBlock(
        BlockHash(row.hash),
        Height(row.height),
        Timestamp(row.time),
        Window(row.first, row.last, claims),
        payees,
        row.is_active,
    )


def _read_account(raw: bytes) -> tuple[tuple[Claim, ...], tuple[tuple[Address, Amount], ...]]:
    found: Any = unpack(raw)
    claims, payees = found
    return (
        tuple(Claim(Address(address), count, int(weight), int(carried)) for address, count, weight, carried in claims),
        tuple((Address(address), Amount(amount)) for address, amount in payees),
    )
