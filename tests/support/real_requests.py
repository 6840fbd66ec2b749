"""What makes generated requests meet the real world: ids that exist, and bodies and headers that are really signed.

Schemathesis draws requests from the OpenAPI document; such a request names nothing that exists and is signed by nobody. Two
tables put that right in most of the requests that keep to the document, and never in those that are meant to be wrong:

- `PARAMETERS`: by the name of a parameter in a path or a query, texts of this world that may stand there.
  A cursor is one that an earlier answer of the same operation gave.
- `REQUESTS`: by the operation ("POST /v1/transactions"), a function that makes the whole request right: its body and its headers.

A new operation usually needs nothing, or one line: if its path has a parameter whose name is not in `PARAMETERS`, add the name and
where its values come from (and to `HttpWorld` what it takes to have some); if it takes a signed body, or signed headers, add a
function to `REQUESTS`. It is given the case, which it changes in place (`case.path_parameters`, `case.query`, `case.headers`,
`case.body`, `case.media_type`; bytes are given as `as_binary(raw)`), the world, and randomness from the case itself. Headers that
sign the request are computed last, from `case.formatted_path` and the body set before. An operation without success in the world
makes `tests/api/http/test_every_operation.py` fail and say its name. A stream that never ends is cut off by Schemathesis itself.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any, Final

import httpx2
import msgpack
import schemathesis
from schemathesis.transport.serialization import Binary

from api.http.routers.partner import PREFIX as PARTNER_PREFIX
from api.receipts.texts import TextRefused
from api.voice.opening import encode_opening
from api.wallet.builder import Signer as WalletSigner
from api.wallet.request_signing import AccountSigner
from ledger.codec import pack
from ledger.domains.loyalty.receipts import encode_receipt
from ledger.domains.rewards.acceptance import encode_acceptance
from ledger.domains.voice.ballot_reveal import RevealBallot
from ledger.domains.voice.texts import encode_text, text_hash
from ledger.types import Timestamp
from tests.support.attested import KEYS
from tests.support.http_world import PARTNER, HttpWorld
from tests.support.live_votes import SALT
from tests.support.memory_chain import Signer
from tests.support.shop import FAN, OWNER

REAL_PARAMETERS_SHARE: Final = 0.66
REAL_REQUESTS_SHARE: Final = 0.9
"""Of the requests that keep to the document; the others keep what was drawn."""
MSGPACK: Final = "application/msgpack"

PARAMETERS: Final[Mapping[str, Callable[[HttpWorld], Sequence[Any]]]] = {
    "txid": lambda world: [txid.hex() for txid in world.txids],
    "address": lambda world: world.addresses,
    "block": lambda world: world.blocks,
    "mined_block": lambda world: world.mined,
    "program": lambda world: [program.hex() for program in world.programs],
    "redemption": lambda world: [hold.hex() for hold in world.holds],
    "challenge": lambda world: [challenge.hex() for challenge in world.challenges],
    "contest": lambda world: [contest.hex() for contest in world.contests],
    "offer": lambda world: [offer.hex() for offer in world.offers],
    "campaign": lambda world: [campaign.hex() for campaign in world.campaigns],
    "proposal": lambda world: [proposal.hex() for proposal in world.proposals],
    "key": lambda _: [key.hex() for key in KEYS[:5]],
    "height": lambda _: [20, 40],
    "number": lambda _: [0],
    "trust": lambda world: [block for block in world.blocks if len(block) == 64],
    "event": lambda _: ["points.earned", "coin.moved"],
    "limit": lambda _: [1, 2, 50],
    "receipt": lambda world: [receipt.hex() for receipt in world.receipts] or ["5f" * 32],
    "account": lambda world: world.addresses,
    "member": lambda world: world.addresses,
    "contribution": lambda world: [world.said.contribution.hex()],
    "subject": lambda world: [world.shop.program.hex()],
    "text": lambda world: [text_hash(document).hex() for document in world.said.texts],
    "kind": lambda _: ["points.earned", "coin.moved"],
    "webhook": lambda _: ["3e" * 16],
    "plan": lambda world: [world.plan.hex()],
}

Prepare = Callable[[schemathesis.Case, HttpWorld, Random], None]


def send_signed_transaction(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """A signed transaction as canonical bytes, or in JSON."""
    raw = world.sign_transaction(random).raw
    if random.random() < 0.2:  # one bit is wrong: the signature, an amount, the shape
        place = random.randrange(len(raw))
        raw = raw[:place] + bytes([raw[place] ^ 1 << random.randrange(8)]) + raw[place + 1 :]
    if case.media_type == MSGPACK:
        case.body = as_binary(raw)
    else:
        case.media_type = "application/json"
        case.body = {"transaction": b64encode(raw).decode()}


def hand_signed_receipt_over(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """A receipt that the till signed, as canonical bytes or in JSON."""
    raw = encode_receipt(world.sign_receipt(random))
    if case.media_type == MSGPACK:
        case.body = as_binary(pack((raw, ())))
    else:
        case.media_type = "application/json"
        case.body = {"receipt": b64encode(raw).decode(), "lines": []}


def accept_at_the_till(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """An acceptance that the till signed, as canonical bytes or in JSON."""
    raw = encode_acceptance(world.sign_acceptance(random))
    if case.media_type == MSGPACK:
        case.body = as_binary(raw)
    else:
        case.media_type = "application/json"
        case.body = {"acceptance": b64encode(raw).decode()}


def sign_as_fan(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """The headers of RFC 9421 by FAN's key, over method and target."""
    if "{receipt}" in case.operation.label:
        case.path_parameters["receipt"] = world.keep_receipt(random).hex()
    sign_as(FAN, case, world, random)


def sign_as_partner(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """The same by the key of the account with which FAN shares, for FAN's program."""
    case.path_parameters.update(program=world.shop.program.hex(), member=world.text(FAN.address))
    sign_as(PARTNER, case, world, random)


def sign_as(
    who: Signer, case: schemathesis.Case, world: HttpWorld, random: Random, *, content: bytes | None = None
) -> None:
    """The headers of RFC 9421 by somebody's key, over method and target, and a body where there is one."""
    owner = WalletSigner.of_seed(who.seeds[0])
    clock = world.shop.chain.clock
    signer = AccountSigner(
        owner,
        world.text(who.address),
        lambda: float(clock.now()),
        lambda: f"nonce-{next(world.nonces)}-{random.getrandbits(32):x}",
    )
    prepared = httpx2.Request(**_prepared(case), content=content)
    signer(prepared)
    if content is not None:
        case.headers["Content-Digest"] = prepared.headers["content-digest"]
    for name in ("fansumer-account", "fansumer-policy"):
        case.headers.pop(name.title(), None)
    case.headers.update(
        {"Signature": prepared.headers["signature"], "Signature-Input": prepared.headers["signature-input"]}
    )


def hand_opening_over(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """The opening of FAN's sealed ballot, or of another choice, as canonical bytes or in JSON."""
    choice = (random.choice([1, 1, 1, 0]),)
    raw = encode_opening(RevealBallot(world.proposals[1], FAN.address, choice, SALT))
    if case.media_type == MSGPACK:
        case.body = as_binary(raw)
    else:
        case.media_type = "application/json"
        case.body = {"opening": b64encode(raw).decode()}


def name_a_voter(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """A proposal and somebody who may vote on it, or may not."""
    address = world.text(FAN.address) if random.random() < 0.7 else random.choice(world.addresses)
    case.path_parameters.update(proposal=random.choice(world.proposals).hex(), address=address)


def send_delivery_form(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """An encrypted form of FAN's pledge, signed with its body."""
    case.path_parameters.update(campaign=world.campaigns[-1].hex(), number=0)
    form = b"\x01" + random.randbytes(random.choice((48, 200)))
    case.media_type, case.body = MSGPACK, as_binary(form)
    sign_as(FAN, case, world, random, content=form)


def sign_for_program(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """By FAN's key, for the program that FAN lets personalise."""
    case.query["program"] = world.shop.program.hex()
    sign_as(FAN, case, world, random)


def send_signed_object(who: Signer, make: Callable[[HttpWorld, Random], dict[str, Any]]) -> Prepare:
    """A body that is an object, as JSON or MessagePack, signed by somebody."""

    def send(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
        if "program" in case.path_parameters:
            case.path_parameters["program"] = world.shop.program.hex()
        found = make(world, random)
        if random.random() < 0.5:
            case.media_type, content = MSGPACK, msgpack.packb(found)
            case.body = as_binary(content)
        else:
            content = json.dumps(found).encode()
            case.media_type, case.body = "application/json", found
        sign_as(who, case, world, random, content=content)

    return send


def some_behaviour(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What FAN looked at just now."""
    event = {"kind": random.choice(["viewed", "searched"]), "item": "bread", "at": int(world.shop.chain.clock.now())}
    return {"program": world.shop.program.hex(), "events": [event]}


def some_feedback(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What FAN did with a message, or with none that it was shown."""
    event = {"message": "7c" * 32, "kind": "opened", "at": int(world.shop.chain.clock.now())}
    return {"program": world.shop.program.hex(), "events": [event]}


def some_preferences(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What FAN prefers."""
    return {"program": world.shop.program.hex(), "day_max": 5, "answers": {"language": random.choice(["en", "ko"])}}


def some_corrections(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What FAN likes."""
    return {"program": world.shop.program.hex(), "likes": [random.choice(["bakery", "drinks"])]}


def sign_as_brand(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """By the owner of FAN's program."""
    case.path_parameters["program"] = world.shop.program.hex()
    sign_as(OWNER, case, world, random)


def sign_for_plan(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """By the owner, about a plan of FAN's program."""
    case.path_parameters["plan"] = world.plan.hex()
    sign_as_brand(case, world, random)


def some_offer_plan(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What OWNER would like to offer, with a budget or without one."""
    goal = random.choice(["winning_back", "discovery", "challenge"])
    return {"goal": goal, "points_each": 5, "budget_points": random.choice([0, 100, 100, 100])}


def some_webhook(world: HttpWorld, random: Random) -> dict[str, Any]:
    """Where OWNER wants to be told; the world's operator named this host."""
    return {"url": f"http://localhost/{random.getrandbits(16)}"}


def some_plan(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What OWNER thinks of."""
    return {"topic": random.choice(["discovery", "winning_back", "weather"]), "points_each": 5, "budget_points": 100}


def some_look(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What OWNER's staff wants to know of FAN, or of somebody who did not allow it."""
    member = world.text(FAN.address) if random.random() < 0.7 else random.choice(world.addresses)
    return {"member": member, "why": "she asks for her points", "staff": "Mina", "limit": random.choice([1, 20])}


def some_products(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What OWNER sells."""
    price = random.randint(100, 900)
    return {"products": [{"item": "bread", "names": {"en": "Bread"}, "category": "bakery", "price_cents": price}]}


def some_hand_out(world: HttpWorld, random: Random) -> dict[str, Any]:
    """What OWNER waits for before it hands out."""
    return {"level": random.choice(["pool", "blocks", "justified", "final"]), "blocks": random.randint(1, 20)}


def sign_as_creator(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """By the creator of the campaign that takes forms."""
    case.path_parameters["campaign"] = world.campaigns[-1].hex()
    sign_as(OWNER, case, world, random)


def name_a_member(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """A program and one of its members: two names that are chosen apart seldom fit."""
    case.path_parameters.update(program=world.shop.program.hex(), address=world.text(FAN.address))


def name_a_review(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """A subject and somebody who reviewed it."""
    case.path_parameters.update(subject=world.shop.program.hex(), address=world.text(FAN.address))


def bring_a_text(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """A text that the chain names, with the salt that it was hashed with."""
    document = random.choice(world.said.texts)
    case.path_parameters["text"] = text_hash(document).hex()
    if case.media_type == MSGPACK:
        case.body = as_binary(encode_text(document))
        return
    case.media_type = "application/json"
    case.body = {"salt": document.salt.hex(), "content": document.text}


def read_a_text(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """A text that is here, unless its author erased it."""
    document, texts = random.choice(world.said.texts), world.app.state.services.receipts
    found = text_hash(document)
    case.path_parameters["text"] = found.hex()
    with suppress(TextRefused):
        asyncio.run(texts.run(lambda store: store.texts.add(found, FAN.address, document, Timestamp(world.shop.now))))


def _prepared(case: schemathesis.Case) -> dict[str, Any]:
    sent = case.as_transport_kwargs(base_url="http://testserver")
    return {"method": sent["method"], "url": sent["url"], "params": sent.get("params") or None}


def hand_vote_over(case: schemathesis.Case, world: HttpWorld, random: Random) -> None:
    """A vote that an attestor signed, as canonical bytes or in JSON."""
    raw = world.sign_vote(random).encode()
    if case.media_type == MSGPACK:
        case.body = as_binary(raw)
    else:
        case.media_type = "application/json"
        case.body = {"vote": b64encode(raw).decode()}


REQUESTS: Final[Mapping[str, Prepare]] = {
    "POST /v1/acceptances": accept_at_the_till,
    "POST /v1/finality/votes": hand_vote_over,
    "POST /v1/openings": hand_opening_over,
    "POST /v1/receipts": hand_signed_receipt_over,
    "GET /v1/receipts": sign_as_fan,
    "DELETE /v1/receipts": sign_as_fan,
    "GET /v1/receipts/{receipt}": sign_as_fan,
    "DELETE /v1/receipts/{receipt}": sign_as_fan,
    "PUT /v1/receipts/{receipt}/gift": sign_as_fan,
    "DELETE /v1/receipts/{receipt}/gift": sign_as_fan,
    "GET /v1/me/consents": sign_as_fan,
    "GET /v1/me/reads": sign_as_fan,
    "GET /v1/me/access-log": sign_as_fan,
    "GET /v1/me/profile": sign_for_program,
    "PUT /v1/me/profile": send_signed_object(FAN, some_corrections),
    "DELETE /v1/me/profile": sign_for_program,
    "POST /v1/me/behaviour": send_signed_object(FAN, some_behaviour),
    "GET /v1/me/messages": sign_for_program,
    "GET /v1/me/messages/stream": sign_for_program,
    "GET /v1/me/recommendations": sign_for_program,
    "GET /v1/me/questions": sign_for_program,
    "GET /v1/programs/{program}/webhooks": sign_as_brand,
    "POST /v1/programs/{program}/webhooks": send_signed_object(OWNER, some_webhook),
    "DELETE /v1/programs/{program}/webhooks/{webhook}": sign_as_brand,
    "POST /v1/me/feedback": send_signed_object(FAN, some_feedback),
    "GET /v1/me/preferences": sign_for_program,
    "PUT /v1/me/preferences": send_signed_object(FAN, some_preferences),
    "PUT /v1/programs/{program}/products": send_signed_object(OWNER, some_products),
    "DELETE /v1/programs/{program}/products": sign_as_brand,
    "GET /v1/programs/{program}/segments": sign_as_brand,
    "GET /v1/programs/{program}/message-report": sign_as_brand,
    "POST /v1/programs/{program}/service-looks": send_signed_object(OWNER, some_look),
    "POST /v1/programs/{program}/plan": send_signed_object(OWNER, some_plan),
    "POST /v1/programs/{program}/offer-plans": send_signed_object(OWNER, some_offer_plan),
    "GET /v1/programs/{program}/offer-plans": sign_as_brand,
    "GET /v1/programs/{program}/offer-plans/{plan}": sign_for_plan,
    "PUT /v1/programs/{program}/offer-plans/{plan}/draw": sign_for_plan,
    "GET /v1/programs/{program}/offer-plans/{plan}/entries": sign_for_plan,
    "GET /v1/me/offers": sign_for_program,
    "PUT /v1/programs/{program}/hand-out": send_signed_object(OWNER, some_hand_out),
    "GET /v1/me/export": sign_as_fan,
    "DELETE /v1/me": sign_as_fan,
    f"GET {PARTNER_PREFIX}/standing": sign_as_partner,
    f"GET {PARTNER_PREFIX}/history": sign_as_partner,
    f"GET {PARTNER_PREFIX}/receipts": sign_as_partner,
    f"GET {PARTNER_PREFIX}/campaigns": sign_as_partner,
    "PUT /v1/campaigns/{campaign}/pledges/{number}/delivery-form": send_delivery_form,
    "DELETE /v1/campaigns/{campaign}/pledges/{number}/delivery-form": sign_as_creator,
    "GET /v1/campaigns/{campaign}/delivery-forms": sign_as_creator,
    "GET /v1/programs/{program}/members/{address}/proof": name_a_member,
    "GET /v1/proposals/{proposal}/power/{address}": name_a_voter,
    "GET /v1/proposals/{proposal}/ballots/{address}/proof": name_a_voter,
    "GET /v1/reviews/{subject}/{address}": name_a_review,
    "GET /v1/reviews/{subject}/{address}/revisions": name_a_review,
    "GET /v1/reviews/{subject}/{address}/proof": name_a_review,
    "GET /v1/texts/{text}": read_a_text,
    "PUT /v1/texts/{text}": bring_a_text,
    "DELETE /v1/texts/{text}": sign_as_fan,
    "POST /v1/transactions": send_signed_transaction,
    "POST /v1/transactions/dry-run": send_signed_transaction,
}


def as_binary(raw: bytes) -> str:
    """Bytes as a text that has the form which the document asks for, `{"type": "string", "format": "binary"}`."""
    return raw.decode("latin-1")


@schemathesis.serializer(MSGPACK)
def write_binary(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A generated body of canonical bytes. What is no text or bytes (a request meant to be wrong) goes out as JSON."""
    if isinstance(value, Binary):
        return value.data
    if isinstance(value, bytes):
        return value
    return value.encode("latin-1", "replace") if isinstance(value, str) else json.dumps(value, default=str).encode()


def without_half_characters(body: dict[str, Any]) -> Any:
    """What can be sent at all: a schema of anything also generates lone surrogates, which are no text in UTF-8."""
    return json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))


def make_real(case: schemathesis.Case, world: HttpWorld) -> schemathesis.Case:
    """Put what is real into a case that keeps to the document. What is chosen depends on the case and on its turn,
    so that an operation without parameters is not left as it was drawn each time.
    """
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    if isinstance(case.body, dict):
        case.body = without_half_characters(case.body)
    random = Random(repr((case.operation.label, case.path_parameters, case.query, case.body, next(world.nonces))))
    if random.random() < REAL_PARAMETERS_SHARE:
        for container in (case.path_parameters, case.query):
            for name in sorted(set(container) & set(PARAMETERS)):
                container[name] = random.choice(PARAMETERS[name](world))
        cursors = world.cursors.get(case.operation.label)
        if "cursor" in case.query and cursors:
            path_parameters, case.query["cursor"] = random.choice(cursors)
            case.path_parameters.update(path_parameters)
    prepare = REQUESTS.get(case.operation.label)
    if prepare is not None and random.random() < REAL_REQUESTS_SHARE:
        prepare(case, world, random)
    return case


def remember_cursor(case: schemathesis.Case, world: HttpWorld, response: schemathesis.Response) -> None:
    """Keep the cursor of a page that has a next one."""
    if response.status_code != 200 or "cursor" not in {found.name for found in case.operation.query}:
        return
    cursor = response.json()["next_cursor"]
    if cursor is not None:
        world.cursors.setdefault(case.operation.label, []).append((dict(case.path_parameters), cursor))
