"""`brand explain-earn`, `brand rehearse`, and tills that name codes, tiers and the visit before, at a node in this process."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.wallet.program_file import EXAMPLE
from ledger.domains.loyalty.receipts import decode_receipt, encode_receipt, sign_receipt
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import enrol
from tests.support.wallet_node import WalletNode, main_signer

Opens = Callable[[str], Terminal]

BASE = EXAMPLE.replace("rate = 1 ", "rate = 2 ")
RULES = """
[[terms.rules]]
rule = "rate_per_code"
code = "bread"
points = 1
per_cents = 5

[[terms.rules]]
rule = "per_visit"
points = 20
cents_min = 1000
cooldown_seconds = 3600

[[terms.rules]]
rule = "tier_multiplier"
tier = 1
numerator = 3
denominator = 2

[terms.tiers]
period_days = 365
anchor_day = 0
grace_days = 30
names = ["silver", "gold"]
thresholds = [400, 20000]
"""


class Shop:
    """A program with rules of all sorts, its owner, its till, and one fan."""

    def __init__(self, node: WalletNode, terminal_of: Opens) -> None:
        self.node = node
        self.owner, self.till, self.fan = (terminal_of(name) for name in ("owner", "till", "fan"))
        self.terms = self.owner.home / "terms.toml"
        self.terms.write_text(BASE + RULES)
        self.program = self.owner.read("brand", "create-program", self.terms)["program"]
        self.owner.run("brand", "fill-pool", self.program, 5_000_000)
        (row,) = [row for row in self.till.read("wallet", "addresses") if row["account"] == "main 0"]
        scopes = ("--scopes", "till,settle,enrol,fulfil", "--daily-cap", 10**6)
        self.owner.run("brand", "grant-issuer", self.program, row["address"], *scopes)
        self.member = enrol(self.till, self.fan, self.program)
        self.count = 0

    @property
    def now(self) -> int:
        return int(self.node.client.chain()["time"])

    def sign(self, cents: int, *options: object) -> tuple[Path, dict[str, Any]]:
        """A receipt, and what the till printed."""
        file = self.till.home / "receipts" / f"{self.count}.bin"
        self.count += 1
        sign = ("brand", "sign-receipt", self.program, "--member", self.member, "--net-cents", cents, "--out", file)
        return file, self.till.read(*sign, "--time", self.now, *options)


@pytest.fixture
def shop(node: WalletNode, terminal_of: Opens) -> Shop:
    return Shop(node, terminal_of)


def test_a_till_names_codes_tier_and_the_visit_before(shop: Shop) -> None:
    file, shown = shop.sign(2_000, "--code", "milk=500", "--code", "bread=1200")
    assert (shown["points"], shown["codes"]) == (200 + 240 + 20, {"bread": 1_200, "milk": 500})
    assert (shown["tier"], shown["previous_visit"]) == (0, None)
    assert decode_receipt(file.read_bytes()).receipt.codes == (("bread", 1_200), ("milk", 500))
    _, again = shop.sign(2_000, "--previous-visit", shop.now - 3_599)
    assert (again["points"], again["previous_visit"]) == (200, shop.now - 3_599)
    _, named = shop.sign(2_000, "--tier", "silver")
    assert (named["points"], named["tier"]) == (330, 1)
    assert shop.sign(2_000, "--tier", 2)[1]["tier"] == 2


def test_a_till_asks_the_node_for_the_fans_tier(shop: Shop) -> None:
    shop.sign(4_000)
    shop.till.run("brand", "settle", shop.program, shop.till.home / "receipts", "--last")
    (standing,) = shop.node.client.account(shop.member)["programs"]
    assert (standing["tier"]["number"], standing["tier"]["name"]) == (1, "silver")
    assert standing["tier"]["until"]["day"] > 0
    (member,) = shop.node.client.members(bytes.fromhex(shop.program))["items"]
    assert member["tier"] == standing["tier"]
    assert "silver" in shop.fan.run("wallet", "balance")
    _, shown = shop.sign(2_000, "--previous-visit", 1)
    assert (shown["tier"], shown["points"]) == (1, 330)
    _, without = shop.sign(2_000, "--tier", 0)
    assert without["tier"] == 0
    history = shop.fan.read("wallet", "history", "--program", shop.program)["items"]
    assert "tier.reached" in {item["name"] for item in history}


def test_what_a_till_can_not_sign(shop: Shop) -> None:
    def refused(*options: object, expect: int = 2) -> str:
        sign = ("brand", "sign-receipt", shop.program, "--member", shop.member, "--net-cents", 100)
        return shop.till.fail(*sign, "--out", shop.till.home / "never.bin", *options, expect=expect)

    assert "CODE=CENTS" in refused("--code", "bread")
    assert "CODE=CENTS" in refused("--code", "bread=1.5")
    assert "CODE=CENTS" in refused("--code", "bread=99999999999999999")
    assert "too many" in refused("--code", "bread=9999999999999999")
    assert "32 bytes" in refused("--code", f"{'x' * 33}=5")
    assert "32 bytes" in refused("--code", "=5")
    assert "twice" in refused("--code", "a=5", "--code", "a=6")
    assert "64 codes" in refused(*(part for number in range(65) for part in ("--code", f"c{number}=1")))
    assert "explain.unknown_tier" in refused("--tier", "platinum", expect=1)
    assert "receipt.shape" in refused("--time", 1_000, "--previous-visit", 1_001, expect=1)
    assert not (shop.till.home / "never.bin").exists()


def test_explain_a_receipt(shop: Shop) -> None:
    file, shown = shop.sign(2_000, "--code", "bread=1200", "--paid-with-points-cents", 500, "--tier", "silver")
    found = shop.owner.read("brand", "explain-earn", shop.program, "--receipt", file)
    assert found["points"] == found["receipt_points"] == shown["points"] == (150 + 180 + 20) * 3 // 2
    (version,) = found["versions"]
    assert [line["rule"] for line in version["lines"]] == [
        "paid_with_points",
        "rate",
        "rate_per_code",
        "per_visit",
        "tier_multiplier",
        "points",
    ]
    assert found["purchase"]["codes"] == {"bread": 1_200}
    text = shop.owner.run("brand", "explain-earn", shop.program, "--receipt", file)
    assert "floor(1200 * 1500 / 2000) = 900" in text
    assert "the receipt promises  525" in text
    assert "named and in force" in text


def test_explain_a_purchase_that_nobody_made(shop: Shop) -> None:
    what = ("--net-cents", 4_300, "--code", "bread=1200", "--time", shop.now, "--tier", "gold")
    found = shop.owner.read("brand", "explain-earn", shop.program, *what)
    assert found["points"] == (430 + 240 + 20) * 3 // 2
    assert (found["purchase"]["tier"], found["receipt_points"]) == (2, None)
    assert "1035 points" in shop.owner.run("brand", "explain-earn", shop.program, *what)
    now = shop.owner.read("brand", "explain-earn", shop.program, "--net-cents", 100)
    assert now["points"] == 10
    explain = ("brand", "explain-earn", shop.program)
    assert "either --receipt or --net-cents" in shop.owner.fail(*explain, expect=2)
    both = ("--net-cents", 1, "--receipt", shop.terms)
    assert "either --receipt or --net-cents" in shop.owner.fail(*explain, *both, expect=2)
    assert "unknown_tier" in shop.owner.fail(*explain, "--net-cents", 1, "--tier", "Gold")
    assert "unknown_version" in shop.owner.fail(*explain, "--net-cents", 1, "--terms-version", 9)
    late = ("--net-cents", 1, "--time", 5, "--previous-visit", 6)
    assert "comes after" in shop.owner.fail(*explain, *late, expect=2)
    assert "program.unknown" in shop.owner.fail("brand", "explain-earn", "5f" * 32, "--net-cents", 1)
    file, _ = shop.sign(100)
    other = shop.owner.read("brand", "create-program", shop.terms, "--another")["program"]
    assert shop.program in shop.owner.fail("brand", "explain-earn", other, "--receipt", file, expect=2)


def test_the_better_version_counts_and_the_wallet_says_so(shop: Shop) -> None:
    file, _ = shop.sign(1_000)
    shop.node.mine()
    shop.terms.write_text((BASE + RULES).replace("per_cents = 10", "per_cents = 1", 1))
    shop.owner.run("brand", "update", shop.program, shop.terms)
    shop.node.mine()
    versions = shop.node.client.terms(bytes.fromhex(shop.program))
    assert [item["version"] for item in versions["items"]] == [1, 2]
    old = decode_receipt(file.read_bytes()).receipt
    _, new = shop.sign(1_000)
    assert (old.points, old.terms_version, new["points"]) == (120, 1, 1_020)
    explain = ("brand", "explain-earn", shop.program, "--net-cents", 1_000, "--time", shop.now)
    found = shop.owner.read(*explain, "--terms-version", 1)
    assert (found["points"], found["counted_version"]) == (1_020, 2)
    text = shop.owner.run(*explain, "--terms-version", 1)
    assert "Terms 1 (named): 120 points; the other one counts." in text
    assert "Terms 2 (in force): 1020 points; this one counts." in text
    checked = shop.fan.read("wallet", "receipts", "check", file)
    assert (checked["points"], checked["rule_points"], checked["counted_version"]) == (120, 120, 1)


def test_a_receipt_that_promises_too_little_or_too_much(shop: Shop) -> None:
    cheap, _ = shop.sign(1_000, "--previous-visit", 5)
    shop.terms.write_text((BASE + RULES).replace("per_cents = 10", "per_cents = 1", 1))
    shop.owner.run("brand", "update", shop.program, shop.terms)
    dear = shop.till.home / "receipts" / "dear.bin"
    forged = shop.till.home / "receipts" / "forged.bin"
    for file, version, points in ((dear, 2, 5_000), (forged, 2, 5)):
        sign_by_hand(shop, cheap, file, terms_version=version, points=points, time=shop.now)
    assert "more than the rules give" in shop.fan.hear("brand", "explain-earn", shop.program, "--receipt", dear)
    assert "--wrong-points" in shop.fan.hear("brand", "explain-earn", shop.program, "--receipt", forged)
    assert "the rules give 1020 points, the receipt promises 5" in shop.fan.hear("wallet", "receipts", "check", forged)
    ahead = shop.till.home / "receipts" / "ahead.bin"
    sign_by_hand(shop, cheap, ahead, terms_version=2, time=shop.now - 40 * 86_400)
    assert "may not" in shop.fan.hear("wallet", "receipts", "check", ahead)
    assert "may not name these terms" in shop.fan.run("brand", "explain-earn", shop.program, "--receipt", ahead)


def sign_by_hand(shop: Shop, pattern: Path, out: Path, **changes: Any) -> None:
    """A receipt of the till as no till of ours would sign it."""
    signed = decode_receipt(pattern.read_bytes())
    chain_id = shop.node.chain.chain_id
    made = sign_receipt(replace(signed.receipt, **changes), signed.salt, chain_id, main_signer("till").seed)
    out.write_bytes(encode_receipt(made))


def test_rehearse_a_draft(shop: Shop) -> None:
    for cents in (2_000, 3_000):
        shop.sign(cents, "--code", "bread=1000")
    draft = shop.owner.home / "draft.toml"
    draft.write_text((BASE + RULES).replace("per_cents = 10", "per_cents = 20", 1))
    rehearse = ("brand", "rehearse", shop.program, draft, "--receipts", shop.till.home / "receipts")
    found = shop.owner.read(*rehearse)
    assert (found["receipts"], found["fan_count"], found["points_promised"]) == (2, 1, 940)
    (fan,) = found["fans"]
    assert fan == {"member": shop.member, "receipts": 2, "now": 920, "draft": 670, "difference": -250}
    assert (found["waits_for_notice"], found["notice_days"]) == (True, 30)
    assert found["why"] == ["a rate per amount falls"]
    text = shop.owner.run(*rehearse)
    assert "waits for the notice of 30 days" in text and "a rate per amount falls" in text
    draft.write_text((BASE + RULES).replace("per_cents = 10", "per_cents = 9", 1))
    assert "would hold at once" in shop.owner.run(*rehearse)
    assert shop.node.client.program(bytes.fromhex(shop.program))["announced"] is None


def test_drafts_and_folders_that_are_none(shop: Shop, tmp_path: Path) -> None:
    draft = shop.owner.home / "draft.toml"
    draft.write_text((BASE + RULES).replace("period_days = 365", "period_days = 3"))
    rehearse = ("brand", "rehearse", shop.program, draft, "--receipts")
    assert "too short" in shop.owner.fail(*rehearse, tmp_path)
    draft.write_text("nothing")
    assert "terms.bad_file" in shop.owner.fail(*rehearse, tmp_path)
    draft.write_text(BASE + RULES)
    assert "receipts.bad_folder" in shop.owner.fail(*rehearse, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "receipts.bad_folder" in shop.owner.fail(*rehearse, tmp_path / "empty")
    receipts = shop.till.home / "receipts"
    shop.sign(2_000)
    other = (*rehearse[:2], "5f" * 32, draft, "--receipts")
    assert "program.unknown" in shop.owner.fail(*other, receipts)
    terms = shop.owner.home / "other.toml"
    terms.write_text((BASE + RULES).replace("Corner Grocer", "Another Grocer"))
    second = shop.owner.read("brand", "create-program", terms)["program"]
    (receipts / "nonsense.bin").write_bytes(b"nothing")
    said = shop.owner.fail("brand", "rehearse", second, draft, "--receipts", receipts)
    assert "cli.none_of_program" in said and f"receipts of the program {shop.program}" in said, said


def test_an_update_that_is_announced_is_said(shop: Shop) -> None:
    shop.sign(2_000)
    worse = shop.owner.home / "worse.toml"
    worse.write_text((BASE + RULES).replace("per_cents = 10", "per_cents = 20", 1))
    shop.owner.run("brand", "update", shop.program, worse)
    shop.node.mine()
    rehearse = ("brand", "rehearse", shop.program, worse, "--receipts", shop.till.home / "receipts")
    assert "is announced already" in shop.owner.run(*rehearse)
    shown = json.loads(shop.owner.run(*rehearse, "--json"))
    assert shown["must_wait_for_an_announced_change"] is True


# --- what people suffered ---------------------------------------------------------------------------------------------------------


def test_tiers_by_balance(shop: Shop) -> None:
    """Who spends its points keeps its tier."""
    shop.sign(4_000)
    shop.till.run("brand", "settle", shop.program, shop.till.home / "receipts", "--last")
    reward = shop.owner.read("brand", "list-reward", shop.program, "Bread", "--price", 420)["reward"]
    hold = shop.fan.read("wallet", "redeem", shop.program, reward)["hold"]
    shop.till.run("brand", "fulfil", shop.program, hold)
    (standing,) = shop.node.client.account(shop.member)["programs"]
    assert (standing["available"], standing["held"]) == (0, 0)
    assert standing["tier"]["name"] == "silver"
    assert shop.sign(2_000)[1]["points"] == (200 + 20) * 3 // 2


def test_earning_on_the_part_paid_with_points(shop: Shop) -> None:
    """Points that pay for a purchase earn no points, in no rule; else they would never end."""
    half, shown = shop.sign(2_000, "--code", "bread=2000", "--paid-with-points-cents", 1_000)
    assert shown["points"] == 100 + 200 + 20
    assert shop.sign(2_000, "--code", "bread=2000", "--paid-with-points-cents", 2_000)[1]["points"] == 0
    explained = shop.owner.read("brand", "explain-earn", shop.program, "--receipt", half)
    assert [line["input"] for line in explained["versions"][0]["lines"][:4]] == [2_000, 1_000, 1_000, 1_000]
    shop.till.run("brand", "settle", shop.program, shop.till.home / "receipts", "--last")
    (standing,) = shop.node.client.account(shop.member)["programs"]
    assert standing["available"] == 320
