"""The OpenAPI document: FastAPI's own, with examples, problems instead of its validation errors, and bodies in MessagePack."""

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.http.problems import MEDIA_TYPE
from api.http.schemas.answer import (
    ADDRESS_PATTERN,
    EXAMPLE_ADDRESS,
    EXAMPLE_PAYLOAD,
    EXAMPLE_PREFIX,
    Answer,
    Problem,
    make_address_pattern,
)
from api.http.schemas.transactions import TransactionBody
from ledger.address import encode_id

TITLE: Final = "Fansumer"
SUMMARY: Final = "Fans earn, spend and back on a ledger with proof of work."
DESCRIPTION: Final = """
Amounts are integers in the smallest unit of what they count. Addresses are Bech32m texts; other ids are hexadecimal.
A list gives `next_cursor`: send it back as `cursor`, with the same filters or without them.
A refusal is a problem (RFC 9457) whose `code` is stable and whose `advice` says what to do.
The node holds no private key: wallets sign, and send the canonical bytes.
"""
TAGS: Final = [
    {"name": "transactions", "description": "Send, try, follow and prove transactions."},
    {"name": "chain", "description": "The chain and its blocks."},
    {"name": "accounts", "description": "What an account has, and how it came."},
    {"name": "programs", "description": "Loyalty programs: terms, rewards, members, what they owe."},
    {"name": "campaigns", "description": "Campaigns and pledges."},
    {"name": "service", "description": "For those who run the node."},
]
PROBLEM_REFERENCE: Final = "#/components/schemas/Problem"
PROBLEM_TEXTS: Final = {
    "400": "The request is not well-formed.",
    "404": "There is no such thing.",
    "409": "It conflicts with what is there already.",
    "413": "The body is too large.",
    "415": "The body is of another media type.",
    "422": "A rule of the ledger forbids it.",
    "429": "Too many requests; Retry-After says when to come back.",
    "503": "The node cannot do it now; Retry-After says when to come back.",
}
PROBLEM_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": PROBLEM_REFERENCE}, "example": Problem.EXAMPLE}}
PROBLEMS_READING: Final = ("400", "404", "429", "503")
PROBLEMS_WRITING: Final = ("400", "409", "413", "415", "422", "429", "503")

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


def refuses(*statuses: int) -> Responses:
    """Refusals of one operation beside those that all operations of its method share."""
    return {status: {"description": PROBLEM_TEXTS[str(status)], "content": PROBLEM_CONTENT} for status in statuses}


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
    for operations in document["paths"].values():
        for method, operation in operations.items():
            _add_problems(operation, PROBLEMS_WRITING if method == "post" else PROBLEMS_READING)
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


def _add_problems(operation: dict[str, Any], statuses: tuple[str, ...]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in statuses:
        responses.setdefault(status, {"description": PROBLEM_TEXTS[status], "content": PROBLEM_CONTENT})
