"""The OpenAPI document: every operation has an example, problems are described, and real answers keep to it."""

import pkgutil
from importlib import import_module
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import api.http.schemas
from api.http.schemas.answer import Answer, PageAnswer
from tests.api.http.conftest import Story

SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

PATHS = {
    "/v1/transactions",
    "/v1/transactions/dry-run",
    "/v1/transactions/{txid}",
    "/v1/transactions/{txid}/proof",
    "/v1/chain",
    "/v1/chain/params",
    "/v1/blocks",
    "/v1/blocks/{block}",
    "/v1/accounts/{address}",
    "/v1/accounts/{address}/history",
    "/v1/accounts/{address}/proof",
    "/v1/programs",
    "/v1/programs/{program}",
    "/v1/programs/{program}/rewards",
    "/v1/programs/{program}/issuers",
    "/v1/programs/{program}/members",
    "/v1/programs/{program}/liability",
    "/v1/campaigns",
    "/v1/campaigns/{campaign}",
    "/v1/campaigns/{campaign}/pledges",
    "/healthz",
    "/readyz",
    "/metrics",
}


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each operation with its name."""
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def all_models() -> list[type[Answer]]:
    """Every model of the schemas."""
    for module in pkgutil.iter_modules(api.http.schemas.__path__):
        import_module(f"api.http.schemas.{module.name}")
    found: list[type[Answer]] = []
    waiting: list[type[Answer]] = [Answer]
    while waiting:
        model = waiting.pop()
        waiting.extend(model.__subclasses__())
        if model not in (Answer, PageAnswer):
            found.append(model)
    return found


@pytest.mark.asyncio
async def test_the_document_is_served(story: Story, client: httpx2.AsyncClient) -> None:
    response = await client.get("/openapi.json")
    assert response.status_code == 200
    assert response.json() == story.app.openapi()
    assert set(response.json()["paths"]) == PATHS


def test_every_operation_has_examples_and_problems(story: Story) -> None:
    document = story.app.openapi()
    assert len(operations(document)) == len(PATHS)
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        successes = [found for status, found in operation["responses"].items() if status.startswith("2")]
        assert len(successes) == 1, name
        for media in successes[0]["content"].values():
            assert media.get("example"), name
        for parameter in operation.get("parameters", ()):
            is_cursor = parameter["name"] == "cursor"
            assert is_cursor or parameter["schema"].get("examples"), f"{name} {parameter['name']}"
        problems = [found for status, found in operation["responses"].items() if status[0] in "45"]
        assert len(problems) >= 4, name
        assert all(list(found["content"]) == ["application/problem+json"] for found in problems), name
        if name.startswith("post"):
            assert set(operation["requestBody"]["content"]) == {"application/msgpack", "application/json"}


def test_examples_have_the_form_of_their_models() -> None:
    models = all_models()
    assert len(models) >= 35
    for model in models:
        model.model_validate(model.EXAMPLE, strict=True)


def test_answers_to_generated_requests_keep_to_the_document(story: Story) -> None:
    """No generated request is a fault of the server, and every answer has a status and a form that the document names."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", story.app)
    results = list(schema.get_all_operations())
    found = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(found) == len(PATHS)
    for operation in found:

        @settings(max_examples=10, suppress_health_check=SLOW)
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        check()
