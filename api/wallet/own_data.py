"""Requests that an account signs: for what a node keeps for it, for all that it holds on it, and for what was granted to it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx2

from ledger.codec import Packable, pack

PAGE_LIMIT: Final = 100

Answer = Mapping[str, Any]
SignRequest = Callable[[httpx2.Request], None]
"""Adds an account's signature to a request (`api.wallet.request_signing.AccountSigner`); each attempt is signed anew."""


class OwnDataRequests(ABC):
    """The part of `Client` in which requests are signed; `_json` and `_request` are the client's."""

    @abstractmethod
    def _json(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        sign: SignRequest | None = None,
    ) -> Answer:
        """A JSON object. Raises ClientProblem."""

    @abstractmethod
    def _request(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        accept: str | None = None,
        sign: SignRequest | None = None,
    ) -> httpx2.Response:
        """An answer of success. Raises ClientProblem."""

    # --- receipts ---------------------------------------------------------------------------------------------------

    def hand_over(self, receipt: bytes, lines: Sequence[Packable] = ()) -> Answer:
        """`POST /v1/receipts`: a signed receipt's bytes and its lines; {id, is_new}. The same again is harmless."""
        return self._json("POST", "/v1/receipts", content=pack((receipt, tuple(lines))))

    def receipts(
        self,
        sign: SignRequest,
        program: bytes | None = None,
        period: int | None = None,
        *,
        cursor: str | None = None,
        limit: int = PAGE_LIMIT,
    ) -> Answer:
        """`GET /v1/receipts`: a page of the signing account's own, the one that came last first."""
        parameters = given(program=program, period=period, cursor=cursor, limit=limit)
        return self._json("GET", "/v1/receipts", parameters=parameters, sign=sign)

    def receipt(self, sign: SignRequest, receipt: bytes) -> Answer:
        """`GET /v1/receipts/{id}`: with its lines and its bytes."""
        return self._json("GET", f"/v1/receipts/{receipt.hex()}", sign=sign)

    def erase_receipt(self, sign: SignRequest, receipt: bytes) -> Answer:
        """`DELETE /v1/receipts/{id}`: {erased}. Harmless a second time."""
        return self._json("DELETE", f"/v1/receipts/{receipt.hex()}", sign=sign)

    def erase_receipts(self, sign: SignRequest, program: bytes | None = None) -> Answer:
        """`DELETE /v1/receipts`: all of the signing account's, or one program's."""
        return self._json("DELETE", "/v1/receipts", parameters=given(program=program), sign=sign)

    def mark_gift(self, sign: SignRequest, receipt: bytes, *, is_gift: bool = True) -> Answer:
        """`PUT` or `DELETE /v1/receipts/{id}/gift`: {id, gift}. Harmless a second time."""
        return self._json("PUT" if is_gift else "DELETE", f"/v1/receipts/{receipt.hex()}/gift", sign=sign)

    # --- all that a node holds on the account -------------------------------------------------------------------------

    def own_consents(self, sign: SignRequest, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/me/consents`: a page of the account's consents, and which of them the node obeys now."""
        return self._json("GET", "/v1/me/consents", parameters=given(cursor=cursor, limit=limit), sign=sign)

    def own_reads(self, sign: SignRequest, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/me/reads`: a page of who read what of the account's, the newest first."""
        return self._json("GET", "/v1/me/reads", parameters=given(cursor=cursor, limit=limit), sign=sign)

    def export_own(self, sign: SignRequest) -> bytes:
        """`GET /v1/me/export`: everything that the node holds on the account, one JSON document."""
        return self._request("GET", "/v1/me/export", sign=sign).content

    def delete_own(self, sign: SignRequest) -> Answer:
        """`DELETE /v1/me`: what is gone, what remains and why. Harmless a second time."""
        return self._json("DELETE", "/v1/me", sign=sign)

    # --- what was granted to the account ------------------------------------------------------------------------------

    def partner_read(
        self,
        sign: SignRequest,
        program: bytes,
        member: str,
        scope: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Answer:
        """`GET /v1/partner/programs/{id}/members/{address}/{scope}`: standing, history, receipts or campaigns, as a fan granted."""
        path = f"/v1/partner/programs/{program.hex()}/members/{segment(member)}/{segment(scope)}"
        return self._json("GET", path, parameters=given(cursor=cursor, limit=limit), sign=sign)


def given(**parameters: str | int | bytes | None) -> dict[str, str | int]:
    """The parameters that have a value; ids as hex."""
    found = {name: value for name, value in parameters.items() if value is not None}
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in found.items()}


def segment(text: str) -> str:
    """One segment of a path: what a person typed must not become another path."""
    return "".join(character if character.isalnum() and character.isascii() else "-" for character in text) or "-"
