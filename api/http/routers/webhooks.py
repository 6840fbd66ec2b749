"""A brand's webhooks: where messages go that fans let out (see `api/personalization/outreach.py`)."""

import secrets
from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.http.brand_access import require_brand
from api.http.deps import IdText, parse_id, services_of
from api.http.openapi import SIGNED, answers, refuses, signed_body
from api.http.problems import RequestFault
from api.http.rendering import json_response
from api.http.schemas.webhooks import EXAMPLE_WEBHOOK, WebhookBody, WebhookDropped, WebhookMade, WebhooksAnswer
from api.http.signatures import authenticate
from api.http.signed_bodies import read_signed
from api.personalization.outreach import may_reach, show_secret
from api.receipts.webhooks import Webhook
from ledger.errors import Code
from ledger.types import ProgramId

ID_BYTES: Final = 16
SECRET_BYTES: Final = 32

NOT_PUBLIC = Code(
    "webhook.not_public",
    "the address is not https, or not on the public internet",
    "Name an https address that others reach, too. One in the node's own net its operator names: --webhook-host HOST:PORT.",
)
BAD_ID = Code("webhook.id_format", "a webhook's id is 32 hexadecimal digits", "Copy the whole id again.")

WebhookText = Annotated[
    str,
    Path(
        description="A webhook's id: 32 hexadecimal digits.",
        examples=[EXAMPLE_WEBHOOK],
        json_schema_extra={"pattern": "^[0-9a-fA-F]{32}$"},
    ),
]

router = APIRouter(prefix="/v1/programs", tags=["programs"])


@router.post(
    "/{program}/webhooks",
    status_code=201,
    summary="Name a webhook",
    responses=answers(WebhookMade, 201) | refuses(401, 403),
    openapi_extra={**SIGNED, **signed_body("The address.", WebhookBody)},
)
async def make_webhook(request: Request, program: IdText) -> Response:
    """From now on messages go there whose fans allow the program to personalise and to contact, and chose the channel `webhook`.

    Each is signed after Standard Webhooks with the secret of this answer, and sent again for three days until it is answered
    with 2xx, always with the same `webhook-id`.
    """
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account, body = await read_signed(request, WebhookBody)
    require_brand(services, program_id, account)
    if not await may_reach(body.url, services.settings.webhook_hosts):
        raise RequestFault(NOT_PUBLIC)
    now = services.node.clock.now()
    made = Webhook(secrets.token_bytes(ID_BYTES), program_id, body.url, secrets.token_bytes(SECRET_BYTES), now)
    await services.receipts.run(lambda store: store.webhooks.add(made))
    shown = {"id": made.id.hex(), "program": program_id.hex(), "url": made.url, "secret": show_secret(made.secret)}
    return json_response({**shown, "made_at": now}, 201)


@router.get(
    "/{program}/webhooks",
    summary="A program's webhooks",
    responses=answers(WebhooksAnswer) | refuses(403),
    openapi_extra=SIGNED,
)
async def list_webhooks(request: Request, program: IdText) -> Response:
    """Where messages go, and how many wait, arrived or were lost; without the secrets."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    require_brand(services, program_id, await authenticate(request))
    found = await services.receipts.run(lambda store: store.webhooks.of_program(program_id))
    counts = await services.receipts.run(lambda store: store.webhooks.counts(program_id))
    items = [
        {
            "id": one.id.hex(),
            "url": one.url,
            "made_at": one.made_at,
            **dict(zip(("waiting", "sent", "lost"), counts.get(one.id, (0, 0, 0)), strict=True)),
        }
        for one in found
    ]
    return json_response({"program": program_id.hex(), "items": items})


@router.delete(
    "/{program}/webhooks/{webhook}",
    summary="Delete a webhook",
    responses=answers(WebhookDropped) | refuses(403),
    openapi_extra=SIGNED,
)
async def drop_webhook(request: Request, program: IdText, webhook: WebhookText) -> Response:
    """Nothing goes there any more; what waited for it is deleted. Harmless a second time."""
    services = services_of(request)
    program_id = ProgramId(parse_id("program", program))
    account = await authenticate(request)
    require_brand(services, program_id, account)
    try:
        wanted = bytes.fromhex(webhook) if webhook.isalnum() else b""
    except ValueError:
        wanted = b""
    if len(wanted) != ID_BYTES:
        raise RequestFault(BAD_ID)
    dropped = await services.receipts.run(lambda store: store.webhooks.drop(program_id, wanted))
    return json_response({"id": webhook.lower(), "dropped": dropped})
