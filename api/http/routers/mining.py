"""Who mines here, and the public account of how they share (spec MINE-7). All of it is open to everybody."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import Services, parse_id, services_of
from api.http.openapi import answers
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.problems import RequestFault
from api.http.rendering import json_response, show_hash
from api.http.schemas.answer import EXAMPLE_HASH, ID_PATTERN
from api.http.schemas.mining import MinedBlockAnswer, MinedBlocksAnswer, MiningAnswer, MiningSharesAnswer
from ledger.errors import Code
from ledger.reward import Payee
from ledger.types import INTEGER_MAX, BlockHash, Height
from node.stratum.payout import Window
from node.stratum.pool import Pool
from node.stratum.shares import PoolBlock, Share

NO_POOL_BLOCK = Code(
    "mined_block.unknown", "no block {block} was found by this node's miners", "`GET /v1/mining/blocks` lists them."
)

BlockHashText = Annotated[
    str,
    Path(
        description="A block's hash, as it is shown.",
        examples=[EXAMPLE_HASH],
        json_schema_extra={"pattern": ID_PATTERN},
    ),
]
FirstShare = Annotated[
    int | None,
    Query(alias="from", ge=1, le=INTEGER_MAX - 1, description="The number to begin with, downwards.", examples=[61]),
]

router = APIRouter(prefix="/v1/mining", tags=["mining"])


def _pool(services: Services) -> Pool | None:
    stratum = services.node.stratum
    return None if stratum is None else stratum.pool


@router.get("", summary="The miners here, and what a block would pay them", responses=answers(MiningAnswer))
async def read_mining(request: Request) -> Response:
    """The Stratum port, who is connected, and how the next block's subsidy would be shared if it were found now."""
    services = services_of(request)
    stratum, pool = services.node.stratum, _pool(services)
    with services.reader.snapshot() as view:
        height = Height(view.tip().height + 1)
    reward = services.params.emission.subsidy(height)
    window = Window(0, 0, ()) if pool is None else await services.submissions.run(pool.window)
    payees = pool.payees(window, reward) if pool is not None and window.claims else ()
    figures = None if pool is None else pool.figures
    return json_response(
        {
            "port": None if stratum is None or not stratum.is_serving else stratum.port,
            "connections": figures.connections if figures else 0,
            "workers": figures.workers if figures else 0,
            "shares": figures.shares if figures else 0,
            "blocks": figures.blocks if figures else 0,
            "first_share": window.first,
            "last_share": window.last,
            "reward": reward,
            "claims": _show_claims(services, window, payees),
        }
    )


@router.get("/blocks", summary="The blocks that were found here", responses=answers(MinedBlocksAnswer))
async def read_blocks(request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT) -> Response:
    """Blocks that were found by the miners of this node, also those that left the chain again; the newest first."""
    page = Page("mining.blocks", (), cursor, limit, width=1)
    pool = _pool(services_of(request))
    below = INTEGER_MAX if page.position is None else page.position[0]
    rows = [] if pool is None else pool.book.blocks_below(below, page.rows_wanted)
    return json_response(page.answer(rows, lambda row: (row[0],), lambda row: _show_block(row[1])))


@router.get(
    "/blocks/{mined_block}", summary="Who was paid by one block, for which shares", responses=answers(MinedBlockAnswer)
)
async def read_block(request: Request, mined_block: BlockHashText) -> Response:
    """Which shares counted for a block, what each address had done, and what it was paid: the payees of the block on the chain."""
    services = services_of(request)
    pool, found_hash = _pool(services), BlockHash(parse_id("mined_block", mined_block)[::-1])
    found = None if pool is None else pool.shares.block(found_hash) or pool.book.block(found_hash)
    if found is None:
        raise RequestFault(NO_POOL_BLOCK, block=mined_block)
    return json_response(_show_block(found) | {"claims": _show_claims(services, found.window, found.payees)})


@router.get("/shares", summary="The shares that counted", responses=answers(MiningSharesAnswer))
async def read_shares(
    request: Request, cursor: Cursor = None, limit: Limit = PAGE_LIMIT, first: FirstShare = None
) -> Response:
    """Shares by their numbers, the newest first, or from the number `from` downwards. A share is here a second after it came."""
    services = services_of(request)
    page = Page("mining.shares", (), cursor, limit, width=1)
    newest = INTEGER_MAX if first is None else first + 1
    below = newest if page.position is None else page.position[0]
    pool = _pool(services)
    rows = [] if pool is None else pool.book.shares_below(below, page.rows_wanted)
    return json_response(page.answer(rows, lambda share: (share.number,), lambda share: _show_share(services, share)))


def _show_claims(services: Services, window: Window, payees: tuple[Payee, ...]) -> list[dict[str, Any]]:
    paid = dict(payees)
    return [
        {
            "address": services.renderer.address(claim.address),
            "shares": claim.shares,
            "weight": str(claim.weight),
            "carried": str(claim.carried),
            "claim": str(claim.total),
            "amount": paid.get(claim.address, 0),
        }
        for claim in window.claims
    ]


def _show_block(block: PoolBlock) -> dict[str, Any]:
    return {
        "height": block.height,
        "hash": show_hash(block.hash),
        "time": block.time,
        "is_active": block.is_active,
        "first_share": block.window.first,
        "last_share": block.window.last,
        "reward": sum(amount for _, amount in block.payees),
    }


def _show_share(services: Services, share: Share) -> dict[str, Any]:
    return {
        "number": share.number,
        "time": share.time,
        "address": services.renderer.address(share.address),
        "worker": share.worker or None,
        "weight": str(share.weight),
        "header": share.header.encode().hex(),
        "hash": show_hash(share.header.hash),
    }
