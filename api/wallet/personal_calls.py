"""The client's calls about personalization: `client.personal.messages(sign, program)`; a brand's are signed by its own account."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx2
import msgpack

Answer = Mapping[str, Any]
SignRequest = Callable[[httpx2.Request], None]

PAGE_LIMIT: Final = 200
FEED_MAX: Final = 2_000
"""Products in one request; a longer feed is sent in parts."""


class PersonalCalls:
    """One method for each endpoint. `read` sends a request and reads its JSON."""

    def __init__(self, read: Callable[..., Answer]) -> None:
        self._read = read

    # --- a fan's own ---

    def profile(self, sign: SignRequest, program: bytes) -> Answer:
        """`GET /v1/me/profile`: what the program's personalization knows of the account."""
        return self._get("profile", sign, program)

    def messages(self, sign: SignRequest, program: bytes) -> Answer:
        """`GET /v1/me/messages`: what the program has to say now."""
        return self._get("messages", sign, program)

    def recommendations(self, sign: SignRequest, program: bytes, *, limit: int = 10) -> Answer:
        """`GET /v1/me/recommendations`: what may be liked, and what may be needed."""
        return self._get("recommendations", sign, program, limit=limit)

    def questions(self, sign: SignRequest, program: bytes) -> Answer:
        """`GET /v1/me/questions`: the one question that is open, if there is one."""
        return self._get("questions", sign, program)

    def preferences(self, sign: SignRequest, program: bytes) -> Answer:
        """`GET /v1/me/preferences`: how and when the account is spoken to."""
        return self._get("preferences", sign, program)

    def put_preferences(self, sign: SignRequest, program: bytes, said: Mapping[str, Any]) -> Answer:
        """`PUT /v1/me/preferences`: takes the place of what was said before; answers that are left out stay."""
        return self._send("PUT", "preferences", sign, program, said)

    def correct(self, sign: SignRequest, program: bytes, said: Mapping[str, Any]) -> Answer:
        """`PUT /v1/me/profile`: likes, dislikes, wishes."""
        return self._send("PUT", "profile", sign, program, said)

    def reset(self, sign: SignRequest, program: bytes) -> Answer:
        """`DELETE /v1/me/profile`: nothing before now counts any more."""
        parameters = {"program": program.hex()}
        return self._read("DELETE", "/v1/me/profile", parameters=parameters, sign=sign)

    def offers(self, sign: SignRequest, program: bytes) -> Answer:
        """`GET /v1/me/offers`: what plans offered the account, with what each asks for."""
        return self._get("offers", sign, program)

    def give_feedback(self, sign: SignRequest, program: bytes, events: Sequence[Mapping[str, Any]]) -> Answer:
        """`POST /v1/me/feedback`: what was done with messages; what became of each."""
        return self._send("POST", "feedback", sign, program, {"events": list(events)})

    def add_behaviour(self, sign: SignRequest, program: bytes, events: Sequence[Mapping[str, Any]]) -> Answer:
        """`POST /v1/me/behaviour`: what the fan looked at."""
        return self._send("POST", "behaviour", sign, program, {"events": list(events)})

    def _get(self, what: str, sign: SignRequest, program: bytes, **more: int) -> Answer:
        parameters = {"program": program.hex(), **more}
        return self._read("GET", f"/v1/me/{what}", parameters=parameters, sign=sign)

    def _send(self, method: str, what: str, sign: SignRequest, program: bytes, said: Mapping[str, Any]) -> Answer:
        content = msgpack.packb({"program": program.hex(), **said})
        return self._read(method, f"/v1/me/{what}", content=content, sign=sign)

    # --- a brand's ---

    def put_products(
        self, sign: SignRequest, program: bytes, products: Sequence[Mapping[str, Any]], *, zone: str, whole: bool
    ) -> Answer:
        """`PUT /v1/programs/{id}/products`: in as many requests as it takes; the last answer, with `new` of all."""
        parts = [products[first : first + FEED_MAX] for first in range(0, len(products), FEED_MAX)] or [[]]
        answer: dict[str, Any] = {}
        new = 0
        for number, part in enumerate(parts):
            said = {"products": list(part), "zone": zone, "whole": whole and number == 0}
            path = f"/v1/programs/{program.hex()}/products"
            answer = dict(self._read("PUT", path, content=msgpack.packb(said), sign=sign))
            new += answer["new"]
        return answer | {"new": new}

    def drop_products(self, sign: SignRequest, program: bytes) -> Answer:
        """`DELETE /v1/programs/{id}/products`. Harmless a second time."""
        return self._read("DELETE", f"/v1/programs/{program.hex()}/products", sign=sign)

    def segments(self, sign: SignRequest, program: bytes) -> Answer:
        """`GET /v1/programs/{id}/segments`: groups of fans that are large enough."""
        return self._read("GET", f"/v1/programs/{program.hex()}/segments", sign=sign)

    def plan(self, sign: SignRequest, program: bytes, said: Mapping[str, Any]) -> Answer:
        """`POST /v1/programs/{id}/plan`: reach and cost."""
        return self._read("POST", f"/v1/programs/{program.hex()}/plan", content=msgpack.packb(dict(said)), sign=sign)

    # --- plans of offers ---

    def make_offer_plan(self, sign: SignRequest, program: bytes, said: Mapping[str, Any]) -> Answer:
        """`POST /v1/programs/{id}/offer-plans`: whom it would reach, at which cost."""
        return self._read("POST", _plans(program), content=msgpack.packb(dict(said)), sign=sign)

    def offer_plans(self, sign: SignRequest, program: bytes) -> list[Answer]:
        """`GET /v1/programs/{id}/offer-plans`: all pages."""
        return self._every(_plans(program), sign)

    def draw_offer_plan(self, sign: SignRequest, program: bytes, plan: str) -> Answer:
        """`PUT /v1/programs/{id}/offer-plans/{plan}/draw`. Harmless a second time."""
        return self._read("PUT", f"{_plans(program)}/{_part(plan)}/draw", sign=sign)

    def offer_entries(self, sign: SignRequest, program: bytes, plan: str) -> list[Answer]:
        """`GET /v1/programs/{id}/offer-plans/{plan}/entries`: all that is to be signed."""
        return self._every(f"{_plans(program)}/{_part(plan)}/entries", sign)

    def offer_report(self, sign: SignRequest, program: bytes, plan: str) -> Answer:
        """`GET /v1/programs/{id}/offer-plans/{plan}`: what became of it."""
        return self._read("GET", f"{_plans(program)}/{_part(plan)}", sign=sign)

    def _every(self, path: str, sign: SignRequest) -> list[Answer]:
        found: list[Answer] = []
        parameters: dict[str, str | int] = {"limit": PAGE_LIMIT}
        while True:
            page = self._read("GET", path, parameters=parameters, sign=sign)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            parameters["cursor"] = page["next_cursor"]

    # --- webhooks and reports ---

    def make_webhook(self, sign: SignRequest, program: bytes, url: str) -> Answer:
        """`POST /v1/programs/{id}/webhooks`: its id and its secret, which is shown this once."""
        content = msgpack.packb({"url": url})
        return self._read("POST", f"/v1/programs/{program.hex()}/webhooks", content=content, sign=sign)

    def webhooks(self, sign: SignRequest, program: bytes) -> Answer:
        """`GET /v1/programs/{id}/webhooks`: how many messages wait, arrived, or were lost."""
        return self._read("GET", f"/v1/programs/{program.hex()}/webhooks", sign=sign)

    def drop_webhook(self, sign: SignRequest, program: bytes, webhook: bytes) -> Answer:
        """`DELETE /v1/programs/{id}/webhooks/{id}`. Harmless a second time."""
        return self._read("DELETE", f"/v1/programs/{program.hex()}/webhooks/{webhook.hex()}", sign=sign)

    def look(self, sign: SignRequest, program: bytes, said: Mapping[str, Any]) -> Answer:
        """`POST /v1/programs/{id}/service-looks`: a fan's history, as far as the fan opened it to service staff."""
        content = msgpack.packb(dict(said))
        return self._read("POST", f"/v1/programs/{program.hex()}/service-looks", content=content, sign=sign)

    def report(self, sign: SignRequest, program: bytes) -> Answer:
        """`GET /v1/programs/{id}/message-report`: lift against the holdout, and the price of opt-outs."""
        return self._read("GET", f"/v1/programs/{program.hex()}/message-report", sign=sign)


def _plans(program: bytes) -> str:
    return f"/v1/programs/{program.hex()}/offer-plans"


def _part(text: str) -> str:
    """A part of a path as somebody typed it: what can't be an id stays one part, and is refused by the node."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in text) or "-"
