"""The client's calls about how campaigns go: `client.backing.pledges_of(address)`."""

from collections.abc import Callable
from typing import Any, Final

from api.wallet.own_data import Answer, SignRequest, given, segment

PAGE_LIMIT: Final = 100


class CampaignCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON."""

    def __init__(self, read: Callable[..., Any]) -> None:
        self._read = read

    def history(
        self, campaign: bytes, *, event: str | None = None, cursor: str | None = None, limit: int = PAGE_LIMIT
    ) -> Answer:
        """`GET /v1/campaigns/{id}/history`: a page of events, the newest first; of one name, or of all."""
        parameters = given(event=event, cursor=cursor, limit=limit)
        return self._read("GET", f"/v1/campaigns/{campaign.hex()}/history", parameters=parameters)

    def campaigns_of(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/campaigns`: a page of what it promised."""
        path = f"/v1/accounts/{segment(address)}/campaigns"
        return self._read("GET", path, parameters=given(cursor=cursor, limit=limit))

    def pledges_of(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/pledges`: a page of what it backed, and what would come back now."""
        path = f"/v1/accounts/{segment(address)}/pledges"
        return self._read("GET", path, parameters=given(cursor=cursor, limit=limit))

    def put_form(self, sign: SignRequest, campaign: bytes, number: int, form: bytes) -> Answer:
        """`PUT /v1/campaigns/{id}/pledges/{number}/delivery-form`: the encrypted bytes; signed by the pledge's backer."""
        return self._read("PUT", _form_path(campaign, number), content=form, sign=sign)

    def drop_form(self, sign: SignRequest, campaign: bytes, number: int) -> Answer:
        """`DELETE` of the same: {dropped}; signed by backer or creator. Harmless a second time."""
        return self._read("DELETE", _form_path(campaign, number), sign=sign)

    def forms(
        self, campaign: bytes, sign: SignRequest, *, cursor: str | None = None, limit: int = PAGE_LIMIT
    ) -> Answer:
        """`GET /v1/campaigns/{id}/delivery-forms`: a page; signed by the creator."""
        path = f"/v1/campaigns/{campaign.hex()}/delivery-forms"
        return self._read("GET", path, parameters=given(cursor=cursor, limit=limit), sign=sign)


def _form_path(campaign: bytes, number: int) -> str:
    return f"/v1/campaigns/{campaign.hex()}/pledges/{number}/delivery-form"
