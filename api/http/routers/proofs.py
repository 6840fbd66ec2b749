"""The one place where the HTTP edge asks the node for proofs; the node's lock is held while it reads the trees."""

from typing import Final

from ledger.errors import RuleViolation
from ledger.proofs import encode_proof
from ledger.types import RecordKey, TxId
from node.node import Node
from node.proofs import NO_TRANSACTION, make_record_proof, make_transaction_proof
from node.store.reader import Reader

PROOF_MEDIA_TYPE: Final = "application/msgpack"


def transaction_proof(node: Node, reader: Reader, txid: TxId) -> bytes:
    """The file that proves a confirmed transaction offline. Raises `transaction.unknown`."""
    with node.lock:
        with reader.snapshot() as view:
            place = view.place_of(txid)
        if place is None:
            raise RuleViolation(NO_TRANSACTION, txid=txid)
        return encode_proof(make_transaction_proof(node.chain, txid, place.height, place.position))


def record_proof(node: Node, key: RecordKey) -> bytes:
    """The file that proves a record of the latest state offline. Raises `proof.no_record`."""
    with node.lock:
        return encode_proof(make_record_proof(node.chain, key))
