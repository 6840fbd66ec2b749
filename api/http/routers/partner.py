"""Partners: what a fan has granted to somebody, and nothing else. Each request is signed by the partner's key."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.http.deps import IdText, program_test
from api.http.openapi import SIGNED, answers, refuses
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.partner_reads import CAMPAIGNS, HISTORY, RECEIPTS, STANDING, PartnerRead, admit
from api.http.rendering import json_response
from api.http.schemas.answer import ADDRESS_PATTERN, EXAMPLE_ADDRESS
from api.http.schemas.partner import PartnerCampaigns, PartnerHistory, PartnerReceipts, PartnerStanding
from api.http.standing import show_pledge, show_standing
from api.receipts.store import KeptReceipt
from api.words import show_time
from ledger.domains.crowdfunding.state import Campaign, campaign_key
from ledger.domains.crowdfunding.terms import PointsUnit
from ledger.domains.loyalty.state import Member, Program, member_key, program_key
from ledger.types import CampaignId
from node.store.reader import HistoryRow, ListedRow, Position, Snapshot

SCANNED_MAX: Final = 2_000
"""Rows of a history or a list that one request looks through for those of its program."""
ROWS_READ: Final = 200
"""Of these, so many at a time."""
EVENTS_SHARED: Final = frozenset(
    {
        "member.joined",
        "member.left",
        "points.earned",
        "points.adjusted",
        "redeem.opened",
        "redeem.fulfilled",
        "redeem.refunded",
        "redeem.released",
    }
)
"""Of a history. Others name third accounts, tills or receipts, or belong to another scope; a new event is not shared by itself."""
STANDING_FIELDS: Final = ("joined_at", "left_at", "tier", "pending", "available", "held")

Item = TypeVar("Item")
MemberText = Annotated[
    str,
    Path(
        description="The member's address.",
        examples=[EXAMPLE_ADDRESS],
        json_schema_extra={"pattern": ADDRESS_PATTERN},
    ),
]
PREFIX: Final = "/v1/partner/programs/{program}/members/{member}"
REFUSALS: Final = refuses(403)

router = APIRouter(prefix=PREFIX, tags=["partner"])


@router.get(
    "/standing",
    summary="A member's standing, for a partner",
    responses=answers(PartnerStanding) | REFUSALS,
    openapi_extra=SIGNED,
)
async def read_standing(request: Request, program: IdText, member: MemberText) -> Response:
    """Since when somebody is a member, its tier and its points, at the chain's time. Needs consent to share `standing`."""
    read = await admit(request, program, member, STANDING)
    with read.services.reader.snapshot() as view:
        found: Member = view.record(member_key(read.program, read.member))
        of_program: Program = view.record(program_key(read.program))
        held = sum(hold.points for _, hold in view.open_holds(read.member) if hold.program == read.program)
        now = view.tip().header.time
        standing = show_standing(view, read.program, of_program, found, now, held)
    await read.log(1)
    return json_response(
        {
            "program": read.program.hex(),
            "member": read.services.renderer.address(read.member),
            **{name: standing[name] for name in STANDING_FIELDS},
            "consent": read.show_consent(),
        }
    )


@router.get(
    "/history",
    summary="A member's entries, for a partner",
    responses=answers(PartnerHistory) | REFUSALS,
    openapi_extra=SIGNED,
)
async def read_history(
    request: Request, program: IdText, member: MemberText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Points that came and went, and rewards, of this program alone. Needs the fan's consent to share `history`.

    A page may hold fewer items than asked for and still have a next one.
    """
    read = await admit(request, program, member, HISTORY)
    page = _page(read, cursor, limit, width=2)
    with read.services.reader.snapshot() as view:
        is_program = program_test(view)
        rows, left_at = _scan(_events(view, read, page.place), page.limit, lambda row: (row.height, row.sequence))
        items = [_show_event(read, row, is_program) for row in rows]
    return await _answer(read, page, items, left_at)


def _events(
    view: Snapshot, read: PartnerRead, before: Position | None
) -> Iterator[tuple[HistoryRow, HistoryRow | None]]:
    """Rows of the fan's history, the newest first, each with itself where it is of this program and shared."""
    place = before
    for _ in range(SCANNED_MAX // ROWS_READ):
        rows = view.history(read.member, place, ROWS_READ)
        for row in rows:
            is_shared = row.event.name in EVENTS_SHARED and getattr(row.event, "program", None) == read.program
            yield row, row if is_shared else None
        if len(rows) < ROWS_READ:
            return
        place = (rows[-1].height, rows[-1].sequence)


def _show_event(read: PartnerRead, row: HistoryRow, is_program: Callable[[bytes], bool]) -> dict[str, Any]:
    return {
        "height": row.height,
        "sequence": row.sequence,
        "time": row.time,
        "date": show_time(row.time),
        **read.services.renderer.event(row.event, is_program),
    }


@router.get(
    "/receipts",
    summary="A member's purchases, for a partner",
    responses=answers(PartnerReceipts) | REFUSALS,
    openapi_extra=SIGNED,
)
async def read_receipts(
    request: Request, program: IdText, member: MemberText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Purchases with their lines, as far as this node keeps them. Needs the fan's consent to share `receipts`.

    What the fan marked as a gift is left out, unless it consented to share `gifts` by that name, too. Salt and signature stay here:
    what a partner is told, it can prove to nobody.
    """
    read = await admit(request, program, member, RECEIPTS)
    page = _page(read, cursor, limit, width=1)
    before = None if page.position is None else page.position[0]
    rows = await read.services.receipts.run(
        lambda store: store.page(
            read.member,
            program=read.program,
            period=None,
            before=before,
            limit=page.rows_wanted,
            with_gifts=read.with_gifts,
        )
    )
    answer = page.answer(rows, lambda row: (row.number,), show_receipt)
    await read.log(len(answer["items"]))
    return json_response({**answer, "consent": read.show_consent()})


def show_receipt(kept: KeptReceipt) -> dict[str, Any]:
    """A purchase as others than its fan are shown it: without what would prove it to anybody."""
    receipt = kept.signed.receipt
    return {
        "id": kept.id.hex(),
        "time": receipt.time,
        "date": show_time(receipt.time),
        "period": kept.period,
        "net_cents": receipt.net_cents,
        "paid_with_points_cents": receipt.paid_with_points_cents,
        "points": receipt.points,
        "codes": [[code, cents] for code, cents in receipt.codes],
        "lines": kept.lines,
        "gift": kept.is_gift,
    }


@router.get(
    "/campaigns",
    summary="A member's pledges, for a partner",
    responses=answers(PartnerCampaigns) | REFUSALS,
    openapi_extra=SIGNED,
)
async def read_campaigns(
    request: Request, program: IdText, member: MemberText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """Pledges of this program's points. Needs the fan's consent to share `campaigns`.

    A page may hold fewer items than asked for and still have a next one.
    """
    read = await admit(request, program, member, CAMPAIGNS)
    page = _page(read, cursor, limit, width=2)
    with read.services.reader.snapshot() as view:
        rows, left_at = _scan(_pledges(view, read, page.place), page.limit, lambda row: row.position)
    return await _answer(read, page, rows, left_at)


def _pledges(
    view: Snapshot, read: PartnerRead, after: Position | None
) -> Iterator[tuple[ListedRow, dict[str, Any] | None]]:
    """Rows of the fan's pledges, each with what is shown of it where it is in this program's points."""
    place = after
    for _ in range(SCANNED_MAX // ROWS_READ):
        rows = view.listed(read.member, "account_pledge", place, ROWS_READ)
        for row in rows:
            campaign_id = CampaignId(row.id[:32])
            campaign: Campaign = view.record(campaign_key(campaign_id))
            is_shared = isinstance(campaign.unit, PointsUnit) and campaign.unit.program == read.program
            yield row, show_pledge(view, campaign_id, campaign, row.position) if is_shared else None
        if len(rows) < ROWS_READ:
            return
        place = rows[-1].position


Row = TypeVar("Row")


def _scan(
    rows: Iterator[tuple[Row, Item | None]], limit: int, position: Callable[[Row], Position]
) -> tuple[list[Item], Position | None]:
    """The first `limit` items, and the row after which the next page goes on; None where nothing is left."""
    items: list[Item] = []
    place: Position | None = None
    count = 0
    for row, item in rows:
        if len(items) == limit:
            return items, place
        count, place = count + 1, position(row)
        if item is not None:
            items.append(item)
    return items, place if count == SCANNED_MAX else None


def _page(read: PartnerRead, cursor: str | None, limit: int, *, width: int) -> Page:
    """A page of one scope; a cursor is good for this reader, member and program alone."""
    return Page(f"partner.{read.scope}", (read.reader, read.member, read.program), cursor, limit, width=width)


async def _answer(read: PartnerRead, page: Page, items: list[dict[str, Any]], left_at: Position | None) -> Response:
    await read.log(len(items))
    return json_response({"items": items, "next_cursor": page.next_cursor(left_at), "consent": read.show_consent()})
