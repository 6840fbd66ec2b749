"""Consents, partners, gifts, and all that a node holds on a fan, from terminals."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stamina
import time_machine

from api.cli.consent import opens_something
from api.personalization.service_history import PARTS as SERVICE_PARTS
from api.wallet.client import UNREACHABLE, Client
from api.wallet.errors import ClientProblem, Unreachable
from api.wallet.wallet import Sent, Wallet
from ledger.domains.consent.state import CONTACT
from ledger.types import ProgramId
from node.mempool.policy import MempoolLimits
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


class Street:
    """A till, a fan that is its member, and a partner (the shop's owner), at one node. Wallets' clocks are the chain's."""

    def __init__(self, node: WalletNode, terminal_of: Opens) -> None:
        self.node = node
        self.partner, self.till, self.fan = (terminal_of(name) for name in ("owner", "till", "fan"))
        self.program = open_shop(self.partner, self.till)
        self.member = enrol(self.till, self.fan, self.program)
        (main,) = [row for row in self.partner.read("wallet", "addresses") if row["account"] == "main 0"]
        self.address = main["address"]

    @contextmanager
    def now(self) -> Iterator[None]:
        """By the node's clock."""
        with time_machine.travel(self.node.chain.clock.now(), tick=False):
            yield

    def buy(self) -> Path:
        """A purchase of 11.47 with lines, handed over; the receipt's file."""
        file, lines = self.till.home / "receipt.bin", self.till.home / "lines.json"
        lines.write_text(json.dumps([["Bread", 2, 498], ["Coffee", 1, 649]]))
        now = self.node.chain.clock.now()
        sign = ("brand", "sign-receipt", self.program, "--member", self.member, "--net-cents", 1_147, "--time", now)
        with self.now():
            self.till.run(*sign, "--out", file, "--lines", lines, "--hand-over")
        return file


@pytest.fixture
def street(node: WalletNode, terminal_of: Opens) -> Street:
    return Street(node, terminal_of)


def test_a_fan_shares_sees_it_and_takes_it_back(street: Street) -> None:
    fan, partner, program = street.fan, street.partner, street.program
    street.buy()
    read = ("partner", "read", program, street.member)
    with street.now():
        assert "partner.not_granted" in partner.fail(*read, "receipts")
    share = ("--purpose", "share", "--to", street.address)
    fan.run("wallet", "consent", "grant", program, *share, "--scope", "receipts")
    fan.run("wallet", "consent", "grant", program, *share, "--scope", "standing", "--days", 3)
    with street.now():
        assert partner.read(*read, "receipts")["items"][0]["lines"] == [["Bread", 2, 498], ["Coffee", 1, 649]]
        assert partner.read(*read, "standing")["available"] == 0
        assert "Bread" in partner.run(*read, "receipts", "--limit", 1)
        assert "partner.not_granted" in partner.fail(*read, "history")
        log = fan.read("wallet", "reads", program)
        assert [(row["scope"], row["given"], row["times"]) for row in log] == [
            ("history", 0, 1),
            ("receipts", 1, 1),
            ("standing", 1, 1),
            ("receipts", 1, 1),
            ("receipts", 0, 1),
        ]
        assert street.address in fan.run("wallet", "reads", program, "--limit", 1)
        states = {row["scope"]: row["state"] for row in fan.read("wallet", "consent", "list", program)}
        assert states == {"receipts": "active", "standing": "active"}
    fan.run("wallet", "consent", "revoke", program, *share, "--scope", "receipts", "--no-wait")
    with street.now():
        assert "partner.not_granted" in partner.fail(*read, "receipts")
        assert "revocation_received" in fan.run("wallet", "consent", "list", program)
        assert partner.read(*read, "standing")["member"] == street.member


def test_a_fan_opens_its_history_to_service_and_sees_who_looked_and_why(street: Street) -> None:
    fan, brand, program = street.fan, street.partner, street.program
    street.buy()
    look = ("brand", "fan-history", program, street.member, "--why", "points are missing", "--staff", "Mina")
    with street.now():
        assert "service.not_granted" in brand.fail(*look)
    allow = ("--purpose", "personalise", "--scope")
    fan.run("wallet", "consent", "grant", program, *allow, "service", "--days", 1)
    with street.now():
        shown = brand.read(*look)
        assert shown["receipts"]["items"][0]["lines"] == [["Bread", 2, 498], ["Coffee", 1, 649]]
        told = brand.run(*look)
        assert "Bread" in told and "said: of the brand, to be answered" in told and "member.joined" in told
        assert "service.not_yours" in street.fan.fail(*look)
        assert "--why" in brand.fail("brand", "fan-history", program, street.member, expect=2)
        assert "http.body" in brand.fail(*look[:4], "--why", "a")
        rows = fan.read("wallet", "access-log", program)
        assert [(row["code"], row["staff"], row["why"]) for row in rows] == [
            (None, "Mina", "points are missing"),
            (None, "Mina", "points are missing"),
            ("service.not_granted", "Mina", "points are missing"),
        ]
        assert rows[0]["reader"] == street.address and "points are missing" in fan.run("wallet", "reads", program)
    fan.run("wallet", "consent", "revoke", program, *allow, "service", "--no-wait")
    with street.now():
        assert "service.not_granted" in brand.fail(*look)
    fan.run("wallet", "consent", "grant", program, *allow, "service/standing", "--days", 1)
    with street.now():
        assert "receipts: not opened" in brand.run(*look)


def test_history_is_open_for_one_call(street: Street) -> None:
    fan, program = street.fan, street.program
    look = ("brand", "fan-history", program, street.member, "--why", "points are missing")
    allow = ("wallet", "consent", "grant", program, "--purpose", "personalise", "--scope", "service")
    assert "not both" in fan.fail(*allow, "--minutes", 15, "--days", 1, expect=2)
    chain = street.node.chain
    chain.clock.set(chain.clock.now() + 20 * 60)  # so long there was no block
    signed_at = chain.clock.now()
    with street.now():
        fan.run(*allow, "--minutes", 15)
    for late in (0, 15 * 60 - 1):
        chain.clock.set(max(chain.clock.now(), signed_at + late))
        with street.now():
            assert street.partner.read(*look)["member"] == street.member, "as often as the call needs"
    chain.clock.set(signed_at + 15 * 60)
    with street.now():
        assert "service.not_granted" in street.partner.fail(*look)


def test_gifts_are_marked_by_file_or_by_id(street: Street) -> None:
    fan, program, file = street.fan, street.program, street.buy()
    with street.now():
        marked = fan.read("wallet", "receipts", "gift", file)
        assert marked["gift"] is True
        assert fan.read("wallet", "receipts", "list", program)[0]["gift"] is True
        by_id = ("wallet", "receipts", "gift", marked["id"])
        assert fan.read(*by_id, "--program", program, "--off") == {"id": marked["id"], "gift": False}
        assert "receipt.unknown" in fan.fail("wallet", "receipts", "gift", "5f" * 32, "--program", program)
        assert "--program" in fan.fail(*by_id, expect=2)
        assert "another program" in fan.fail("wallet", "receipts", "gift", file, "--program", "5f" * 32, expect=2)
        assert "cli.bad_id" in fan.fail("wallet", "receipts", "gift", "zz" * 32, "--program", program, expect=2)
        assert "cli.file_failed" in fan.fail("wallet", "receipts", "gift", "no-such-file", expect=2)


def test_everything_is_exported_and_deleted(street: Street) -> None:
    fan, program = street.fan, street.program
    street.buy()
    out = fan.home / "data.json"
    with street.now():
        shown = fan.read("wallet", "export-data", program, "--out", out)
        assert (shown["receipts"], shown["account"]) == (1, street.member) and shown["records"] > 0
        document = json.loads(out.read_text())
        assert document["receipts"][0]["lines"] == [["Bread", 2, 498], ["Coffee", 1, 649]]
        keystore = fan.home / "wallet.json"
        assert "cli.file_failed" in fan.fail("wallet", "export-data", program, "--out", keystore, expect=2)
        fan.run("wallet", "delete-data", program, input="n\n", expect=1)
        assert len(fan.read("wallet", "receipts", "list", program)) == 1
        report = fan.read("wallet", "delete-data", program, "--yes")
        assert {"what": "receipts", "count": 1} in report["gone"]
        told = fan.run("wallet", "delete-data", program, "--yes")
        assert "records on the chain" in told and "backups" in told
        assert fan.read("wallet", "receipts", "list", program) == []


def test_what_is_typed_wrongly(street: Street) -> None:
    fan, program = street.fan, street.program
    grant = ("wallet", "consent", "grant", program, "--purpose", "share")
    assert "--to" in fan.fail(*grant, "--scope", "standing", expect=2)
    assert "address." in fan.fail(*grant, "--to", "nobody", expect=2)
    assert "address." in fan.fail(*grant, "--to", "zz" * 32, expect=2)
    assert "knows standing" in fan.hear(*grant, "--to", street.address, "--scope", "everything", "--no-wait")
    own = (*grant[:4], "--purpose", "personalise", "--no-wait", "--scope")
    assert "reads nothing by the scope 'reciepts'" in fan.hear(*own, "reciepts")
    fan.run("wallet", "consent", "grant", program, "--purpose", "publish", "--to", program, "--no-wait")
    assert "address." in street.partner.fail("partner", "read", program, "nobody", "standing", expect=2)
    street.partner.fail("partner", "read", program, street.member, "gifts", expect=2)
    assert "cli.bad_id" in fan.fail("wallet", "reads", "5f", expect=2)


def test_a_revocation_for_which_there_is_no_room_is_obeyed_and_says_so(street: Street) -> None:
    fan, program = street.fan, street.program
    share = ("--purpose", "share", "--to", street.address)
    fan.run("wallet", "consent", "grant", program, *share, "--scope", "standing")
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    street.node.chain.node.mempool._limits = MempoolLimits(author_count_max=0)
    with street.now(), stamina.set_testing(True):
        assert fan.read("wallet", "consent", "revoke", program, *share, "--scope", "standing") == {"status": "noted"}
        assert "obeys it already" in fan.hear("wallet", "consent", "revoke", program, "--purpose", "personalise")
        assert "mempool.author_limit" in fan.fail("wallet", "consent", "grant", program, "--purpose", "contact")
        unknown = ("wallet", "consent", "revoke", program, "--purpose", "contact")
        assert "mempool.author_limit" in fan.fail(*unknown)
        states = [row["state"] for row in fan.read("wallet", "consent", "list", program)]
        assert states == ["revocation_received"] * 2


def obeyed(street: Street) -> list[tuple[str, str]]:
    """Purpose and scope of what others may act on now."""
    rows = street.fan.read("wallet", "consent", "list", street.program)
    return [(row["purpose"], row["scope"]) for row in rows if row["obeyed"]]


def grant_three(street: Street) -> None:
    grant = ("wallet", "consent", "grant", street.program, "--purpose")
    street.fan.run(*grant, "share", "--to", street.address, "--scope", "standing")
    street.fan.run(*grant, "personalise")
    street.fan.run(*grant, "contact", "--scope", "webhook")


def test_all_that_was_granted_is_taken_back_by_one_command(street: Street) -> None:
    fan = street.fan
    grant_three(street)
    with street.now():
        asked = fan.run("wallet", "consent", "revoke-all", street.program, input="n\n", expect=1)
        assert "standing" in asked and "webhook" in asked and street.address in asked and len(obeyed(street)) == 3
        answer = fan.read("wallet", "consent", "revoke-all", "--yes")
        assert [row["status"] for row in answer["revoked"]] == ["confirmed"] * 3 and not answer["remain"]
        assert not obeyed(street)
        again = fan.read("wallet", "consent", "revoke-all", street.program)
        assert again == {"revoked": [], "remain": []}
        assert "nobody may act" in fan.hear("wallet", "consent", "revoke-all")
        assert "cli.bad_id" in fan.fail("wallet", "consent", "revoke-all", "5f", expect=2)


def test_what_a_node_did_not_take_of_all_is_named_and_is_taken_back_by_saying_it_again(street: Street) -> None:
    grant_three(street)
    send, sent = Client.submit, list[bytes]()

    def fail_at_second(client: Client, raw: bytes) -> Any:
        if sent:
            raise Unreachable.of_code(UNREACHABLE, url="http://node", reason="it is gone")
        sent.append(raw)
        return send(client, raw)

    with street.now():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Client, "submit", fail_at_second)
            answer = street.fan.read("wallet", "consent", "revoke-all", "--yes", expect=2)
        assert len(answer["revoked"]) == 1 and {row["code"] for row in answer["remain"]} == {UNREACHABLE.name}
        named = {(row["purpose"], row["scope"]) for row in answer["remain"]}
        assert named == set(obeyed(street)) and len(named) == 2
        street.fan.run("wallet", "consent", "revoke-all", "--yes", "--no-wait")
        assert not obeyed(street)


def test_what_is_refused_of_all_keeps_nothing_else_from_being_taken_back(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant_three(street)
    revoke = Wallet.revoke_consent

    def refuse_contact(wallet: Wallet, program: ProgramId, *, purpose: int, **rest: Any) -> Sent:
        if purpose == CONTACT:
            raise ClientProblem("consent.unknown", "there is none")
        return revoke(wallet, program, purpose=purpose, **rest)

    monkeypatch.setattr(Wallet, "revoke_consent", refuse_contact)
    with street.now():
        answer = street.fan.read("wallet", "consent", "revoke-all", "--yes", expect=1)
        assert [row["code"] for row in answer["remain"]] == ["consent.unknown"]
        assert obeyed(street) == [("contact", "webhook")]


@pytest.mark.parametrize(
    ("scope", "opens"),
    [
        *(
            (scope, True)
            for scope in ("", "receipts", "receipts/TEA", "receipts/A/B", "receipts/CATEGORY", "linked", "voice")
        ),
        *((scope, True) for scope in ("service", *(f"service/{part}" for part in SERVICE_PARTS))),
        *(
            (scope, False)
            for scope in ("reciepts", "receipts/", "service/", "service/all", "gifts", "linked/tea", "history")
        ),
    ],
)
def test_a_scope_that_opens_nothing_is_known(scope: str, opens: bool) -> None:
    assert opens_something(scope) is opens
