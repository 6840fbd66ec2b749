"""What every endpoint needs, made once by `create_app`, and what reads ids from paths."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Path
from starlette.requests import Request

from api.consent.gate import ConsentGate
from api.consent.revocations import Revocations
from api.http.event_feed import EventFeed
from api.http.export_desk import ExportDesk
from api.http.metrics import HttpMetrics
from api.http.problems import BAD_ID, RequestFault
from api.http.receipt_desk import ReceiptDesk
from api.http.rendering import Renderer
from api.http.schemas.answer import ADDRESS_PATTERN, EXAMPLE_ADDRESS, EXAMPLE_ID, ID_PATTERN
from api.http.settings import HttpSettings
from api.http.submission import SubmissionQueue
from api.personalization.model_keeper import ModelKeeper
from api.personalization.outreach import Outreach
from api.personalization.service import Personalization
from api.voice.openings import KeptOpenings
from ledger.domains.loyalty.state import program_key
from ledger.params import Params
from ledger.types import ChainId, ProgramId
from node.cookie import Cookie
from node.mining.block_templates import BlockTemplates
from node.node import Node
from node.store.reader import Reader, Snapshot

AddressText = Annotated[
    str,
    Path(
        description="An account's address on this network.",
        examples=[EXAMPLE_ADDRESS],
        json_schema_extra={"pattern": ADDRESS_PATTERN},
    ),
]
IdText = Annotated[
    str,
    Path(
        description="An id: 64 hexadecimal digits.",
        examples=[EXAMPLE_ID],
        json_schema_extra={"pattern": ID_PATTERN},
    ),
]
"""The patterns are for readers and clients of the document: what breaks them is refused by `parse_id` and the ledger, with their
own codes."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the endpoints."""

    node: Node
    reader: Reader
    params: Params
    chain_id: ChainId
    settings: HttpSettings
    renderer: Renderer
    submissions: SubmissionQueue
    receipts: ReceiptDesk
    revocations: Revocations
    openings: KeptOpenings
    consents: ConsentGate
    personal: Personalization
    models: ModelKeeper | None
    outreach: Outreach
    exports: ExportDesk
    events: EventFeed
    metrics: HttpMetrics
    cookie: Cookie
    templates: BlockTemplates

    def close(self) -> None:
        """End the streams, let what is under way finish, and close the receipt store. Harmless a second time."""
        self.events.close()
        self.submissions.close()
        self.exports.close()
        self.revocations.close()
        self.openings.close()
        self.receipts.close()
        self.cookie.remove()


def services_of(request: Request) -> Services:
    """The services of the application that serves `request`."""
    return request.app.state.services


def parse_id(parameter: str, text: str) -> bytes:
    """The 32 bytes of an id. Raises `id.format`."""
    try:
        found = bytes.fromhex(text) if len(text) == 64 and text.isalnum() else b""
    except ValueError:
        found = b""
    if len(found) != 32:
        raise RequestFault(BAD_ID, parameter=parameter)
    return found


def program_test(view: Snapshot) -> Callable[[bytes], bool]:
    """Whether an id is a program's; asks the store once for each id."""
    known: dict[bytes, bool] = {}

    def is_program(found: bytes) -> bool:
        if found not in known:
            known[found] = view.stored(program_key(ProgramId(found))) is not None
        return known[found]

    return is_program
