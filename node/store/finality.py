"""What is kept of finality: certificates, what they justified, the sets of attestors, and a conflict, if there was one."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, insert, select

from ledger.codec import pack, unpack
from ledger.domains.finality.state import Justified
from ledger.errors import Malformed
from ledger.finality.attestors import AttestorSet
from ledger.finality.certificates import Certificate
from ledger.finality.votes import Checkpoint
from ledger.types import BlockHash, Height
from node.store.engine import corrupt_store
from node.store.tables import attestor_sets, certificates, justified, meta

Decoded = TypeVar("Decoded")

CONFLICT = "finality_conflict"
PINNED = "finality_pinned"


class FinalityStore:
    """Reads and writes on the writer's connection; the database transaction is the caller's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all_justified(self) -> list[tuple[Justified, bool]]:
        """Every justified checkpoint, and whether it is final, the lowest first."""
        rows = self._connection.execute(select(justified).order_by(justified.c.height))
        return [
            (Justified(Height(row.height), BlockHash(row.hash), row.set_number), bool(row.is_final)) for row in rows
        ]

    def sets(self) -> list[AttestorSet]:
        """Every set that was known."""
        rows = self._connection.execute(select(attestor_sets.c.data).order_by(attestor_sets.c.number))
        return [self._decode(AttestorSet.decode, row.data) for row in rows]

    def certificates_from(self, height: Height, limit: int) -> list[Certificate]:
        """Certificates of targets at or above `height`, the lowest first."""
        query = select(certificates.c.data).where(certificates.c.height >= height)
        rows = self._connection.execute(query.order_by(certificates.c.height, certificates.c.target).limit(limit))
        return [self._decode(Certificate.decode, row.data) for row in rows]

    def certificates_for(self, target: BlockHash) -> list[Certificate]:
        """Certificates of links to one checkpoint."""
        rows = self._connection.execute(select(certificates.c.data).where(certificates.c.target == target))
        return [self._decode(Certificate.decode, row.data) for row in rows]

    def add(self, found: Iterable[Certificate]) -> None:
        """Keep certificates."""
        for certificate in found:
            vote = certificate.vote
            self._connection.execute(
                delete(certificates).where(
                    certificates.c.target == vote.target.hash, certificates.c.source == vote.source.hash
                )
            )
            self._connection.execute(
                insert(certificates).values(
                    target=vote.target.hash,
                    source=vote.source.hash,
                    height=vote.target.height,
                    data=certificate.encode(),
                )
            )

    def put_justified(self, found: Justified, *, is_final: bool) -> None:
        """Keep a justified checkpoint, or that it is final now."""
        self._connection.execute(delete(justified).where(justified.c.hash == found.hash))
        self._connection.execute(
            insert(justified).values(
                hash=found.hash, height=found.height, set_number=found.set_number, is_final=is_final
            )
        )

    def add_sets(self, sets: Iterable[AttestorSet]) -> None:
        """Keep sets that are not here yet."""
        known = set(self.sets())
        for attestors in sets:
            if attestors not in known:
                values = {"number": attestors.number, "data": attestors.encode()}
                self._connection.execute(insert(attestor_sets).values(values))

    def forget_above(self, height: Height) -> None:
        """Forget what was justified above `height`, and its certificates."""
        self._connection.execute(delete(justified).where(justified.c.height > height))
        self._connection.execute(delete(certificates).where(certificates.c.height > height))

    def conflict(self) -> tuple[Checkpoint, Checkpoint] | None:
        """The final checkpoints of which this node could keep only one."""
        found = self._checkpoints(CONFLICT)
        return (found[0], found[1]) if found else None

    def pinned(self) -> Checkpoint | None:
        """The checkpoint that the operator trusts."""
        found = self._checkpoints(PINNED)
        return found[0] if found else None

    def put_conflict(self, *found: Checkpoint) -> None:
        """Remember a conflict; without any, it is settled."""
        self._put(CONFLICT, found)

    def put_pinned(self, found: Checkpoint) -> None:
        """Remember whom the operator trusts."""
        self._put(PINNED, (found,))

    def _put(self, name: str, found: tuple[Checkpoint, ...]) -> None:
        self._connection.execute(delete(meta).where(meta.c.name == name))
        if found:
            value = pack(tuple((checkpoint.height, checkpoint.hash) for checkpoint in found))
            self._connection.execute(insert(meta).values(name=name, value=value))

    def _checkpoints(self, name: str) -> list[Checkpoint]:
        value = self._connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()
        if value is None:
            return []
        rows: Any = self._decode(unpack, value)
        return [Checkpoint(Height(height), BlockHash(block_hash)) for height, block_hash in rows]

    def _decode(self, decode: Callable[[bytes], Decoded], data: bytes) -> Decoded:
        try:
            return decode(data)
        except (Malformed, TypeError) as fault:
            raise corrupt_store(self._connection, f"what is kept of finality: {fault}") from fault
