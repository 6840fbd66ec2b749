"""Every operation of the OpenAPI document, tried with thousands of requests: all that succeed and all that are refused keep to it.

Schemathesis (its four phases, its checks) runs against the real application over a real node. What makes its requests meet things
that exist is in `tests/support/real_requests.py`, which also says how a new operation is added.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from tests.support.http_world import HttpWorld, open_http_world
from tests.support.real_requests import make_real, remember_cursor

SEED: Final = int(os.environ.get("FANSUMER_TEST_SEED", "20261122"))
EXAMPLES_MAX: Final = int(os.environ.get("FANSUMER_TEST_EXAMPLES", "16"))
"""Random requests for each operation beside those that Schemathesis derives from its schema; a long run takes more."""
BLOCK_EVERY: Final = 10
"""A block is mined after so many transactions that were taken in."""
STATUSES_OF_WELL_FORMED: Final = ["2xx", "400", "401", "403", "404", "409", "410", "413", "422", "429"]
"""413: how many bytes a body may have is nothing that a schema can say."""
CODES_OF_FORM: Final = frozenset({"http.parameter", "http.body", "http.media_type", "http.refused", "id.format"})
"""What the schema allows is never refused for its form: only for what the form cannot say, such as a checksum or a cursor."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HttpWorld]:
    """A node with a history."""
    found = open_http_world(tmp_path / "data")
    yield found
    found.close()


class Findings:
    """What came of all requests."""

    def __init__(self) -> None:
        self.statuses: dict[str, Counter[int]] = {}
        self.codes: Counter[str] = Counter()
        self.faults: dict[tuple[str, str], str] = {}

    def add(self, recorder: ScenarioRecorder) -> None:
        """Take in one scenario: its answers, and which checks failed."""
        for case_id, interaction in recorder.interactions.items():
            case, response = recorder.cases[case_id].value, interaction.response
            if response is None:
                self.faults[case.operation.label, "no answer"] = repr(case)
                continue
            label = case.operation.label
            self.statuses.setdefault(label, Counter())[response.status_code] += 1
            if response.status_code < 400 or response.status_code == 405:
                continue
            code = str(response.json()["code"])
            self.codes[code] += 1
            is_well_formed = case.meta is not None and case.meta.generation.mode.is_positive
            if is_well_formed and code in CODES_OF_FORM:
                self.faults[label, f"refused what the schema allows: {code}"] = case.as_curl_command()
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    label = recorder.cases[case_id].value.operation.label
                    self.faults[label, f"{failure.title}: {failure.message}"] = check.failure_info.code_sample

    def describe(self) -> str:
        """One paragraph for each fault, with a request that shows it."""
        return f"seed {SEED}\n" + "\n\n".join(
            f"{label}\n  {text}\n  {shown}" for (label, text), shown in sorted(self.faults.items())
        )


def run_schemathesis(world: HttpWorld) -> tuple[schemathesis.BaseSchema, Findings]:
    """All phases that need no links, over all operations."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", world.app)
    schema.config.seed = SEED
    schema.config.max_stream_events = 1
    schema.config.phases.stateful.enabled = False  # it follows links, and the document has none
    schema.config.generation.update(max_examples=EXAMPLES_MAX, no_shrink=False)
    schema.config.checks.positive_data_acceptance.expected_statuses = STATUSES_OF_WELL_FORMED
    taken = Counter[int]()

    @schema.hooks.hook("map_case")
    def with_what_is_real(_: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
        return make_real(case, world)

    @schema.hooks.hook("after_call")
    def learn_and_mine(_: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
        remember_cursor(case, world, response)
        taken[response.status_code] += 1
        if response.status_code == 202 and taken[202] % BLOCK_EVERY == 0:
            world.mine()

    findings = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            findings.add(event.recorder)
        elif isinstance(event, events.NonFatalError):
            findings.faults[event.label, "Schemathesis itself"] = event.info.format()
    return schema, findings


@pytest.mark.slow
def test_every_operation_succeeds_and_fails_as_documented(world: HttpWorld) -> None:
    schema, findings = run_schemathesis(world)
    assert not findings.faults, findings.describe()
    documented = {
        f"{method.upper()} {path}"
        for path, operations in schema.raw_schema["paths"].items()
        for method in operations
        if method in {"get", "post", "put", "patch", "delete"}
    }
    succeeded = {
        label
        for label, statuses in findings.statuses.items()
        if any(200 <= status < 300 and count for status, count in statuses.items())
    }
    assert succeeded == documented, "see tests/support/real_requests.py for how an operation is given real requests"
    refusals = {code for code in findings.codes if not code.startswith(("http.", "id.", "page.", "codec."))}
    assert len(refusals) >= 5, "signed requests are refused by rules, too"
