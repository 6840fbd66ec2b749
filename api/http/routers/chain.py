"""The chain and its blocks."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.bodies import MSGPACK
from api.http.deps import Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.problems import NO_BLOCK, PARAMETER, RequestFault
from api.http.rendering import json_response, show_hash, show_header
from api.http.schemas.chain import BlockAnswer, BlocksAnswer, ChainAnswer, ParamsAnswer
from ledger.block import Block, Commitment
from ledger.codec import pack
from ledger.params import params_to_mapping
from ledger.types import INTEGER_MAX, BlockHash, Height
from node.store.reader import BlockRow, HeaderRow, Snapshot

HEIGHT_DIGITS_MAX: Final = 10
"""A height has 32 bits; a longer text is taken for a hash."""
RAW_BYTES_MAX: Final = 4 * 2**20
"""Whole blocks in one answer: bounds the time that it may hold the event loop. A larger block comes alone."""
VARY: Final = {"Vary": "Accept"}

FirstHeight = Annotated[
    int | None,
    Query(
        alias="from",
        ge=0,
        le=2**32 - 1,
        description="The height to begin with: the list goes down from it, whole blocks go up. A cursor goes before it.",
        examples=[1_440],
    ),
]
BLOCK_PATTERN: Final = f"^([0-9]{{1,{HEIGHT_DIGITS_MAX}}}|[0-9a-fA-F]{{64}})$"

router = APIRouter(prefix="/v1", tags=["chain"])


@router.get("/chain", summary="The chain that this node follows", responses=answers(ChainAnswer))
async def read_chain(request: Request) -> Response:
    """Name, id, tip and clock of the chain, and what a wallet must know to build transactions for it."""
    services = services_of(request)
    with services.reader.snapshot() as view:
        tip = view.tip()
    params, next_height = services.params, Height(tip.height + 1)
    return json_response(
        {
            "name": params.name,
            "chain_id": services.chain_id.hex(),
            "address_prefix": params.address_prefix,
            "height": tip.height,
            "tip": show_hash(tip.hash),
            "time": tip.header.time,
            "clock": services.node.clock.now(),
            "next_height": next_height,
            "fee_rate_min": params.fee_rate_min,
            "record_deposit": params.record_deposit,
            "account_minimum": params.account_minimum,
            "validity_blocks_max": params.validity_blocks_max,
            "block_time_s": params.era_at(next_height).block_time_s,
            "kinds": sorted(name for name, height in params.activations.items() if height <= next_height),
        }
    )


@router.get("/chain/params", summary="The params of the chain", responses=answers(ParamsAnswer))
async def read_params(request: Request) -> Response:
    """The params file: all that makes this chain differ from another. The chain id follows from it, but for `upgrades`."""
    return json_response(params_to_mapping(services_of(request).params))


@router.get(
    "/blocks",
    summary="The blocks of the active chain",
    responses=answers(BlocksAnswer, other=f"With Accept: {MSGPACK}: a canonical array of whole blocks, ascending."),
)
async def read_blocks(
    request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT, first: FirstHeight = None
) -> Response:
    """Blocks, the newest first, or from the height `from` downwards. Pages go on below the height of the last one, also when new
    blocks have come.

    With `Accept: application/msgpack` the blocks' own canonical bytes, from the height `from` upwards, as an array of byte strings:
    at most `limit` of them and few megabytes at once, at least one, none above the tip. A chain is fetched by going on with the
    height after the last.
    """
    services = services_of(request)
    if accepts_msgpack(request):
        if cursor is not None:
            raise RequestFault(PARAMETER, parameter="cursor", reason="whole blocks are asked for by `from`")
        with services.reader.snapshot() as view:
            raws = view.raw_blocks(Height(first or 0), limit, RAW_BYTES_MAX)
        return Response(pack(tuple(raws)), media_type=MSGPACK, headers=VARY)
    page = Page("blocks", (), cursor, limit, width=1)
    newest = INTEGER_MAX if first is None else first + 1
    below = newest if page.position is None else page.position[0]
    with services.reader.snapshot() as view:
        rows = view.blocks_below(below, page.rows_wanted)
    return json_response(page.answer(rows, lambda row: (row.height,), _show_row))


def accepts_msgpack(request: Request) -> bool:
    """Whether the client asks for canonical bytes, by name."""
    return MSGPACK in request.headers.get("accept", "").lower()


def _show_row(row: BlockRow) -> dict[str, Any]:
    return {
        "height": row.height,
        "hash": show_hash(row.hash),
        **show_header(row.header),
        "transactions": row.transactions,
    }


@router.get(
    "/blocks/{block}",
    summary="One block",
    responses=answers(BlockAnswer, other=f"With Accept: {MSGPACK}: the block's canonical bytes."),
)
async def read_block(
    request: Request,
    block: Annotated[
        str,
        Path(
            description="A height of the active chain, or a block's hash.",
            examples=["1440"],
            max_length=64,
            json_schema_extra={"pattern": BLOCK_PATTERN},
        ),
    ],
) -> Response:
    """A block by its height in the active chain, or by its hash, also when another branch was followed."""
    services = services_of(request)
    with services.reader.snapshot() as view:
        found = _find_block(view, block)
        body = None if found is None else view.block(found.hash)
        if found is None or body is None:
            raise RequestFault(NO_BLOCK, block=block)
        if accepts_msgpack(request):
            return Response(body.encode(), media_type=MSGPACK, headers=VARY)
        return json_response(_show_block(services, view, found, body))


def _find_block(view: Snapshot, text: str) -> HeaderRow | None:
    if len(text) <= HEIGHT_DIGITS_MAX and text.isascii() and text.isdigit():
        block_hash = view.hash_at(Height(int(text)))
    else:
        block_hash = BlockHash(parse_id("block", text)[::-1])
    return None if block_hash is None else view.header(block_hash)


def _show_block(services: Services, view: Snapshot, found: HeaderRow, body: Block) -> dict[str, Any]:
    commitment = Commitment.decode(body.commitment_bytes)
    txids = view.txids_at(found.height) if found.is_active else []
    return {
        "height": found.height,
        "hash": show_hash(found.hash),
        **show_header(found.header),
        "transactions": len(body.transactions),
        "confirmations": view.tip().height - found.height + 1 if found.is_active else 0,
        "invalid_code": found.invalid_code or None,
        "bytes": len(body.encode()),
        "transaction_root": commitment.transaction_root.hex(),
        "state_root": commitment.state_root.hex(),
        "history_root": commitment.history_root.hex(),
        "payees": [
            {"address": services.renderer.address(address), "amount": amount} for address, amount in commitment.payees
        ],
        "txids": [txid.hex() for txid in txids],
    }
