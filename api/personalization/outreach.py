"""Messages to brands' webhooks, signed after Standard Webhooks, retried for three days, each under one id.

Sent out is only what a fan lets out three times: it allows the program to personalise, it allows it to contact (purpose 3, scope
`webhook` or the empty one), and it chose the channel `webhook`. All three are asked again before each attempt, and so is whether
the message is still true. What was sent once and answered with 2xx is never sent again. Where an answer was lost, the next attempt
bears the same `webhook-id`, by which a receiver knows that it has it already (https://www.standardwebhooks.com).
"""

import asyncio
import hmac
import ipaddress
import json
import socket
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import structlog

from api.consent.gate import ConsentGate
from api.http.receipt_desk import ReceiptDesk
from api.personalization.service import Personalization, PersonalRefused
from api.receipts.webhooks import Delivery, Webhook
from ledger.domains.consent.state import CONTACT
from ledger.errors import LedgerError
from ledger.types import Address, Hash, ProgramId
from node.clock import Clock
from node.store.reader import Reader

log = structlog.get_logger()

Hosts = Sequence[tuple[str, int]]
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
CHANNEL: Final = "webhook"
SECRET_PREFIX: Final = "whsec_"
RETRY_SECONDS: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 50_400, 72_000)
"""Pauses after the first attempt, the second one, and so on: three days in all, so that a day's failure loses nothing."""
ATTEMPT_SECONDS_MAX: Final = 15.0
DELIVERIES_AT_ONCE_MAX: Final = 100
"""Of one webhook in one round, one after the other; a receiver that does not answer keeps nobody else waiting."""
WEBHOOKS_AT_ONCE_MAX: Final = 20
PAUSE_SECONDS: Final = 30.0
SHOWN: Final = ("id", "program", "topic", "kind", "text", "texts", "action", "expires_at") + (
    ("why", "rule", "made_by", "consent", "switch")
)
"""What of a message a receiver gets: all that its fan should read with it."""
GIVEN_UP: Final = "webhook.given_up"
GONE: Final = "webhook.gone"
WITHDRAWN: Final = "webhook.withdrawn"


def delivery_id(webhook: bytes, message: Hash) -> bytes:
    """The same for every attempt of the same message."""
    return sha256(b"fansumer delivery 1" + webhook + message).digest()


def show_secret(secret: bytes) -> str:
    """As Standard Webhooks writes it."""
    return SECRET_PREFIX + b64encode(secret).decode()


def sign_webhook(secret: bytes, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    signature = b64encode(hmac.new(secret, signed, sha256).digest()).decode()
    return {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


class Outreach:
    """Finds what is to be sent, and sends it. `http` is made by `run`, or given by a test."""

    def __init__(
        self,
        personal: Personalization,
        reader: Reader,
        consents: ConsentGate,
        desk: ReceiptDesk,
        clock: Clock,
        *,
        named_hosts: Hosts,
    ) -> None:
        self._personal = personal
        self._reader = reader
        self._consents = consents
        self._desk = desk
        self._clock = clock
        self._named_hosts = named_hosts

    async def run(self) -> None:
        """Until it is cancelled: look and send every half minute. A fault of the store is said, and tried again."""
        async with httpx2.AsyncClient(follow_redirects=False, timeout=ATTEMPT_SECONDS_MAX) as http:
            while True:
                await asyncio.sleep(PAUSE_SECONDS)
                try:
                    await self.run_once(http)
                except* (LedgerError, OSError) as faults:
                    log.warning("webhooks.wait", reason=str(faults.exceptions[0]))

    async def run_once(self, http: httpx2.AsyncClient) -> None:
        """Queue what has become ready, and make the attempts that are due."""
        for program in await self._desk.run(lambda store: store.webhooks.programs()):
            await self._queue_of(program)
        now, places = self._clock.now(), asyncio.Semaphore(WEBHOOKS_AT_ONCE_MAX)
        await self._desk.run(lambda store: store.webhooks.forget_old(now))
        due = await self._desk.run(lambda store: store.webhooks.due(now, DELIVERIES_AT_ONCE_MAX))
        async with asyncio.TaskGroup() as group:
            for deliveries in due:
                group.create_task(self._send_all(http, deliveries, places))

    # --- what is to be sent ---

    async def _queue_of(self, program: ProgramId) -> None:
        webhooks = await self._desk.run(lambda store: store.webhooks.of_program(program))
        for fan in await self._desk.run(lambda store: store.preferences.choosing(program, CHANNEL)):
            await asyncio.sleep(0)  # others' turn
            for message in await self._find(fan, program):
                now = self._clock.now()
                for webhook in webhooks:
                    made = _make_delivery(webhook, fan, message, now)
                    await self._desk.run(lambda store, made=made: store.webhooks.queue(made))

    async def _find(self, fan: Address, program: ProgramId) -> list[dict[str, Any]]:
        """What the fan lets out at this moment."""
        if not await self._may_contact(fan, program):
            return []
        chosen = await self._desk.run(lambda store: store.preferences.find(fan, program))
        if chosen is None or chosen.document.get("channel") != CHANNEL:
            return []
        try:
            return await self._personal.messages(fan, program)
        except PersonalRefused:
            return []

    async def _may_contact(self, fan: Address, program: ProgramId) -> bool:
        await self._consents.ready()
        with self._reader.snapshot() as view:
            return self._consents.find_active(view, fan, program, CONTACT, CHANNEL) is not None

    # --- sending ---

    async def _send_all(
        self, http: httpx2.AsyncClient, deliveries: Sequence[Delivery], places: asyncio.Semaphore
    ) -> None:
        """What is due for one webhook, until its receiver fails: the rest then waits for the next round."""
        async with places:
            for delivery in deliveries:
                if not await self._attempt(http, delivery):
                    break

    async def _attempt(self, http: httpx2.AsyncClient, delivery: Delivery) -> bool:
        """Whether the receiver took it, or there was nothing to send."""
        webhook = await self._desk.run(lambda store: store.webhooks.find(delivery.webhook))
        wanted = {message["id"] for message in await self._find(delivery.member, delivery.program)}
        if webhook is None or delivery.message.hex() not in wanted:
            await self._end(delivery, WITHDRAWN)
            return True
        now = self._clock.now()
        headers = sign_webhook(webhook.secret, delivery.id.hex(), now, delivery.body)
        code = await self._post(http, webhook.url, delivery.body, headers)
        if code in ("", GONE):
            await self._end(delivery, code)
        elif delivery.attempts >= len(RETRY_SECONDS):
            await self._end(delivery, GIVEN_UP)
        else:
            due_at = now + RETRY_SECONDS[delivery.attempts]
            await self._desk.run(
                lambda store: store.webhooks.note_attempt(delivery.id, due_at=due_at, done_at=0, code=code)
            )
        return not code

    async def _end(self, delivery: Delivery, code: str) -> None:
        now = self._clock.now()
        await self._desk.run(
            lambda store: store.webhooks.note_attempt(delivery.id, due_at=delivery.due_at, done_at=now, code=code)
        )

    async def _post(self, http: httpx2.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> str:
        """Empty if it was taken; else why not, as a code."""
        if not await may_reach(url, self._named_hosts):
            return "webhook.private_address"
        try:
            answer = await http.post(url, content=body, headers={"content-type": "application/json", **headers})
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as fault:
            return f"webhook.{type(fault).__name__}"[:64]
        if answer.status_code == 410:
            return GONE
        return "" if answer.is_success else f"webhook.status_{answer.status_code}"


async def may_reach(url: str, named: Hosts) -> bool:
    """Whether a brand's URL may be called: on the public internet, or where the operator named its host and port."""
    try:
        found = httpx2.URL(url)  # as the client reads it
    except httpx2.InvalidURL:
        return False
    place = (found.host, found.port or DEFAULT_PORTS.get(found.scheme, 0))
    return place in named or await is_public(url)


async def is_public(url: str) -> bool:
    """Whether all addresses of a URL's host are on the public internet: a brand's URL must not lead into the operator's own net."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return False
    try:
        found = [str(ipaddress.ip_address(parts.hostname))]
    except ValueError:
        found = await look_up(parts.hostname)
    return bool(found) and all(ipaddress.ip_address(address.partition("%")[0]).is_global for address in found)


async def look_up(host: str) -> list[str]:
    """The addresses of a host; none if it has none."""
    try:
        entries = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(entry[4][0]) for entry in entries]


def _make_delivery(webhook: Webhook, fan: Address, message: dict[str, Any], now: int) -> Delivery:
    shown = {name: message[name] for name in SHOWN}
    document = {"type": "message.ready", "timestamp": now, "data": {"member": fan.hex(), **shown}}
    return Delivery(
        id=delivery_id(webhook.id, Hash(bytes.fromhex(message["id"]))),
        webhook=webhook.id,
        member=fan,
        program=webhook.program,
        message=Hash(bytes.fromhex(message["id"])),
        body=json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(),
        made_at=now,
        due_at=now,
        attempts=0,
        done_at=0,
        code="",
    )
