"""A consent that is taken back: obeyed when the node receives it, whatever becomes of the transaction, the node or the chain."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.consent import revocations
from api.http.app import create_app
from api.http.settings import HttpSettings
from api.receipts.revocation_notes import RevocationNotes
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PUBLISH, SHARE
from ledger.domains.loyalty.earn import Earn, OpenEntry
from ledger.transaction import OwnFee, Prepaid, Transaction, decode_transaction, encode_transaction, signing_hash
from ledger.types import Amount, ReceiptHash, Timestamp
from node.clock import ManualClock
from node.errors import NodeError
from node.mempool.policy import MempoolLimits
from node.mempool.pool import FULL
from node.node import Node, NodeConfig
from node.store.engine import STORE_FULL
from node.tip import ConnectedBlock, TipChanged
from tests.support.branching_chain import BranchingChain
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import Signer, sim_params
from tests.support.partner_shop import PARTNER, PartnerShop
from tests.support.shop import FAN, FRIEND, OWNER, STRANGER, TILL, some_hash

PARAMS = sim_params(*(who.address for who in (FAN, FRIEND, OWNER, TILL, PARTNER)), validity_blocks_max=20)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PartnerShop]:
    """A shop whose fan FAN shares its standing with PARTNER."""
    shop = LiveShop(tmp_path / "data", params=PARAMS)
    shop.join(FAN, FRIEND)
    found = PartnerShop(shop)
    found.grant("standing")
    assert found.is_let_in("standing")
    yield found
    found.close()
    shop.close()


def fill_pool(desk: PartnerShop) -> None:
    """Leave no room for anything that pays little."""
    pool, chain = desk.shop.node.mempool, desk.shop.chain
    payload, much = Transfer(ToAccount(FAN.address), Amount(10_000)), OwnFee(Amount(1_000_000))
    for author in (OWNER, TILL):
        chain.submit(chain.sign("transfer", payload, author=author, payment=much))
    pool._limits = replace(MempoolLimits(), weight_max=pool.weight)


def notes_in(desk: PartnerShop) -> list[bytes]:
    """The txids of the noted revocations on disk."""
    path = desk.shop.node.config.data_dir / "receipts.sqlite"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return [row[0] for row in database.execute("SELECT txid FROM revocations")]


def state_of(desk: PartnerShop) -> tuple[str, bool]:
    (item,) = desk.ask("/v1/me/consents")["items"]
    return item["state"], item["obeyed"]


def test_it_counts_at_the_next_read_before_any_block(desk: PartnerShop) -> None:
    assert state_of(desk) == ("active", True)
    height = desk.shop.chain.height
    revocation = desk.revoke("standing")
    assert not desk.is_let_in("standing")
    assert state_of(desk) == ("revocation_received", False)
    assert desk.shop.chain.height == height and notes_in(desk) == [revocation.txid]
    desk.shop.chain.mine()
    assert not desk.is_let_in("standing")
    assert state_of(desk) == ("revoked", False)


def test_the_same_bytes_twice_count_once(desk: PartnerShop) -> None:
    revocation = desk.revoke("standing")
    assert desk.post(revocation).status_code == 202
    assert notes_in(desk) == [revocation.txid]


def test_another_scope_is_not_touched(desk: PartnerShop) -> None:
    desk.grant("history", "")
    desk.revoke("history")
    assert desk.is_let_in("standing")
    assert desk.is_let_in("history"), "the consent to all of it still covers it"
    desk.revoke("")
    assert not desk.is_let_in("history")
    assert desk.is_let_in("standing"), "this one was granted by its name"


def test_a_full_pool_refuses_it_and_it_counts_all_the_same(desk: PartnerShop) -> None:
    fill_pool(desk)
    revocation = desk.sign_revocation("standing")
    response = desk.post(revocation)
    assert (response.status_code, response.json()["code"]) == (503, FULL.name)
    assert not desk.is_let_in("standing")
    assert notes_in(desk) == [revocation.txid]
    desk.shop.chain.mine()  # room again: the node sends it by itself
    assert not desk.is_let_in("standing")
    assert desk.ask(f"/v1/transactions/{revocation.txid.hex()}")["status"] == "unconfirmed"
    desk.shop.chain.mine()
    assert desk.ask(f"/v1/transactions/{revocation.txid.hex()}")["status"] == "confirmed"


@pytest.mark.parametrize("is_full", [False, True])
def test_it_survives_a_restart(desk: PartnerShop, is_full: bool) -> None:
    if is_full:
        fill_pool(desk)
    revocation = desk.sign_revocation("standing")
    desk.post(revocation)
    again = desk.restart()
    assert not again.is_let_in("standing")
    assert again.ask(f"/v1/transactions/{revocation.txid.hex()}")["status"] == "unconfirmed", "it waits in the new pool"
    again.shop.chain.mine()
    assert not again.is_let_in("standing")
    assert again.ask(f"/v1/transactions/{revocation.txid.hex()}")["status"] == "confirmed"
    again.close()


def test_a_note_goes_once_no_block_that_holds_it_can_be_outdone_by_what_is_valid_still(desk: PartnerShop) -> None:
    desk.revoke("standing")
    desk.shop.chain.mine(PARAMS.validity_blocks_max)
    assert len(notes_in(desk)) == 1
    desk.shop.chain.mine(2)
    assert not desk.is_let_in("standing")
    assert notes_in(desk) == []


def test_granting_again(desk: PartnerShop) -> None:
    desk.revoke("standing")
    assert desk.post(desk.sign_grant("standing")).status_code == 202
    assert not desk.is_let_in("standing"), "until it is in a block"
    desk.shop.chain.mine()
    assert desk.is_let_in("standing")
    again = desk.restart()
    assert again.is_let_in("standing")
    again.revoke("standing")
    assert not again.is_let_in("standing")
    again.shop.chain.mine(2)
    again.grant("standing")
    assert again.is_let_in("standing")
    again.close()


def test_a_grant_that_waits_is_taken_back_too(desk: PartnerShop) -> None:
    assert desk.post(desk.sign_grant("history")).status_code == 202
    desk.revoke("history")
    desk.shop.chain.mine()
    assert not desk.is_let_in("history")
    desk.shop.chain.mine()
    assert not desk.is_let_in("history")


def test_a_grant_that_was_held_back_brings_nothing_back(desk: PartnerShop) -> None:
    """Signed before the revocation, kept by the partner, sent after it: the chain takes it, this node shares nothing."""
    held_back = desk.sign_grant("standing")
    desk.shop.chain.mine()
    desk.revoke("standing")
    desk.shop.chain.mine()
    assert desk.post(held_back).status_code == 202
    desk.shop.chain.mine()
    assert not desk.is_let_in("standing")
    assert state_of(desk) == ("revocation_received", False)
    desk.grant("standing")
    assert desk.is_let_in("standing")


def test_a_grant_that_another_node_took_lifts_it_by_its_height(
    desk: PartnerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "GRANTS_PER_PAGE", 1)
    fill_pool(desk)
    assert desk.post(desk.sign_revocation("standing")).status_code == 503
    desk.shop.node.mempool._followers_of_consents.clear()  # what follows comes in blocks of others
    desk.shop.chain.mine()
    desk.grant("history")
    assert not desk.is_let_in("standing")
    desk.grant("standing")
    desk.grant("campaigns")
    assert desk.is_let_in("standing")


def test_nobody_revokes_for_somebody_else(desk: PartnerShop) -> None:
    """A full pool looks at fees before it looks at policies: the note must not."""
    fill_pool(desk)
    chain = desk.shop.chain
    theirs = chain.sign(
        "consent.revoke", ConsentRevoke(PARTNER.address, SHARE, "standing"), author=FAN, payment=Prepaid()
    )
    forged = forge(desk, theirs, STRANGER)
    assert desk.post(forged).status_code == 503
    assert desk.is_let_in("standing") and notes_in(desk) == []
    broken = decode_transaction(theirs.raw[:-1] + bytes([theirs.raw[-1] ^ 1]), chain.chain_id)
    assert desk.post(broken).status_code == 422
    assert desk.is_let_in("standing") and notes_in(desk) == []


def forge(desk: PartnerShop, transaction: Transaction, by: Signer) -> Transaction:
    """The same body under another policy and its good signature."""
    message = signing_hash(desk.shop.chain.chain_id, transaction.body_bytes)
    raw = encode_transaction(transaction.body_bytes, (by.sign(message),))
    return decode_transaction(raw, desk.shop.chain.chain_id)


def test_the_present_keys_revoke_and_the_former_do_not(desk: PartnerShop) -> None:
    successor = Signer.named("successor")
    desk.shop.chain.send("account.set_policy", SetPolicy(successor.policy), author=FAN)
    fill_pool(desk)
    assert desk.post(desk.sign_revocation("standing")).status_code == 503
    assert desk.is_let_in("standing")
    assert desk.post(desk.sign_revocation("standing", FAN.governed_by(successor))).status_code == 503
    assert not desk.is_let_in("standing")


def test_an_old_revocation_that_is_sent_again_ends_no_newer_consent(desk: PartnerShop) -> None:
    old = desk.revoke("standing")
    desk.shop.chain.mine()
    desk.grant("standing")
    assert desk.is_let_in("standing")
    assert desk.post(old).json()["code"] == "envelope.repeated"
    assert desk.is_let_in("standing")
    desk.shop.chain.mine(25)
    assert desk.post(old).json()["code"] == "envelope.expired"
    fill_pool(desk)
    assert desk.post(old).status_code in (422, 503)
    assert desk.is_let_in("standing")
    endless = desk.sign_revocation("standing", valid_until=2**32 - 1)
    assert desk.post(endless).status_code in (422, 503)
    assert desk.is_let_in("standing"), "what is valid for ever could be sent again for ever"


def test_what_names_no_consent_fills_no_store(desk: PartnerShop) -> None:
    fill_pool(desk)
    for number in range(5):
        who = Signer.named(f"nobody {number}")
        assert desk.post(desk.sign_revocation("standing", who)).status_code == 503
    assert desk.post(desk.sign_revocation("everything")).status_code == 503
    assert notes_in(desk) == []


def test_a_note_that_could_not_be_written_is_told_and_counts_until_the_next_try(
    desk: PartnerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = desk.app.state.services.receipts._store.notes
    original = notes.save

    def fail(_: Any) -> None:
        raise NodeError(STORE_FULL, path="of receipts")

    monkeypatch.setattr(notes, "save", fail)
    revocation = desk.sign_revocation("standing")
    assert desk.post(revocation).json()["code"] == "store.full"
    assert not desk.is_let_in("standing"), "obeyed from memory"
    assert desk.post(revocation).json()["code"] == "store.full"
    monkeypatch.setattr(notes, "save", original)
    assert desk.post(revocation).status_code == 202
    assert notes_in(desk) == [revocation.txid]


def test_a_note_that_was_replaced_meanwhile_need_not_be_written(
    desk: PartnerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = desk.app.state.services.receipts._store.notes
    original = notes.save

    def fail(_: Any) -> None:
        raise NodeError(STORE_FULL, path="of receipts")

    monkeypatch.setattr(notes, "save", fail)
    first = desk.sign_revocation("standing")
    assert desk.post(first).status_code == 503
    assert desk.post(desk.sign_grant("standing")).status_code == 503
    monkeypatch.setattr(notes, "save", original)
    last = desk.revoke("standing")
    assert desk.post(first).status_code == 202
    assert notes_in(desk) == [last.txid]


def test_what_waits_before_the_api_begins_counts_and_what_comes_after_it_ended_harms_nobody(desk: PartnerShop) -> None:
    desk.close()
    shop = desk.shop
    shop.chain.submit(desk.sign_revocation("standing"))
    again = PartnerShop(shop)
    assert not again.is_let_in("standing") and len(notes_in(again)) == 1
    again.close()
    shop.chain.submit(again.sign_grant("history"))
    shop.chain.submit(again.sign_revocation("history"))
    shop.chain.mine(2)
    assert shop.node.chain.listeners.failures == 0


def test_a_change_that_could_not_be_read_is_read_after_the_next_one(
    desk: PartnerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails while blocks are taken back: what they held is not forgotten."""
    revocation = desk.sign_revocation("standing")
    found = desk.app.state.services.revocations
    answers: list[Any] = [NodeError(STORE_FULL, path="of this node"), (revocation,)]

    def read() -> tuple[Transaction, ...]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    block = ConnectedBlock(desk.shop.node.chain.tip.hash, desk.shop.node.chain.tip.height, read)
    with pytest.raises(NodeError):
        found.follow(TipChanged((), (block,)))
    assert desk.is_let_in("standing")
    desk.shop.chain.mine()
    assert not desk.is_let_in("standing")


def test_while_the_notes_can_not_be_read_nothing_is_shared(desk: PartnerShop, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.revoke("standing")
    desk.restart().close()
    original = RevocationNotes.all

    def fail(_: RevocationNotes) -> Any:
        raise NodeError(STORE_FULL, path="of receipts")

    monkeypatch.setattr(RevocationNotes, "all", fail)
    again = desk.restart()
    response = again.read("standing")
    assert (response.status_code, response.json()["code"]) == (503, "store.full")
    monkeypatch.setattr(RevocationNotes, "all", original)
    assert not again.is_let_in("standing")
    again.close()


def test_consent_withdrawn_while_a_transaction_waits(desk: PartnerShop) -> None:
    """An open entry waits in the pool when the fan takes its consent to publish back: the chain skips it, whichever came first."""
    shop, program = desk.shop, desk.shop.program
    desk.grant("", to=program, purpose=PUBLISH)
    desk.grant("history")
    entry = OpenEntry(FAN.address, shop.today, ReceiptHash(some_hash("open")), 1, shop.now, 1_000, 0)
    sealed = shop.entry(FRIEND, 70)
    earn = shop.chain.sign("earn", Earn(program, (entry, sealed)), author=TILL)
    assert desk.post(earn).status_code == 202
    publish = desk.sign_revocation("", to=program, purpose=PUBLISH)
    assert desk.post(publish).status_code == 202
    desk.revoke("history")
    assert not desk.is_let_in("history"), "obeyed at once"
    states = {item["scope"] or item["purpose"]: item["state"] for item in desk.ask("/v1/me/consents")["items"]}
    assert states == {"standing": "active", "publish": "revocation_received", "history": "revocation_received"}
    shop.chain.mine()
    found = desk.ask(f"/v1/transactions/{earn.txid.hex()}")
    assert found["codes"] == ["earn.no_consent", "applied"]
    assert desk.ask(f"/v1/transactions/{publish.txid.hex()}")["position"] < found["position"]
    assert shop.points_of(FAN) == 0 and shop.points_of(FRIEND) == 70
    settled = shop.settle(shop.entry(FAN, 100))
    assert settled == ("",), "sealed, the purchase counts all the same"
    assert shop.points_of(FAN) == 100


def test_a_reorganisation_brings_no_consent_back(tmp_path: Path) -> None:
    """The block with the revocation is taken back, and the branch that wins does not hold it."""
    chain = BranchingChain(params=PARAMS)
    grant = chain.sign("consent.grant", ConsentGrant(PARTNER.address, SHARE, "standing", Timestamp(0)), author=FAN)
    chain.block(grant)
    trunk = chain.tip.block.hash
    payload = ConsentRevoke(PARTNER.address, SHARE, "standing")
    revocation = chain.sign("consent.revoke", payload, author=FAN, payment=Prepaid())
    chain.block(revocation)
    old = [twig.block for twig in chain.path[1:]]
    chain.go_to(trunk)
    chain.block(time=chain.time + 61)
    chain.mine(2)
    new = [twig.block for twig in chain.path[2:]]
    node = Node(NodeConfig(tmp_path, PARAMS), ManualClock(chain.time))
    app = create_app(node, HttpSettings(rate_limited=False))
    with TestClient(app, base_url="http://node") as http:
        services = app.state.services

        def is_active() -> bool:
            with services.reader.snapshot() as view:
                return services.consents.find_active(view, FAN.address, PARTNER.address, SHARE, "standing") is not None

        for block in old[:1]:
            node.accept_block(block)
        assert is_active()
        node.accept_block(old[1])  # never in this node's own pool
        assert not is_active()
        for block in new:
            node.accept_block(block)
        assert node.chain.tip.hash == new[-1].hash
        with services.reader.snapshot() as view:
            assert view.place_of(revocation.txid) is None, "the chain itself shows the consent again"
        assert not is_active()
        assert http.get(f"/v1/transactions/{revocation.txid.hex()}").json()["status"] == "unconfirmed"
    node.close()
    again = Node(NodeConfig(tmp_path, PARAMS), ManualClock(chain.time))
    app = create_app(again, HttpSettings(rate_limited=False))
    with TestClient(app, base_url="http://node") as http:
        services = app.state.services
        assert not is_active()
        assert http.get(f"/v1/transactions/{revocation.txid.hex()}").json()["status"] == "unconfirmed"
    again.close()


def test_a_reorganisation_that_takes_both_back_keeps_the_fans_last_word(tmp_path: Path) -> None:
    chain = BranchingChain(params=PARAMS)
    share = ConsentGrant(PARTNER.address, SHARE, "standing", Timestamp(0))
    chain.block(chain.sign("consent.grant", share, author=FAN))
    trunk = chain.tip.block.hash
    payload = ConsentRevoke(PARTNER.address, SHARE, "standing")
    chain.block(chain.sign("consent.revoke", payload, author=FAN, payment=Prepaid()))
    again = chain.sign("consent.grant", share, author=FAN)
    chain.block(again)
    old = [twig.block for twig in chain.path[1:]]
    chain.go_to(trunk)
    chain.block(time=chain.time + 61)
    chain.mine(3)
    held, alone = chain.tip.block.hash, [twig.block for twig in chain.path[2:]]
    chain.go_to(held)
    chain.block(again)
    node = Node(NodeConfig(tmp_path, PARAMS), ManualClock(chain.time))
    app = create_app(node, HttpSettings(rate_limited=False))
    with TestClient(app, base_url="http://node"):
        services = app.state.services

        def is_active() -> bool:
            with services.reader.snapshot() as view:
                return services.consents.find_active(view, FAN.address, PARTNER.address, SHARE, "standing") is not None

        for block in old:
            node.accept_block(block)
        assert is_active()
        for block in alone:
            node.accept_block(block)
        assert not is_active(), "the last grant is in no block any more, and what it renewed was revoked"
        node.accept_block(chain.tip.block)
        assert is_active()
    node.close()
