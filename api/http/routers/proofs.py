"""The one place where the HTTP edge asks the node for proofs; the node's lock is held while it reads the trees."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from api.http.deps import Services, parse_id
from api.http.openapi import Responses, answers_bytes, refuses
from api.http.schemas.answer import EXAMPLE_ID, ID_PATTERN
from ledger.proofs import Proof, encode_proof
from ledger.types import BlockHash, TxId
from node.chain import Chain
from node.errors import NodeError
from node.proofs import NO_TRANSACTION, make_transaction_proof

PROOF_MEDIA_TYPE: Final = "application/msgpack"
PROOF_ANSWERS: Final[Responses] = answers_bytes("The proof, to be checked offline.") | refuses(409)

Trust = Annotated[
    str | None,
    Query(
        description="The hash of a block that you know from a source of your own: the proof leads to it. Without it: to genesis.",
        examples=[EXAMPLE_ID],
        json_schema_extra={"pattern": ID_PATTERN},
    ),
]


async def answer_proof(
    services: Services, trust: str | None, make: Callable[[Chain, BlockHash | None], Proof]
) -> Response:
    """The file that `make` makes. Raises what it raises, `id.format`, `proof.no_block` and `proof.not_my_chain`."""
    known = None if trust is None else BlockHash(parse_id("trust", trust)[::-1])

    def work() -> bytes:
        with services.node.lock:
            return encode_proof(make(services.node.chain, known))

    return Response(await services.submissions.run(work), media_type=PROOF_MEDIA_TYPE)


def prove_transaction(services: Services, txid: TxId) -> Callable[[Chain, BlockHash | None], Proof]:
    """Makes the proof of a confirmed transaction, wherever it stands by then. Raises `transaction.unknown`."""

    def make(chain: Chain, trust: BlockHash | None) -> Proof:
        with services.reader.snapshot() as view:
            place = view.place_of(txid)
        if place is None:
            raise NodeError(NO_TRANSACTION, txid=txid)
        return make_transaction_proof(chain, txid, place.height, place.position, trust)

    return make
