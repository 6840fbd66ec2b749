"""A program's products, as its brand says they are: names in two languages, categories, prices, stock, recalls."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.brand_access import require_brand
from api.http.deps import IdText, parse_id, services_of
from api.http.openapi import SIGNED, answers, refuses, signed_body
from api.http.pagination import PAGE_LIMIT, Cursor, Limit, Page
from api.http.problems import RequestFault
from api.http.rendering import json_response
from api.http.schemas.products import ProductsAnswer, ProductsBody, ProductsDropped, ProductsTaken
from api.http.signatures import authenticate
from api.http.signed_bodies import read_signed
from api.personalization.catalogue import Product
from api.personalization.rhythm import is_zone
from api.receipts.store import ReceiptStore
from ledger.domains.loyalty.state import load_program
from ledger.errors import Code
from ledger.state import Overlay
from ledger.types import ProgramId

FEED_BYTES_MAX: Final = 2**20

NO_ZONE = Code(
    "product.zone",
    "no zone {zone} is known here",
    "Use a name of the IANA list, such as Europe/Berlin, or leave it out.",
)
TWICE = Code("product.twice", "the item {item} stands in the feed twice", "Name each product once.")

router = APIRouter(prefix="/v1/programs", tags=["programs"])


@router.put(
    "/{program}/products",
    summary="Say what a program's products are",
    responses=answers(ProductsTaken) | refuses(403, 413, 415, 422),
    openapi_extra={**SIGNED, **signed_body("The feed.", ProductsBody)},
)
async def put_products(request: Request, program: IdText) -> Response:
    """Take in a product feed, by the owner's signature or that of a key with the scope `offer`.

    What changed since the last one is noted: a price that fell, a product that is there again, a new one. More than 2,000 products
    come in several feeds with `whole` false. A whole feed without products is refused: `DELETE` takes a feed down.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account, feed = await read_signed(request, ProductsBody, bytes_max=FEED_BYTES_MAX)
    require_brand(services, program_id, account)
    if feed.zone and not is_zone(feed.zone):
        raise RequestFault(NO_ZONE, zone=feed.zone)
    named: set[str] = set()
    for product in feed.products:
        if product.item in named:
            raise RequestFault(TWICE, item=product.item)
        named.add(product.item)
    rows = [(product.item, product.model_dump(exclude={"item"})) for product in feed.products]
    now = services.node.clock.now()

    def take(store: ReceiptStore) -> tuple[int, int, str]:
        taken = store.products.put(program_id, rows, now, zone=feed.zone, is_whole=feed.whole)
        return *taken, store.products.zone(program_id)

    count, new, zone = await services.receipts.run(take)
    return json_response({"program": program_id.hex(), "products": count, "new": new, "zone": zone})


@router.delete(
    "/{program}/products",
    summary="Take a program's products down",
    responses=answers(ProductsDropped) | refuses(401, 403),
    openapi_extra=SIGNED,
)
async def drop_products(request: Request, program: IdText) -> Response:
    """The program has no products and no zone here from now on; until a next feed no product is spoken of.

    Harmless a second time.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    require_brand(services, program_id, await authenticate(request))
    now = services.node.clock.now()
    dropped = await services.receipts.run(lambda store: store.products.drop(program_id, now))
    return json_response({"program": program_id.hex(), "dropped": dropped})


@router.get("/{program}/products", summary="A program's products", responses=answers(ProductsAnswer))
async def list_products(
    request: Request, program: IdText, cursor: Cursor = None, limit: Limit = PAGE_LIMIT
) -> Response:
    """What the brand says of its products, by item. Nothing of it is on the chain, and nobody has proved it."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    with services.reader.snapshot() as view:
        load_program(Overlay(view), program_id)
    page = Page("program.products", (program_id,), cursor, limit, width=1)
    catalogue = await services.receipts.run(lambda store: services.personal.gate.catalogues.read(store, program_id))
    first = 0 if page.position is None else page.position[0]
    found = list(enumerate(catalogue.products.values(), start=1))[first : first + page.rows_wanted]
    answer = page.answer(found, lambda row: (row[0],), lambda row: show_product(row[1]))
    return json_response({"zone": catalogue.zone, **answer})


def show_product(product: Product) -> dict[str, Any]:
    """A product as JSON."""
    return {
        "item": product.item,
        "names": product.names,
        "category": product.category,
        "code": product.code,
        "price_cents": product.price_cents,
        "in_stock": product.in_stock,
        "lasts": product.lasts,
        "pairs_with": list(product.pairs_with),
        "how_to": product.how_to,
        "recall": product.recall,
        "made_from": product.made_from,
        "first_at": product.first_at,
        "restocked_at": product.restocked_at or None,
        "cheaper_at": product.cheaper_at or None,
        "price_before_cents": product.price_before_cents or None,
    }
