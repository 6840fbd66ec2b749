"""Personal offers, as a brand, its till and its fans type them, at a node in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli.offer_issue import UNISSUED, explain_skip
from api.wallet.errors import ClientProblem, Unreachable, WalletError
from api.wallet.treasury import SIGN_FIRST, STALE
from api.wallet.wallet import Wallet
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import enrol, open_shop
from tests.support.market import TERMS_FILE
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]

BUDGET = TERMS_FILE.replace("offer_day_max = 0 ", "offer_day_max = 100 ")


def open_with_budget(owner: Terminal, till: Terminal, fan: Terminal) -> tuple[str, str]:
    """A program that may promise a hundred points a day, and a fan who agreed to be profiled: their ids."""
    program = open_shop(owner, till)
    terms = owner.home / "better.toml"
    terms.write_text(BUDGET)
    owner.run("brand", "update", program, terms)
    member = enrol(till, fan, program)
    fan.run("wallet", "consent", "grant", program, "--purpose", "personalise")
    return program, member


def issue(owner: Terminal, program: str, member: str, folder: Path, *more: object) -> dict[str, object]:
    """An offer of 20 points for thirty's worth of bread."""
    found = owner.read(
        *("brand", "offers", "issue", program, "--member", member, "--points", 20, "--until", "2026-06-30"),
        *("--min-cents", 3_000, "--code", "bread", "--text", "Bread for thirty", "--out", folder, *more),
    )
    return dict(found)


def sell(till: Terminal, program: str, member: str, node: WalletNode, offer: Path, cents: int = 3_000) -> Path:
    """A receipt that cites an offer."""
    receipts = till.home / "receipts"
    out = receipts / f"{len(list(receipts.glob('*'))) + 1}.bin" if receipts.exists() else receipts / "1.bin"
    till.run(
        *("brand", "sign-receipt", program, "--member", member, "--net-cents", cents, "--code", f"bread={cents}"),
        *("--offer", offer, "--out", out, "--time", node.chain.time),
    )
    return out


def test_an_offer_is_made_shown_cited_and_taken_back(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program, member = open_with_budget(owner, till, fan)
    folder = tmp_path / "offers"
    made = issue(owner, program, member, folder)
    assert (made["issued"], made["skipped"]) == (1, [])
    (file,) = folder.iterdir()
    shown = fan.read("wallet", "offers", "show", file)
    assert (shown["status"], shown["points"], shown["is_yours"], shown["text"]) == (
        "open",
        20,
        True,
        "Bread for thirty",
    )
    assert "3,000 cents" in shown["asks_for"] and "bread" in shown["asks_for"]
    (listed,) = fan.read("wallet", "offers", "list", program, "--folder", folder)
    assert (listed["status"], listed["asks_for"]) == ("open", shown["asks_for"])
    assert "open" in fan.run("wallet", "offers", "list", program)
    assert "offer.not_as_asked" in till.fail(
        *("brand", "sign-receipt", program, "--member", member, "--net-cents", 2_999, "--code", "bread=2999"),
        *("--offer", file, "--out", tmp_path / "no.bin", "--time", node.chain.time),
    )
    assert not (tmp_path / "no.bin").exists()
    receipt = sell(till, program, member, node, file)
    again = sell(till, program, member, node, file)
    settled = till.read("brand", "settle", program, till.home / "receipts", "--last")
    assert settled["offers_credited"] == 1
    (useless,) = settled["offers_not_credited"]
    assert useless["code"] == "offer.cited" and "counts once" in useless["reason"]
    repeated = till.read("brand", "settle", program, till.home / "receipts", "--last")
    assert (repeated["offers_credited"], repeated["offers_not_credited"]) == (1, [useless])
    assert node.client.account(member)["programs"][0]["available"] == 620
    cited = fan.read("wallet", "offers", "show", file)
    assert cited["status"] == "cited"
    held = {str(fan.read("wallet", "receipts", "check", path)["receipt"]): path for path in (receipt, again)}
    draft, back = tmp_path / "draft.bin", tmp_path / "back.bin"
    drafted = till.read("brand", "returns", "draft", held[str(cited["receipt"])], "--out", draft)
    assert drafted["points"] == 320, "the purchase's points, and the bonus"
    fan.run("wallet", "sign-return", draft, "--out", back, "--yes")
    left = till.hear("brand", "returns", "post", program, back)
    command = f"fansumer brand offers take-back {program} {back} --offer {listed['id']}"
    assert "20 points of this return are left for the bonus" in left and command in left
    till.run("brand", "offers", "take-back", program, back, "--offer", listed["id"])
    gone = till.fail("brand", "offers", "take-back", program, back, "--offer", listed["id"])
    assert "bonus of 20 points" in gone and "taken back already" in gone and "returns.bonus_gone" in gone
    assert node.client.account(member)["programs"][0]["available"] == 300
    (row,) = owner.read("brand", "offer", "list", program)
    assert (row["credited"], row["reversed"]) == (20, 20)
    assert "cited" in owner.run("brand", "offers", "list", program)


def test_an_offer_that_nobody_settles_is_contested(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program, member = open_with_budget(owner, till, fan)
    folder = tmp_path / "offers"
    issue(owner, program, member, folder, "--from", "2026-01-01")
    (file,) = folder.iterdir()
    receipt = sell(till, program, member, node, file)
    assert "contest.too_early" in fan.fail("wallet", "offers", "contest", file, "--receipt", receipt, "--yes")
    node.chain.advance(days=12)
    refused = fan.fail("wallet", "offers", "contest", file, "--receipt", receipt, input="n\n")
    assert "makes public for ever" in refused and "bread 3000" in refused
    won = fan.read("wallet", "offers", "contest", file, "--receipt", receipt, "--yes")
    assert (won["status"], won["credited"]) == ("cited", 20)
    assert "offer.cited" in fan.fail("wallet", "offers", "contest", file, "--receipt", receipt, "--yes")
    other = tmp_path / "other"
    issue(owner, program, member, other)
    (second,) = other.iterdir()
    assert "offer.cites_another" in fan.fail("wallet", "offers", "contest", second, "--receipt", receipt, "--yes")
    assert "contest.not_yours" in till.fail("wallet", "offers", "contest", file, "--receipt", receipt, "--yes")


def test_what_is_wrong_is_said(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program, member = open_with_budget(owner, till, fan)
    folder, begin = tmp_path / "offers", ("brand", "offers", "issue", program, "--points", 20)
    common = ("--until", "2026-06-30", "--out", folder)
    assert "at least one fan" in owner.fail(*begin, *common, expect=2)
    assert "address" in owner.fail(*begin, *common, "--member", "nobody", expect=2)
    before = _transactions_of(owner)
    ends = owner.read(*begin, "--until", "2020-01-01", "--out", folder, "--member", member, expect=1)
    assert [row["code"] for row in ends["skipped"]] == ["offer.expiry"]
    assert "too early or too late. Name a time after now" in ends["skipped"][0]["reason"]
    assert not folder.exists(), "what was not promised has no file"
    assert _transactions_of(owner) == before, "what would do nothing is not sent"
    fans = tmp_path / "fans.txt"
    fans.write_text(f"{member}\n{member}\n")
    assert owner.read(*begin, *common, "--members", fans)["issued"] == 1
    fan.run("wallet", "consent", "revoke", program, "--purpose", "personalise")
    (skipped,) = owner.read(*begin, *common, "--member", member, expect=1)["skipped"]
    assert (skipped["member"], skipped["code"]) == (member, "offer.no_consent")
    assert "has not agreed" in owner.run(*begin, *common, "--member", member, expect=1)
    assert "1 of 1 offers were not issued" in owner.fail(*begin, *common, "--member", member)
    (file,) = folder.iterdir()
    stray = folder / "stray.offer"
    stray.write_text("fansumer-offer:1:AAAA")
    assert "offer.text" in fan.fail("wallet", "offers", "list", program, "--folder", folder)
    stray.write_text(file.read_text()[:-3] + "AAA")
    stray.write_text("hello")
    assert "offer.text" in fan.fail("wallet", "offers", "show", stray)
    assert "program.unknown" in fan.fail("wallet", "offers", "list", "11" * 32)
    assert "offer.unknown" in till.fail(
        "brand", "offers", "take-back", program, _signed_return(till, fan, program, member, node), "--offer", "11" * 32
    )


def _transactions_of(owner: Terminal) -> int:
    return len(owner.read("wallet", "history", "--limit", 200)["items"])


def test_an_offer_that_was_refused_leaves_no_file(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program, member = open_with_budget(owner, till, fan)
    folder = tmp_path / "offers"
    begin = ("brand", "offers", "issue", program, "--points", 20, "--until", "2026-06-30", "--out", folder)
    refused = till.fail(*begin, "--member", member)
    assert "issuer.no_scope" in refused or "issuer.not_granted" in refused
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.parametrize(
    ("fault", "endings"),
    [
        (ClientProblem("offer.no_member", "refused", status=422), []),
        (ClientProblem("client.dropped", "dropped"), []),
        (WalletError(STALE, address="a", policy_hash="b"), []),
        (ClientProblem("client.waited_too_long", "no block yet"), [UNISSUED]),
        (Unreachable("client.unreachable", "gone"), [UNISSUED]),
        (ClientProblem("store.full", "full", status=507), [UNISSUED]),
        (ClientProblem("transaction.unknown", "it forgot", status=404), [UNISSUED]),
        (WalletError(SIGN_FIRST, threshold=2, path="file"), [UNISSUED]),
    ],
)
def test_a_file_has_its_name_only_once_the_offer_stands(
    node: WalletNode,
    terminal_of: Opens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    endings: list[str],
) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program, member = open_with_budget(owner, till, fan)
    folder = tmp_path / "offers"

    def fail(*_: object, **__: object) -> None:
        assert [path.suffix for path in folder.iterdir()] == [UNISSUED], "on disk before the promise"
        raise fault

    monkeypatch.setattr(Wallet, "wait_for", fail)
    said = owner.fail(
        *("brand", "offers", "issue", program, "--points", 20, "--until", "2026-06-30", "--out", folder),
        *("--member", member),
        expect=2 if isinstance(fault, Unreachable) else 1,
    )
    assert [path.suffix for path in folder.iterdir()] == endings
    assert ("is not known yet" in said) == bool(endings)


def test_what_the_block_skips_after_all_has_no_file(
    node: WalletNode, terminal_of: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program = open_shop(owner, till)
    member = enrol(till, fan, program)
    folder = tmp_path / "offers"
    monkeypatch.setattr(Wallet, "dry_run", lambda *_, **__: None)  # as where several people must sign
    made = owner.read(
        *("brand", "offers", "issue", program, "--points", 20, "--until", "2026-06-30", "--out", folder),
        *("--member", member),
        expect=1,
    )
    assert (made["issued"], [row["code"] for row in made["skipped"]]) == (0, ["offer.no_consent"])
    assert list(folder.iterdir()) == []
    assert explain_skip("offer.of_tomorrow") == "offer.of_tomorrow"


def _signed_return(till: Terminal, fan: Terminal, program: str, member: str, node: WalletNode) -> Path:
    receipt, draft, back = till.home / "r.bin", till.home / "d.bin", till.home / "b.bin"
    till.run(
        *("brand", "sign-receipt", program, "--member", member, "--net-cents", 1_000, "--out", receipt),
        *("--time", node.chain.time),
    )
    till.run("brand", "returns", "draft", receipt, "--out", draft)
    fan.run("wallet", "sign-return", draft, "--out", back, "--yes")
    return back


def test_an_offer_that_asks_for_each_of_its_codes(node: WalletNode, terminal_of: Opens, tmp_path: Path) -> None:
    """A challenge of one's own: the till takes it with all of it, and with less it does not."""
    owner, till, fan = (terminal_of(name) for name in ("owner", "till", "fan"))
    program, member = open_with_budget(owner, till, fan)
    folder = tmp_path / "offers"
    begin = ("brand", "offers", "issue", program, "--member", member, "--points", 20, "--until", "2026-06-30")
    for codes in ((), ("--code", "bread"), ("--code", "bread", "--code", "bread")):
        assert "two different codes" in owner.fail(*begin, "--out", folder, "--all", *codes, expect=2)
    owner.run(*begin, "--out", folder, "--all", "--code", "tea", "--code", "bread")
    (file,) = folder.iterdir()
    assert "with something of each of: bread, tea" in fan.read("wallet", "offers", "show", file)["asks_for"]
    buy = ("brand", "sign-receipt", program, "--member", member, "--net-cents", 900, "--offer", file)
    when = ("--time", node.chain.time, "--out", tmp_path / "receipt.bin")
    refused = till.fail(*buy, "--code", "bread=900", *when)
    assert "offer.not_as_asked" in refused and "of each of" in refused
    till.run(*buy, "--code", "bread=500", "--code", "tea=400", *when)
