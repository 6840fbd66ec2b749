"""What a node holds on a fan: the fan gets all of it, and deletes what can be deleted."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, Table, select

from api.http.export_desk import WAITING_MAX, find_parts
from api.http.routers import own_data
from api.http.schemas.own_data import ConsentsAnswer, DeletionAnswer, ExportAnswer
from api.http.schemas.receipts import GiftAnswer
from api.receipts import tables as receipt_tables
from api.receipts.access_log import Read
from api.receipts.behaviour import Deed
from api.receipts.inbox import KeptFeedback, KeptMessage
from api.receipts.offer_plans import DrawnOffer, KeptPlan
from api.receipts.store import ReceiptStore
from api.receipts.webhooks import Delivery
from api.voice.opening import encode_opening
from api.wallet.delivery_forms import seal_form
from api.wallet.offers import make_offer
from ledger.block import Block
from ledger.codec import unpack
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.offers.terms import encode_offer
from ledger.domains.rewards.acceptance import AcceptanceStatement, encode_acceptance, sign_acceptance
from ledger.domains.voice.ballot_reveal import RevealBallot
from ledger.domains.voice.texts import TextDocument, encode_text, text_hash
from ledger.transaction import decode_transaction
from ledger.transition import Undo
from ledger.types import Address, Amount, Hash, Points, ProgramId, ProposalId, ReceiptHash, Timestamp, TxId
from node.store import tables as node_tables
from node.store.engine import open_engine
from tests.api.receipts.test_store import found_in, secrets_of
from tests.support import live_votes
from tests.support.contests import GRACE_DAYS, contest, sign
from tests.support.live_shop import MINER, LiveShop
from tests.support.memory_chain import DAY_SECONDS
from tests.support.partner_shop import PARTNER, PartnerShop
from tests.support.receipt_shop import LINES, json_body
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, TILL
from tests.support.spoken import CRITICISM, speak

HOLD_NOTHING_OF_A_FAN = {
    "meta": "facts of the store",
    "headers": "80 bytes of a block, which name nobody",
    "active": "which block is at which height",
    "certificates": "who of the attestors voted for which checkpoint",
    "justified": "checkpoints",
    "attestor_sets": "keys and weights of attestors",
    "erased": "hashes of erased receipts; whose each was, is not kept",
    "erased_texts": "hashes of erased texts, which stand on the chain, too",
    "scrubs": "whether files must be written anew",
    "nonces": "hashes that name nobody, for two minutes",
    "products": "what a brand says of its products",
    "hand_outs": "what a brand waits for before it hands out",
    "webhooks": "addresses of brands, with the secrets by which they know who sends",
    "shops": "the zone that a brand says its shop is in",
    "offer_plans": "what brands plan to offer whole groups",
}
"""Tables in which nothing stands that names an account. A new table is either here, with the reason, or in `PLANTED`."""


@dataclass(frozen=True)
class Planted:
    """How the rows of a table that concern FAN are known, and how an export shows one."""

    concerns: Callable[[Row[Any]], bool]
    is_shown: Callable[[dict[str, Any], Row[Any]], bool]


def holds_fan(row: Row[Any]) -> bool:
    return any(isinstance(value, bytes) and FAN.address in value for value in row)


def has(section: str, **wanted: Any) -> Callable[[dict[str, Any], Row[Any]], bool]:
    """Whether a section has an item whose fields are those of the row."""

    def is_shown(export: dict[str, Any], row: Row[Any]) -> bool:
        fields = {name: read(row) for name, read in wanted.items()}
        return any(fields.items() <= item.items() for item in export[section])

    return is_shown


def shows_undone(export: dict[str, Any], row: Row[Any]) -> bool:
    """Every record of the fan's in the undo of a block."""
    found = [item["bytes"] for item in export["earlier_records"] if item["before_height"] == row.height]
    contents = [content for _, content in Undo.decode(row.data).contents if content is not None]
    mine = [one for one in contents if FAN.address in one.key or FAN.address in one.value_bytes]
    return sorted(found) == sorted(b64encode(one.value_bytes).decode() for one in mine) and bool(mine)


def lines_of(row: Row[Any]) -> list[list[Any]]:
    """As JSON shows them."""
    lines = unpack(row.lines)
    assert isinstance(lines, tuple)
    return json.loads(json.dumps(lines))


PLANTED = {
    "bodies": Planted(holds_fan, has("transactions", block=lambda row: row.hash[::-1].hex())),
    "undo": Planted(holds_fan, shows_undone),
    "records": Planted(
        holds_fan, has("records", key=lambda row: row.key.hex(), bytes=lambda row: b64encode(row.value).decode())
    ),
    "transactions": Planted(lambda _: True, has("transactions", txid=lambda row: row.txid.hex())),
    "history": Planted(
        holds_fan,
        has(
            "events",
            height=lambda row: row.height,
            sequence=lambda row: row.sequence,
            subject=lambda row: row.subject.hex(),
        ),
    ),
    "listing": Planted(holds_fan, has("lists", list=lambda row: row.kind, id=lambda row: row.id.hex())),
    "receipts": Planted(holds_fan, has("receipts", id=lambda row: row.receipt.hex(), lines=lines_of)),
    "gifts": Planted(
        holds_fan, has("gifts", receipt=lambda row: row.receipt.hex(), marked_at=lambda row: row.marked_at)
    ),
    "delivery_forms": Planted(
        holds_fan, has("delivery_forms", campaign=lambda row: row.campaign.hex(), number=lambda row: row.number)
    ),
    "acceptances": Planted(holds_fan, has("acceptances", redemption=lambda row: row.hold.hex())),
    "openings": Planted(holds_fan, has("openings", proposal=lambda row: row.proposal.hex())),
    "behaviour": Planted(holds_fan, has("behaviour", item=lambda row: row.item, at=lambda row: row.at)),
    "preferences": Planted(holds_fan, has("preferences", said=lambda row: json.loads(row.document))),
    "messages": Planted(
        holds_fan,
        has("messages", message=lambda row: row.message.hex(), content=lambda row: json.loads(row.document)),
    ),
    "feedback": Planted(holds_fan, has("feedback", message=lambda row: row.message.hex(), kind=lambda row: row.kind)),
    "deliveries": Planted(
        holds_fan, has("deliveries", message=lambda row: row.message.hex(), body=lambda row: row.body.decode())
    ),
    "drawn_offers": Planted(
        holds_fan, has("drawn_offers", offer=lambda row: row.offer.hex(), about=lambda row: json.loads(row.document))
    ),
    "texts": Planted(holds_fan, has("texts", text=lambda row: row.text.hex(), kept_at=lambda row: row.kept_at)),
    "reads": Planted(
        holds_fan,
        lambda export, row: any(
            (item["time"], item["scope"], item["given"], item["times"])
            == (row.first_at, row.scope, row.given, row.times)
            for item in export["reads" if row.member == FAN.address else "reads_of_others"]
        ),
    ),
    "revocations": Planted(
        holds_fan, has("revocations", consent=lambda row: row.consent.hex(), txid=lambda row: row.txid.hex())
    ),
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PartnerShop]:
    """A shop with something of FAN's in every table: it bought, redeemed, pledged, contested, shared, read, revoked, and waits."""
    shop = LiveShop(tmp_path / "data")
    shop.join(FAN, FRIEND)
    shop.earn(FAN, 5_000)
    found = PartnerShop(shop)
    shop.redeem(FAN, shop.list_reward())
    shop.pledge(FAN, shop.create_campaign(in_points=True), 50)
    bought = sign(shop, FAN)
    shop.chain.advance(days=GRACE_DAYS, blocks=8)
    shop.chain.mine(2)
    contest(shop, bought)
    shop.redeem(FAN, shop.list_reward(price=1))
    live_votes.commit(shop, live_votes.ask(shop, is_sealed=True), FAN, 1)
    speak(shop)
    found.grant("receipts", "history")
    found.grant("standing", fan=FRIEND, to=FAN.address)
    yield found
    found.close()
    shop.close()


def plant(desk: PartnerShop) -> list[ReceiptHash]:
    """What lies off the chain, and what waits. Returns FAN's receipts."""
    mine = [desk.hand_over(desk.sign()) for _ in range(3)]
    desk.hand_over(desk.sign((("Friend's own tea", 1),), member=FRIEND.address), (("Friend's own tea", 1),))
    desk.ask(f"/v1/receipts/{mine[0].hex()}/gift", method="PUT")
    assert desk.is_let_in("receipts") and not desk.is_let_in("standing")
    assert desk.is_let_in("standing", by=FAN, fan=FRIEND)
    send_delivery_form(desk)
    desk.revoke("history")
    accept_redemption(desk)
    hand_opening_over(desk)
    bring_text(desk, CRITICISM)
    plant_personal(desk)
    transfer = desk.shop.chain.sign("transfer", Transfer(ToAccount(FAN.address), Amount(20_000)), author=OWNER)
    assert desk.post(transfer).status_code == 202
    return mine


def hand_opening_over(desk: PartnerShop) -> None:
    """The node keeps the opening of FAN's sealed ballot."""
    proposal = ProposalId(bytes.fromhex(desk.http.get("/v1/proposals").json()["items"][0]["id"]))
    raw = encode_opening(RevealBallot(proposal, FAN.address, (1,), live_votes.SALT))
    answer = desk.http.post("/v1/openings", content=raw, headers={"content-type": "application/msgpack"})
    assert answer.status_code == 201, answer.text


def bring_text(desk: PartnerShop, document: TextDocument) -> None:
    """Somebody brings a text that FAN wrote."""
    headers = {"content-type": "application/msgpack"}
    path = f"/v1/texts/{text_hash(document).hex()}"
    answer = desk.http.put(path, content=encode_text(document), headers=headers)
    assert answer.status_code == 200, answer.text


def send_delivery_form(desk: PartnerShop) -> None:
    """FAN tells a creator where to send things."""
    key = bytes(range(32))
    due = Timestamp(desk.shop.now + 40 * DAY_SECONDS)
    campaign = desk.shop.create_campaign(days=30, delivery_due=due, delivery_key=key)
    desk.shop.pledge(FAN, campaign, 5)
    path = f"/v1/campaigns/{campaign.hex()}/pledges/0/delivery-form"
    headers = {"content-type": "application/msgpack"}
    desk.ask(path, method="PUT", content=seal_form(key, campaign, 0, "1 Street"), headers=headers)


def plant_personal(desk: PartnerShop) -> None:
    """What personalization keeps of FAN."""
    program, now = desk.shop.program, Timestamp(desk.shop.chain.clock.now())
    message = KeptMessage(
        Hash(b"m" * 32), FAN.address, program, "recall", now, now, now + 9, False, {"texts": {"en": "Bring it back."}}
    )
    said = KeptFeedback(message.id, FAN.address, program, "opened", now, now)

    def keep(store: ReceiptStore) -> None:
        store.behaviour.add(FAN.address, program, [Deed("viewed", "a lamp", 0, now, now)], now)
        store.preferences.change(FAN.address, program, now, lambda _: {"language": "ko", "dislikes": ["lamps"]})
        store.inbox.add([message], now)
        store.inbox.add_feedback(said)
        waiting = Delivery(b"d" * 32, b"w" * 16, FAN.address, program, message.id, b"{}", now, now, 0, 0, "")
        store.webhooks.queue(waiting)
        plan = KeptPlan(b"p" * 16, program, {"goal": "discovery"}, now)
        store.offer_plans.add(plan)
        offer = make_offer(program, FAN.address, points=Points(5), expires_at=Timestamp(now + 9), from_time=now)
        drawn = DrawnOffer(
            plan.id, FAN.address, program, offer.offer_id, encode_offer(offer), {"goal": "discovery"}, now, now + 9
        )
        assert store.offer_plans.draw(plan, [drawn], now, Timestamp(now + 9))

    asyncio.run(desk.app.state.services.receipts.run(keep))


def accept_redemption(desk: PartnerShop) -> None:
    """The till accepts what FAN redeemed last."""
    with desk.shop.node.reader.snapshot() as view:
        ((hold, _),) = view.open_holds(FAN.address)
        (opened,) = view.history(hold, None, 2)
    assert opened.txid is not None
    statement = AcceptanceStatement(
        version=1,
        program=desk.shop.program,
        txid=opened.txid,
        hold=hold,
        member=FAN.address,
        till=TILL.key,
        accepted_at=Timestamp(desk.shop.chain.clock.now()),
        depth=100,
    )
    signed = sign_acceptance(statement, desk.shop.node.chain.chain_id, TILL.seeds[0])
    headers = {"content-type": "application/msgpack"}
    answer = desk.http.post("/v1/acceptances", content=encode_acceptance(signed), headers=headers)
    assert answer.status_code == 201, answer.text


def stores_of(desk: PartnerShop) -> list[tuple[str, dict[str, Table]]]:
    folder = desk.shop.node.config.data_dir
    return [
        (f"sqlite:///{folder / 'chain.sqlite'}", dict(node_tables.metadata.tables)),
        (f"sqlite:///{folder / 'receipts.sqlite'}", dict(receipt_tables.metadata.tables)),
    ]


def test_every_row_of_every_table_that_concerns_a_fan_is_in_its_export(desk: PartnerShop) -> None:
    plant(desk)
    export = desk.ask("/v1/me/export")
    ExportAnswer.model_validate(export, strict=True)
    assert [item["kind"] for item in export["pending"]] == ["consent.revoke", "transfer"]
    assert all(item["raw"] for item in export["transactions"] if item.get("author") == desk.text(FAN))
    known: set[str] = set()
    for url, tables in stores_of(desk):
        engine = open_engine(url, read_only=True)
        with engine.connect() as connection:
            for name, table in tables.items():
                known.add(name)
                rows = connection.execute(select(table)).fetchall()
                if name in HOLD_NOTHING_OF_A_FAN:
                    assert not any(holds_fan(row) for row in rows), f"{name} was said to hold nothing of a fan"
                    continue
                assert name in PLANTED, f"{name} is a new table: does it hold anything of a fan, and is that exported?"
                mine = [row for row in rows if PLANTED[name].concerns(row)]
                if name == "transactions":
                    bodies = connection.execute(select(tables["bodies"].c.block)).scalars().all()
                    mine = [row for row in mine if mentions(desk, bodies, row.txid)]
                assert mine, f"the test plants nothing in {name}"
                assert [row for row in mine if not PLANTED[name].is_shown(export, row)] == [], name
        engine.dispose()
    assert known == set(HOLD_NOTHING_OF_A_FAN) | set(PLANTED)


def mentions(desk: PartnerShop, blocks: Any, txid: bytes) -> bool:
    found = [raw for block in blocks for raw in Block.decode(block).transactions]
    by_txid = {decode_transaction(raw, desk.shop.chain.chain_id).txid: raw for raw in found}
    return FAN.address in by_txid[TxId(txid)]


def test_an_export_holds_nothing_of_others(desk: PartnerShop) -> None:
    plant(desk)
    text = json.dumps(desk.ask("/v1/me/export"))
    assert "Friend's own tea" not in text and "Rye bread" in text
    of_friend = json.dumps(desk.ask("/v1/me/export", FRIEND))
    assert "Friend's own tea" in of_friend and "Rye bread" not in of_friend
    stranger = desk.ask("/v1/me/export", PARTNER)
    assert stranger["receipts"] == [] and len(stranger["reads_of_others"]) == 2 and stranger["reads"] == []
    batch = next(item for item in desk.ask("/v1/me/export")["transactions"] if item["kind"] == "earn")
    assert batch["raw"] is None and len(batch["parts"]) == 1, "of others' transactions only what names the fan"


def test_an_export_of_many_receipts_and_reads(desk: PartnerShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_data, "ROWS_PER_CHUNK", 2)
    wanted = [desk.hand_over(desk.sign()).hex() for _ in range(5)]
    for _ in range(5):
        desk.is_let_in("receipts")
    export = desk.ask("/v1/me/export")
    assert [item["id"] for item in export["receipts"]] == wanted[::-1]
    assert len(export["reads"]) == 5 and export["complete"] is True


def test_looking_up_is_bounded(desk: PartnerShop) -> None:
    desk.app.state.services.exports._waiting = WAITING_MAX
    response = desk.send(desk.request(path="/v1/me/export"))
    assert (response.status_code, response.json()["code"]) == (503, "me.busy")
    response = desk.send(desk.request("DELETE", "/v1/me"))
    assert (response.status_code, response.json()["code"]) == (503, "me.busy")


def test_parts_of_a_value_that_hold_something() -> None:
    value = (1, b"x" * 3, ((2, b"aNa"), (3, b"b")), ("N", (b"NN", (b"N",))))
    assert find_parts(value, b"N") == [(2, b"aNa"), (b"NN", (b"N",))]
    assert find_parts(value, b"nothing") == []
    assert find_parts(b"N", b"N") == []


def test_deletion_says_what_is_gone_and_what_remains(desk: PartnerShop, tmp_path: Path) -> None:
    before = desk.shop.node.chain.state_root
    points = desk.shop.points_of(FAN)
    first = desk.sign()
    mine = [*plant(desk), desk.hand_over(first)]
    wanted = secrets_of(first.salt, tuple(LINES))
    folder = desk.shop.node.config.data_dir
    assert found_in(folder, wanted)
    report = desk.ask("/v1/me", method="DELETE")
    DeletionAnswer.model_validate(report, strict=True)
    gone = {item["what"]: item["count"] for item in report["gone"]}
    assert gone == {
        "receipts": 4,
        "lines of receipts": 8,
        "gift marks": 1,
        "rows of the log of reads": 2,
        "notes of revocations that are in a block": 0,
        "shops' acceptances of redemptions": 1,
        "openings of sealed ballots, which this node will not send any more": 1,
        "texts that you wrote": 1,
        "delivery forms for campaigns": 1,
        "what you looked at and searched for": 1,
        "preferences and corrections of your profile": 1,
        "messages that were decided for you": 1,
        "what you did with messages": 1,
        "messages that were sent out, or wait for that": 1,
        "terms of offers that plans drew for you, without which nobody can show what an offer on the chain asks for": 1,
    }
    remains = {item["what"]: item["count"] for item in report["remains"]}
    assert remains["records on the chain"] > 3 and remains["blocks that name the account"] > 3
    assert remains["noted revocations"] == 1 and remains["rows that say what you read of others"] == 1
    assert remains["transactions that wait for a block"] == 2
    assert all(item["why"].endswith(".") for item in report["remains"])
    assert {item["what"] for item in report["remains"] if item["count"] is None} == {
        what for name, what, _ in own_data.REMAINS if not name
    }
    assert found_in(folder, wanted) == []
    assert found_in(folder, [b"Friend's own tea"]), "nobody else's is touched"
    desk.shop.chain.mine()
    again = desk.ask("/v1/me", method="DELETE")
    assert [item["count"] for item in again["gone"]] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], (
        "the revocation is in a block now"
    )
    assert not desk.is_let_in("history"), "what was taken back stays so"
    assert desk.shop.points_of(FAN) == points and desk.shop.node.chain.state_root != before
    for receipt in mine:
        response = desk.send(desk.request(path=f"/v1/receipts/{receipt.hex()}"))
        assert response.json()["code"] == "receipt.unknown"
    handed = desk.http.post("/v1/receipts", json=json_body(first, LINES))
    assert handed.json()["code"] == "receipt.erased", "it stays away"
    export = desk.ask("/v1/me/export")
    assert export["receipts"] == export["gifts"] == export["revocations"] == []
    assert [item["scope"] for item in export["reads"]] == ["history"], "only what came after"


def test_no_file_of_the_receipt_store_knows_the_fan_after_a_deletion(desk: PartnerShop) -> None:
    plant(desk)
    desk.shop.chain.mine()
    desk.ask("/v1/me", FRIEND, method="DELETE")  # whose log names FAN as a reader
    desk.ask("/v1/me", method="DELETE")
    folder = desk.shop.node.config.data_dir
    for path in folder.glob("receipts.sqlite*"):
        assert FAN.address not in path.read_bytes(), path.name
    desk.close()
    for path in folder.glob("receipts.sqlite*"):
        assert FAN.address not in path.read_bytes(), path.name


def test_a_deletion_that_was_cut_off_before_the_scrub_is_finished_at_the_next_opening(tmp_path: Path) -> None:
    url, now = f"sqlite:///{tmp_path / 'receipts.sqlite'}", Timestamp(1_767_225_600)
    store = ReceiptStore(url)
    store.log.add(Read(FAN.address, Address(PARTNER.address), ProgramId(NOWHERE), 1, "history", now, now))
    assert store.delete_all(FAN.address, now, []).reads == 1
    store.close()
    store = ReceiptStore(url)
    assert store.log.page(FAN.address, now=now, before=None, limit=9) == []
    assert found_in(tmp_path, [FAN.address]) == []
    store.close()


def test_gifts_are_marked_by_their_fans_and_cost_nothing(desk: PartnerShop) -> None:
    mine, theirs = desk.hand_over(desk.sign()), desk.hand_over(desk.sign(member=FRIEND.address))
    root = desk.shop.node.chain.state_root
    path = f"/v1/receipts/{mine.hex()}/gift"
    for _ in range(2):
        assert GiftAnswer.model_validate(desk.ask(path, method="PUT"), strict=True).gift is True
    assert desk.ask("/v1/receipts")["items"][0]["gift"] is True
    assert desk.ask(f"/v1/receipts/{mine.hex()}")["gift"] is True
    for receipt, who in ((theirs, FAN), (mine, FRIEND), (NOWHERE, FAN)):
        for method in ("PUT", "DELETE"):
            response = desk.send(desk.request(method, f"/v1/receipts/{receipt.hex()}/gift", sign=desk.owner(who)))
            assert (response.status_code, response.json()["code"]) == (404, "receipt.unknown")
    for _ in range(2):
        assert desk.ask(path, method="DELETE") == {"id": mine.hex(), "gift": False}
    assert desk.shop.node.chain.state_root == root
    desk.ask(path, method="PUT")
    desk.ask(f"/v1/receipts/{mine.hex()}", method="DELETE")
    assert desk.ask("/v1/me/export")["gifts"] == [], "the mark goes with the receipt"


def test_a_fan_sees_its_consents(desk: PartnerShop) -> None:
    ends = desk.shop.chain.time + 3_600
    desk.grant("campaigns", expires_at=ends)
    desk.grant("", to=desk.shop.program, purpose=0)
    desk.shop.chain.clock.set(ends)
    answer = desk.ask("/v1/me/consents", params={"limit": 2})
    rest = desk.ask("/v1/me/consents", params={"cursor": answer["next_cursor"]})
    ConsentsAnswer.model_validate(answer, strict=True)
    items = answer["items"] + rest["items"]
    assert [(item["scope"], item["state"], item["obeyed"]) for item in items] == [
        ("receipts", "active", True),
        ("history", "active", True),
        ("campaigns", "expired", False),
        ("", "active", True),
    ]
    assert items[0]["grantee"] == desk.text(PARTNER) and items[3]["grantee"] == desk.shop.program.hex()
    assert desk.ask("/v1/me/consents", PARTNER)["items"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/me/reads"), ("GET", "/v1/me/export"), ("GET", "/v1/me/consents"), ("DELETE", "/v1/me")],
)
def test_only_the_account_itself_is_answered(desk: PartnerShop, method: str, path: str) -> None:
    response = desk.http.request(method, path)
    assert (response.status_code, response.json()["code"]) == (401, "signature.missing")


def test_what_is_private_stays_in_no_cache(desk: PartnerShop) -> None:
    desk.hand_over(desk.sign())
    for path in ("/v1/me/export", "/v1/me/reads", "/v1/receipts", "/v1/me/nothing"):
        assert desk.send(desk.request(path=path)).headers["cache-control"] == "no-store", path
    assert "cache-control" not in desk.http.get("/v1/chain").headers


def test_a_miner_finds_the_blocks_that_paid_it(desk: PartnerShop) -> None:
    export = desk.ask("/v1/me/export", MINER)
    rewards = [item for item in export["transactions"] if item["kind"] == "reward"]
    assert len(rewards) == desk.shop.chain.height - 1
    assert all(item["position"] is None and len(item["parts"]) == 1 for item in rewards)
