"""The OpenAPI document: FastAPI's own, with examples, problems instead of its validation errors, and bodies in MessagePack."""

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.http.problems import MEDIA_TYPE, problem_of
from api.http.schemas.answer import (
    ADDRESS_PATTERN,
    EXAMPLE_ADDRESS,
    EXAMPLE_HASH,
    EXAMPLE_PAYLOAD,
    EXAMPLE_PREFIX,
    Answer,
    Problem,
    make_address_pattern,
)
from api.http.schemas.receipts import ReceiptBody
from api.http.schemas.transactions import TransactionBody
from ledger.address import encode_id
from ledger.errors import Code, LedgerError

TITLE: Final = "Fansumer"
SUMMARY: Final = "Fans earn, spend and back on a ledger with proof of work."
DESCRIPTION: Final = """
Amounts are integers in the smallest unit of what they count. Addresses are Bech32m texts; other ids are hexadecimal.
A list gives `next_cursor`: send it back as `cursor`, with the same filters or without them.
A refusal is a problem (RFC 9457) whose `code` is stable and whose `advice` says what to do. What a fan is refused by a program's
personalization is said in Korean to who prefers that (Accept-Language).
The node holds no private key: wallets sign, and send the canonical bytes.
"""
TAGS: Final = [
    {"name": "transactions", "description": "Send, try, follow and prove transactions."},
    {"name": "chain", "description": "The chain and its blocks."},
    {"name": "accounts", "description": "What an account has, and how it came."},
    {"name": "programs", "description": "Loyalty programs: terms, rewards, members, what they owe."},
    {"name": "redemptions", "description": "What fans redeem: held, handed out, taken back, accepted by the shop."},
    {"name": "contests", "description": "Receipts that fans say were not settled, and what became of it."},
    {"name": "challenges", "description": "Challenges, what is left of their budgets, and who completed them."},
    {
        "name": "offers",
        "description": "Personal offers: promised to one member, cited once. What they ask for stays off chain.",
    },
    {"name": "campaigns", "description": "Campaigns and pledges."},
    {"name": "proposals", "description": "What members and backers vote on, what was answered, and what was promised."},
    {
        "name": "reviews",
        "description": "What fans say and did: reviews, replies, missions, contributions, and their texts.",
    },
    {"name": "receipts", "description": "Purchases, off chain: kept for the fan alone, who may erase them."},
    {"name": "own data", "description": "All that a node holds on the account that asks: a copy, and deletion."},
    {
        "name": "personal",
        "description": "What a program's personalization knows of the account that asks, by its consent: seen, corrected, reset.",
    },
    {"name": "partner", "description": "What fans have granted to the partner that asks, and nothing else."},
    {"name": "mining", "description": "Who mines here, and how they share a block's reward."},
    {"name": "events", "description": "What happens, as it happens (server-sent events)."},
    {"name": "service", "description": "For those who run the node."},
]
PROBLEM_REFERENCE: Final = "#/components/schemas/Problem"
PROBLEM_TEXTS: Final = {
    "400": "The request is not well-formed.",
    "401": "It is not signed by the account's keys; Accept-Signature says how (RFC 9421).",
    "403": "It is for others: the fan has not granted it, or not any more, or the account that asks owns nothing of it.",
    "404": "There is no such thing.",
    "410": "It was erased by its owner, and stays so.",
    "409": "It conflicts with what is there already.",
    "413": "The body is too large.",
    "415": "The body is of another media type.",
    "422": "A rule of the ledger forbids it.",
    "429": "Too many requests; Retry-After says when to come back.",
    "503": "The node cannot do it now; Retry-After says when to come back.",
}
PROBLEM_EXAMPLES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "400": ("http.parameter", {"parameter": "limit", "reason": "Input should be less than or equal to 200"}),
    "401": ("signature.missing", {}),
    "403": ("program.not_yours", {}),
    "404": ("http.not_found", {"path": "/v1/there"}),
    "409": ("envelope.repeated", {}),
    "410": ("receipt.erased", {"receipt": EXAMPLE_HASH}),
    "413": ("http.body_too_large", {"maximum": 1_048_576}),
    "415": ("http.media_type", {"found": "text/plain"}),
    "422": ("coin.insufficient", {"needed": 1_200, "available": 7}),
    "429": ("http.rate_limited", {"quota": 600, "window": 60}),
    "503": ("http.busy", {"waiting": 4_096}),
}
"""Of each status one fault that has it: a code, and what explains the case."""
PROBLEMS_READING: Final = ("400", "404", "429", "503")
PROBLEMS_ERASING: Final = ("400", "401", "404", "429", "503")
PROBLEMS_WRITING: Final = ("400", "409", "413", "415", "422", "429", "503")
PROBLEMS_OF: Final = {"post": PROBLEMS_WRITING, "put": PROBLEMS_ERASING, "delete": PROBLEMS_ERASING}

Responses = dict[int | str, dict[str, Any]]

MSGPACK: Final = {"schema": {"type": "string", "format": "binary"}}
TRANSACTION_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "The canonical bytes of one signed transaction.",
        "content": {
            "application/msgpack": {**MSGPACK, "example": "<the transaction's bytes>"},
            "application/json": {
                "schema": TransactionBody.model_json_schema(),
                "example": TransactionBody.EXAMPLE,
            },
        },
    }
}


def _problem(status: str) -> dict[str, Any]:
    return {"description": PROBLEM_TEXTS[status], "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM_REFERENCE}}}}


def make_example(status: str, path: str) -> dict[str, Any]:
    """A problem of a status, as it would be answered at a path."""
    name, fields = PROBLEM_EXAMPLES[status]
    return problem_of(LedgerError(Code.catalogue[name], **fields), int(status), path)


def _header(name: str, text: str, example: str, *, required: bool = False) -> dict[str, Any]:
    schema = {"type": "string", "examples": [example]}
    return {"name": name, "in": "header", "required": required, "description": text, "schema": schema}


SIGNATURE_INPUT_EXAMPLE: Final = (
    'sig=("@method" "@target-uri");created=1793500000;nonce="q7ZpW2vK8nE";'
    f'keyid="{"3b" * 32}";alg="ed25519";tag="fansumer"'
)
SIGNATURE_TEXT: Final = (
    "What is signed (RFC 9421, Ed25519): `@method`, `@target-uri`, `content-digest` where there is a body; `created` within 60 s, "
    'a `nonce` used once, `keyid` the public key in hex, `tag` "fansumer". An account whose keys were changed names itself in '
    "Fansumer-Account and its policy in Fansumer-Policy, both covered; as many keys sign as its threshold says."
)
SIGNED: Final[dict[str, Any]] = {
    "parameters": [
        _header("Signature-Input", SIGNATURE_TEXT, SIGNATURE_INPUT_EXAMPLE, required=True),
        _header("Signature", "The signatures, by label.", f"sig=:{'A' * 86}==:", required=True),
        _header("Fansumer-Account", "The account, where it is not the key's own.", EXAMPLE_ADDRESS),
        _header("Fansumer-Policy", "The account's present policy, where its keys were changed.", ":kgGRxCA=:"),
    ],
    "responses": {"401": _problem("401")},
}
"""An operation that is only for the owner of an account."""


def receipt_body() -> dict[str, Any]:
    """The body of a receipt that is handed over, and the refusals that only it meets."""
    return {
        "requestBody": {
            "required": True,
            "description": "A signed receipt and its lines: in MessagePack the canonical array [receipt's bytes, [line, ...]].",
            "content": {
                "application/msgpack": {**MSGPACK, "example": "<the bytes>"},
                "application/json": {"schema": ReceiptBody.model_json_schema(), "example": ReceiptBody.EXAMPLE},
            },
        },
        "responses": {"410": _problem("410")},
    }


def signed_body(text: str, model: type[Answer]) -> dict[str, Any]:
    """The body of something signed: canonical bytes, or `model` in JSON."""
    return {
        "requestBody": {
            "required": True,
            "description": text,
            "content": {
                "application/msgpack": {**MSGPACK, "example": "<the bytes>"},
                "application/json": {"schema": whole_schema(model), "example": model.EXAMPLE},
            },
        }
    }


def whole_schema(model: type[Answer]) -> dict[str, Any]:
    """The schema of a model with its parts in their places: a reference to `$defs` leads nowhere within the document."""
    schema = model.model_json_schema()
    parts: dict[str, Any] = schema.pop("$defs", {})

    def put_in(found: Any) -> Any:
        if isinstance(found, dict):
            named = str(found.get("$ref", "")).removeprefix("#/$defs/")
            return put_in(parts[named]) if named in parts else {name: put_in(value) for name, value in found.items()}
        return [put_in(value) for value in found] if isinstance(found, list) else found

    return put_in(schema)


def answers(model: type[Answer], status: int = 200, *, other: str | None = None) -> Responses:
    """The success of an operation that answers with `model`; `other` says what it answers instead in canonical bytes."""
    text = (model.__doc__ or "").strip().splitlines()[0]
    content: dict[str, Any] = {"application/json": {"example": model.EXAMPLE}}
    if other is not None:
        text = f"{text} {other}"
        content["application/msgpack"] = {**MSGPACK, "example": "<bytes>"}
    return {status: {"model": model, "description": text, "content": content}}


def answers_bytes(text: str) -> Responses:
    """The success of an operation that answers with canonical bytes."""
    return {200: {"description": text, "content": {"application/msgpack": {**MSGPACK, "example": "<bytes>"}}}}


EVENT_SCHEMA: Final = {
    "type": "object",
    "description": "One message; `data` is a JSON object as text, `id` is where to go on from.",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer", "minimum": 0},
    },
}
EVENT_EXAMPLE: Final = {
    "event": "block.connected",
    "data": f'{{"height":1440,"hash":"{EXAMPLE_HASH}","time":1793500000,"transactions":1}}',
    "id": f"1440:{EXAMPLE_HASH}:0",
}


def answers_events() -> Responses:
    """The success of an operation that answers with server-sent events."""
    content = {"text/event-stream": {"schema": EVENT_SCHEMA, "example": EVENT_EXAMPLE}}
    return {200: {"description": "Messages until the client leaves.", "content": content}}


def refuses(*statuses: int) -> Responses:
    """Refusals of one operation beside those that all operations of its method share."""
    return {status: _problem(str(status)) for status in statuses}


def make_document(app: FastAPI, prefix: str) -> dict[str, Any]:
    """The document of `app`, made once. Its addresses are those of the network with this prefix."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(
        title=TITLE,
        version=app.version,
        summary=SUMMARY,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema()
    document = _name_network(document, prefix)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _add_problems(operation, PROBLEMS_OF.get(method, PROBLEMS_READING), path)
    app.openapi_schema = document
    return document


def _name_network(document: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The document with examples and patterns of addresses that hold on this network."""
    text = json.dumps(document)
    for of_example, of_network in (
        (EXAMPLE_ADDRESS, encode_id(prefix, EXAMPLE_PAYLOAD)),
        (ADDRESS_PATTERN, make_address_pattern(prefix)),
        (f'"address_prefix": "{EXAMPLE_PREFIX}"', f'"address_prefix": "{prefix}"'),
    ):
        text = text.replace(of_example, of_network)
    return json.loads(text)


def _add_problems(operation: dict[str, Any], statuses: tuple[str, ...], path: str) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in statuses:
        responses.setdefault(status, _problem(status))
    for status, response in responses.items():
        if MEDIA_TYPE in response.get("content", {}):
            response["content"][MEDIA_TYPE] = {**response["content"][MEDIA_TYPE], "example": make_example(status, path)}
