"""Damage below the database's notice: a page that came back old, torn or empty looks like rows that were never written.

A record that is only missing from an index would make a good block look bad, and a node that condemned it would be alone with a
chain of its own. So nothing is held against a block on the word of a store that isn't whole.
"""

from typing import TypeVar

from sqlalchemy import Connection

from ledger.block import Block, Commitment, check_body_belongs
from ledger.errors import LedgerError, Malformed
from ledger.params import Params
from ledger.types import Hash
from node.store.engine import corrupt_store

Found = TypeVar("Found")

WRONG_TYPES = """SELECT slot FROM records WHERE typeof(value) <> 'blob' OR typeof(next_free) <> 'integer'
OR typeof(key) NOT IN ('blob', 'null') LIMIT 1"""


def check_whole(connection: Connection) -> None:
    """Read the whole database: pages, rows and indexes agree. Raises `store.corrupt`.

    Takes a second or so for each million records: for the rare moment before a block is condemned, which cost its maker a block's
    work. PostgreSQL keeps checksums of its pages instead.
    """
    if connection.dialect.name != "sqlite":
        return
    found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    if found != "ok":
        raise corrupt_store(connection, " ".join(str(found).split()))


def check_types(connection: Connection) -> None:
    """Records hold values of the types that were written. Raises `store.corrupt`."""
    if connection.dialect.name != "sqlite":
        return
    found = connection.exec_driver_sql(WRONG_TYPES).first()
    if found is not None:
        raise corrupt_store(connection, f"slot {found[0]} holds what was never written")


def read_commitment(connection: Connection, block: Block) -> Commitment:
    """The commitment of a block that was good when it was kept. Raises `store.corrupt`."""
    try:
        return Commitment.decode(block.commitment_bytes)
    except Malformed as fault:
        raise corrupt_store(connection, f"block {block.hash.hex()}: {fault}") from fault


def check_root(connection: Connection, root: Hash, block: Block | None) -> None:
    """The state under `root` is the one that `block` left. Raises `store.corrupt`."""
    kept = present(connection, block, "the block at a fork")
    if read_commitment(connection, kept).state_root != root:
        raise corrupt_store(connection, "what was kept to undo blocks does not lead back to the state before them")


def check_kept(connection: Connection, block: Block | None, params: Params) -> Block:
    """A block whose body was found to belong to its header before it was kept. Raises `store.corrupt`."""
    kept = present(connection, block, "the body of a kept header")
    try:
        check_body_belongs(kept, params)
    except LedgerError as fault:
        raise corrupt_store(connection, f"the body of block {kept.hash.hex()}: {fault}") from fault
    return kept


def present(connection: Connection, value: Found | None, what: str) -> Found:
    """`value`, which a whole store has. Raises `store.corrupt`."""
    if value is None:
        raise corrupt_store(connection, f"{what} is missing")
    return value
