"""The client's calls about redemptions: `client.redemptions.one(hold)`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx2
import msgpack

from api.hand_out import HandOut
from api.wallet.errors import WalletError
from ledger.errors import Code

PAGE_LIMIT: Final = 100
POLL_SECONDS: Final = 1.0
ENDS: Final = ("settled", "borne by the shop")
"""Standings after which the fan waits for nothing more."""

NOT_SETTLED = Code(
    "redemption.not_settled",
    "the redemption {redemption} is still {standing} after {seconds} seconds",
    "Wait longer: `fansumer wallet redemption` shows it. What the shop waits for may be far, or nobody may mine or attest.",
)

Answer = Mapping[str, Any]
SignRequest = Callable[[httpx2.Request], None]


class RedemptionCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON, `page` reads a page of a list."""

    def __init__(
        self,
        read: Callable[..., Answer],
        page: Callable[[str, str | None, int], Answer],
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._read = read
        self._page = page
        self._sleep = sleep
        self._clock = clock

    def one(self, redemption: bytes) -> Answer:
        """`GET /v1/redemptions/{id}`: by the hold or by its transaction; units, standing, the shop's acceptance."""
        return self._read("GET", f"/v1/redemptions/{redemption.hex()}")

    def of_account(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/redemptions`: a page."""
        text = "".join(character if character.isalnum() and character.isascii() else "-" for character in address)
        return self._page(f"/v1/accounts/{text or '-'}/redemptions", cursor, limit)

    def of_program(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/redemptions`: a page."""
        return self._page(f"/v1/programs/{program.hex()}/redemptions", cursor, limit)

    def accept(self, acceptance: bytes) -> Answer:
        """`POST /v1/acceptances`: a signed acceptance's bytes; {redemption, is_new}. The same again is harmless."""
        return self._read("POST", "/v1/acceptances", content=acceptance)

    def wait_settled(self, redemption: bytes, *, seconds_max: float) -> Answer:
        """The redemption once what the shop waits for is reached, or once it fell out of the chain and the shop bears it.

        Raises WalletError redemption.not_settled after `seconds_max`, ClientProblem redemption.unknown if it fell out unaccepted.
        """
        ends = self._clock() + seconds_max
        while True:
            found = self.one(redemption)
            if found["standing"] in ENDS:
                return found
            if self._clock() >= ends:
                shown = {"redemption": redemption.hex(), "standing": found["standing"], "seconds": int(seconds_max)}
                raise WalletError(NOT_SETTLED, **shown)
            self._sleep(POLL_SECONDS)

    def hand_out(self, program: bytes) -> Answer:
        """`GET /v1/programs/{id}/hand-out`: what a program waits for before it hands out."""
        return self._read("GET", f"/v1/programs/{program.hex()}/hand-out")

    def choose_hand_out(self, sign: SignRequest, program: bytes, chosen: HandOut) -> Answer:
        """`PUT /v1/programs/{id}/hand-out`, signed by the program's owner."""
        said: dict[str, Any] = {"level": chosen.level, **({"blocks": chosen.blocks} if chosen.blocks else {})}
        return self._read("PUT", f"/v1/programs/{program.hex()}/hand-out", content=msgpack.packb(said), sign=sign)
