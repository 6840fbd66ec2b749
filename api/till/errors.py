"""What the till service refuses, each with a stable code, and the HTTP status that a POS sees.

503 may be tried again as it is; 401, 403, 409, 422 need a person.
"""

from collections.abc import Mapping
from typing import Final

from ledger.errors import Code, LedgerError

NO_TERMS = Code(
    "till.no_terms",
    "this till has not reached its node yet and does not know the program's terms: {reason}",
    "Connect it to the node once; it signs without a network from then on, for 72 hours.",
)
TERMS_TOO_OLD = Code(
    "till.terms_too_old",
    "the last word from the node is {hours} hours old, and a receipt may name terms of 72 hours ago at most",
    "Connect the till to its node: it signs again once the node answers with blocks of today. GET /status says what is wrong.",
)
CLOCK_OFF = Code(
    "till.clock_off",
    "the clock of this till is off by {seconds} seconds, and at most {maximum} are allowed",
    "Set the computer's clock, best by NTP; wallets refuse receipts of a wrong time. If it is right, that of the node is wrong.",
)
CLOCK_BACK = Code(
    "till.clock_back",
    "the clock says a time {seconds} seconds before one that this till has seen",
    "Set the computer's clock, or connect the till to its node, which says what the time is.",
)
REVOKED = Code(
    "till.revoked",
    "the program has revoked this till's key",
    "Stop selling with it. If that was not meant, its owner grants it again: `fansumer brand grant-issuer`.",
)
NOT_GRANTED = Code(
    "till.not_granted",
    "the program has not granted this till's key the scope {scope}",
    "Its owner grants it: `fansumer brand grant-issuer PROGRAM ADDRESS --scopes till,enrol --daily-cap POINTS`.",
)
CAP_REACHED = Code(
    "till.cap_reached",
    "the sale gives {points} points, and {used} of the {cap} that this till may promise for that day are used",
    "Wait for the program's next day, or let the owner raise the till's daily cap. If you did not sell that much, revoke the key.",
)
OFFER_REFUSED = Code(
    "till.offer_refused",
    "the receipt can't cite this offer: {reason}",
    "Send the sale again without the offer, or sell what it asks for.",
)
SALE_TIME = Code(
    "till.sale_time",
    "a sale of the time {time:time} cannot be signed: {reason}",
    "Leave the time out for a sale of now; one made while the till was off may be up to 72 hours old.",
)
SALE_CONFLICT = Code(
    "till.sale_conflict",
    "another sale was signed under the id {sale}",
    "Give each sale an id of its own; the same sale sent again must be the same in everything.",
)
SALE_UNKNOWN = Code(
    "till.sale_unknown", "this till has signed no sale {sale}", "Send it with POST /sales; check the id."
)
BAD_SALE = Code(
    "till.bad_sale",
    "the sale cannot be read: {field}: {reason}",
    "Compare it with the example of `fansumer till serve --help`, or with GET /openapi.json.",
)
NOT_SET_ASIDE = Code(
    "till.not_set_aside",
    "the receipt of the sale {sale} was not set aside",
    "Nothing is to be done: it is handed over, or will be.",
)
NO_TOKEN = Code(
    "till.no_token",
    "the request has not this till's token",
    "Send the header `Authorization: Bearer TOKEN`; the token is in the file `token` of the till's folder.",
)
TOKEN_EXPOSED = Code(
    "till.token_exposed",
    "the token file {path} can be read by others: {reason}",
    "Set its mode to 0600, or delete it: a new token is made at the next start.",
)
NOT_LOOPBACK = Code(
    "till.not_loopback",
    "{host} is not an address of this computer alone",
    "Listen on 127.0.0.1 or ::1: the token is sent in clear. Let a POS elsewhere come through a tunnel.",
)
OTHER_TILL = Code(
    "till.other_till",
    "the folder {path} belongs to another till: {reason}",
    "Name this till's own folder with --data-dir; by default each key and program has one.",
)
WRONG_CHAIN = Code(
    "till.wrong_chain",
    "the node is on the chain {found}, and this till signs for {known}",
    "Name a node of the till's chain with --node.",
)
WORKER_DIED = Code(
    "till.worker_died",
    "the part of the till that is called {name} broke: {reason}",
    "Read the log and start the till again. Nothing is lost: receipts are kept, and what waits is handed over.",
)
STOPPING = Code("till.stopping", "the till is being stopped", "Send the sale again when it runs: it is signed once.")
NOT_SENT = Code(
    "till.not_sent",
    "the node did not take the fan's request to join, which is good up to block {until}: {reason}",
    "Send the same request again when the node answers: it is taken once, and the fan need not do anything.",
)
NOT_ENROLLED = Code(
    "till.not_enrolled",
    "the node refuses the fan's request to join with {refusal}: {reason}",
    "A fan who is a member already needs nothing. Otherwise let it answer a new invitation: GET /invitation.",
)
NOTHING_SETTLES = Code(
    "till.settling_stopped",
    "the settling key holds no grant with the scope settle",
    "The program's owner grants it: `fansumer brand grant-issuer`; or leave --settle out.",
)

STATUS_BY_CODE: Final[Mapping[Code, int]] = {
    NO_TERMS: 503,
    TERMS_TOO_OLD: 503,
    CLOCK_OFF: 503,
    CLOCK_BACK: 503,
    STOPPING: 503,
    REVOKED: 403,
    NOT_GRANTED: 403,
    CAP_REACHED: 422,
    OFFER_REFUSED: 422,
    SALE_TIME: 422,
    SALE_CONFLICT: 409,
    NOT_SET_ASIDE: 409,
    NOT_SENT: 503,
    NOT_ENROLLED: 422,
    SALE_UNKNOWN: 404,
    BAD_SALE: 400,
    NO_TOKEN: 401,
}


class TillRefused(LedgerError):
    """The till does not do what it was asked for."""
