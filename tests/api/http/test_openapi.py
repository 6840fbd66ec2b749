"""The OpenAPI document: examples, and problems that are described. Whether answers keep to it: test_every_operation."""

import json
import pkgutil
import re
from importlib import import_module
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

import api.http.schemas
from api.http.problems import RequestFault, status_of
from api.http.schemas.answer import EXAMPLE_ADDRESS, Answer, PageAnswer, Problem
from ledger.errors import Code, LedgerError
from tests.api.http.conftest import Story

PATHS = {
    "/v1/transactions",
    "/v1/transactions/dry-run",
    "/v1/transactions/{txid}",
    "/v1/transactions/{txid}/proof",
    "/v1/chain",
    "/v1/chain/params",
    "/v1/finality",
    "/v1/blocks",
    "/v1/blocks/{block}",
    "/v1/accounts/{address}",
    "/v1/accounts/{address}/history",
    "/v1/accounts/{address}/proof",
    "/v1/accounts/{address}/contests",
    "/v1/programs",
    "/v1/programs/{program}",
    "/v1/programs/{program}/terms",
    "/v1/programs/{program}/rewards",
    "/v1/programs/{program}/issuers",
    "/v1/programs/{program}/members",
    "/v1/programs/{program}/members/{address}/proof",
    "/v1/programs/{program}/proof",
    "/v1/programs/{program}/liability",
    "/v1/programs/{program}/contests",
    "/v1/programs/{program}/returns",
    "/v1/programs/{program}/redemptions",
    "/v1/programs/{program}/hand-out",
    "/v1/accounts/{address}/redemptions",
    "/v1/redemptions/{redemption}",
    "/v1/acceptances",
    "/v1/contests/{contest}",
    "/v1/programs/{program}/challenges",
    "/v1/challenges/{challenge}",
    "/v1/challenges/{challenge}/completions",
    "/v1/accounts/{address}/completions",
    "/v1/offers/{offer}",
    "/v1/accounts/{address}/offers",
    "/v1/programs/{program}/offers",
    "/v1/campaigns",
    "/v1/campaigns/{campaign}",
    "/v1/campaigns/{campaign}/pledges",
    "/v1/proposals",
    "/v1/proposals/{proposal}",
    "/v1/proposals/{proposal}/ballots",
    "/v1/proposals/{proposal}/ballots/{address}/proof",
    "/v1/accounts/{address}/ballots",
    "/v1/proposals/{proposal}/power/{address}",
    "/v1/openings",
    "/v1/programs/{program}/proposals",
    "/v1/programs/{program}/promises",
    "/v1/accounts/{address}/promises",
    "/v1/accounts/{address}/contributions",
    "/v1/accounts/{address}/reviews",
    "/v1/contributions/{contribution}",
    "/v1/contributions/{contribution}/proof",
    "/v1/programs/{program}/contributions",
    "/v1/programs/{program}/missions",
    "/v1/reviews/{subject}",
    "/v1/reviews/{subject}/{address}",
    "/v1/reviews/{subject}/{address}/proof",
    "/v1/reviews/{subject}/{address}/revisions",
    "/v1/texts/{text}",
    "/v1/campaigns/{campaign}/history",
    "/v1/campaigns/{campaign}/delivery-forms",
    "/v1/campaigns/{campaign}/pledges/{number}/delivery-form",
    "/v1/accounts/{address}/campaigns",
    "/v1/accounts/{address}/pledges",
    "/v1/receipts",
    "/v1/receipts/{receipt}",
    "/v1/receipts/{receipt}/gift",
    "/v1/me",
    "/v1/me/consents",
    "/v1/me/reads",
    "/v1/me/access-log",
    "/v1/me/profile",
    "/v1/me/behaviour",
    "/v1/me/messages",
    "/v1/me/messages/stream",
    "/v1/me/recommendations",
    "/v1/me/questions",
    "/v1/me/feedback",
    "/v1/me/preferences",
    "/v1/programs/{program}/products",
    "/v1/programs/{program}/segments",
    "/v1/programs/{program}/webhooks",
    "/v1/programs/{program}/webhooks/{webhook}",
    "/v1/programs/{program}/plan",
    "/v1/programs/{program}/message-report",
    "/v1/programs/{program}/offer-plans",
    "/v1/programs/{program}/offer-plans/{plan}",
    "/v1/programs/{program}/offer-plans/{plan}/draw",
    "/v1/programs/{program}/offer-plans/{plan}/entries",
    "/v1/me/offers",
    "/v1/programs/{program}/service-looks",
    "/v1/me/export",
    "/v1/partner/programs/{program}/members/{member}/standing",
    "/v1/partner/programs/{program}/members/{member}/history",
    "/v1/partner/programs/{program}/members/{member}/receipts",
    "/v1/partner/programs/{program}/members/{member}/campaigns",
    "/v1/events",
    "/v1/campaigns/{campaign}/pledges/{number}/proof",
    "/v1/campaigns/{campaign}/proof",
    "/v1/finality/attestors/{key}",
    "/v1/finality/votes",
    "/v1/mining",
    "/v1/mining/blocks",
    "/v1/mining/blocks/{mined_block}",
    "/v1/mining/shares",
    "/healthz",
    "/readyz",
    "/metrics",
}
OPERATIONS_MORE = 16
"""Beyond one for each path: receipts are read, added to and erased, one receipt is read and erased, a mark made and taken off, a
delivery form sent and deleted, a text read, brought and erased, a profile read, corrected and reset, preferences, products and what
is waited for read and put, webhooks read and named.
"""


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
    assert len(operations(document)) == len(PATHS) + OPERATIONS_MORE
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


def test_each_problem_is_shown_by_a_fault_that_has_its_status(story: Story) -> None:
    for path, operation in operations(story.app.openapi()):
        for status, response in operation["responses"].items():
            if status[0] not in "45":
                continue
            example = response["content"]["application/problem+json"]["example"]
            Problem.model_validate(example, strict=True)
            fault = LedgerError(Code.catalogue[example["code"]], **example["fields"])
            kind = RequestFault if status in ("400", "404") else type(fault)
            assert example["status"] == int(status), path
            assert status_of(kind(fault.code, **fault.fields), "POST") == int(status), path
            assert "?" not in example["detail"], "all fields are given"


def test_examples_have_the_form_of_their_models() -> None:
    models = all_models()
    assert len(models) >= 35
    for model in models:
        model.model_validate(model.EXAMPLE, strict=True)


@pytest.mark.asyncio
async def test_examples_belong_to_the_network(story: Story, client: httpx2.AsyncClient) -> None:
    document = story.app.openapi()
    parameter = document["paths"]["/v1/accounts/{address}"]["get"]["parameters"][0]
    example = parameter["schema"]["examples"][0]
    assert example.startswith("fsim1")
    for text in (example, example.upper()):
        assert re.match(parameter["schema"]["pattern"], text)
        assert (await client.get(f"/v1/accounts/{text}")).status_code == 200
    assert not re.match(parameter["schema"]["pattern"], EXAMPLE_ADDRESS)
    assert "dfan" not in json.dumps(document)


@pytest.mark.asyncio
async def test_what_is_only_sent_can_not_be_read(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/transactions/dry-run")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["code"] == "http.method_not_allowed"


@pytest.mark.asyncio
async def test_a_refused_method_names_all_methods_of_the_path(
    live_app: FastAPI, live_client: httpx2.AsyncClient
) -> None:
    live_app.add_api_route("/two/{id}", lambda: None, methods=["GET"])
    live_app.add_api_route("/two/{id}", lambda: None, methods=["DELETE"])
    response = await live_client.post("/two/1")
    assert (response.status_code, response.headers["allow"]) == (405, "DELETE, GET")
    assert (await live_client.delete("/v1/transactions")).headers["allow"] == "POST"
