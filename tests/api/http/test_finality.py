"""`GET /v1/finality` on chains with and without attestors."""

import httpx2
import pytest

from tests.api.http.conftest import Story


@pytest.mark.asyncio
async def test_a_chain_without_attestors_says_so(story: Story, client: httpx2.AsyncClient) -> None:
    found = (await client.get("/v1/finality")).json()
    assert found["attested"] is False
    assert (found["set"], found["final"], found["silent"]) == (None, None, False)
    assert found["interval_blocks"] == 20
