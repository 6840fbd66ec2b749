"""The commands of a creator and its backers, in the order in which they would type them, at a node in this process."""

from collections.abc import Callable
from datetime import UTC, datetime

import time_machine

from api.cli.texts import MISSING
from tests.api.cli.conftest import Terminal
from tests.api.cli.test_commands_on_node import enrol, open_shop
from tests.support.wallet_node import WalletNode

Opens = Callable[[str], Terminal]


def date(node: WalletNode, days: float) -> str:
    """A time as it is typed, so many days from the chain's present."""
    moment = int(node.client.chain()["time"]) + round(days * 86_400)
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pass_decision(node: WalletNode, campaign: str) -> None:
    decision = node.client.campaign(bytes.fromhex(campaign))["next_decision"]
    chain = node.chain
    chain.advance(seconds=max(decision["at"] - chain.time, 1), blocks=8)
    chain.mine(2)


def test_a_campaign_from_promise_to_delivery(node: WalletNode, terminal_of: Opens) -> None:
    creator, fan = terminal_of("owner"), terminal_of("till")
    steps = ("--milestone", "30:now:Start", "--milestone", f"30:{date(node, 10)}:Mould", "--reserve", "40")
    windows = ("--grace-days", 9, "--vote-days", 2, "--retry-days", 0.5, "--late-until", date(node, 11))
    extras = ("--tier", "500:2:Early", "--add-on", "50:0:Bulb", "--stretch", "2000:Brass", "--delivery-forms")
    ends = ("--goal", 1_000, "--deadline", date(node, 2), "--delivery", date(node, 20))
    made = creator.read("creator", "create-campaign", "A lamp", *ends, *steps, *windows, *extras)
    campaign = made["campaign"]
    shown = creator.read("creator", "status", campaign)
    assert [(step["title"], step["share"]) for step in shown["steps"]] == [
        ("Start", 3_000),
        ("Mould", 3_000),
        ("Delivery", 4_000),
    ]
    assert (shown["add_ons"][0]["title"], shown["stretch_goals"][0]["title"]) == ("Bulb", "Brass")
    assert (shown["retry_seconds"], shown["silence"], bool(shown["delivery_key"])) == (43_200, "rejects", True)
    number = fan.read("wallet", "pledge", campaign, 600, "--tier", 1, "--add-on", "1:2")["number"]
    fan.run("wallet", "change-pledge", campaign, number, 1_500, "--tier", 1)
    spare = fan.read("wallet", "pledge", campaign, 10)["number"]
    fan.run("wallet", "cancel-pledge", campaign, spare)
    letter = fan.home / "address.txt"
    letter.write_text("Ann Example, 1 Street, size M")
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert fan.read("wallet", "send-delivery-form", campaign, number, letter)["number"] == number
        (form,) = creator.read("creator", "delivery-forms", campaign)
    assert form["text"] == "Ann Example, 1 Street, size M"
    pass_decision(node, campaign)
    news = creator.home / "news.txt"
    news.write_text("The mould is ordered.")
    assert "(none)" in fan.run("chain", "updates", campaign)
    posted = creator.read("creator", "post-update", campaign, news)
    assert (posted["number"], posted["text_at_node"]) == (1, True)
    for file in (news, posted["text_file"]):
        assert fan.read("creator", "check-update", campaign, file)["posted"] is True
    assert '"posted": false' in fan.run("creator", "check-update", campaign, letter, "--json", expect=1)
    (update,) = fan.read("chain", "updates", campaign)
    assert (update["number"], update["text"], update["says"]) == (1, posted["text"], "The mould is ordered.")
    assert "The mould is ordered." in fan.run("chain", "updates", campaign)
    assert fan.read("creator", "status", campaign)["latest_update"] == update
    assert fan.read("wallet", "pledges")[0]["latest_update"] == update
    assert "The mould is ordered." in fan.hear("wallet", "pledges")
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert creator.read("wallet", "review", "erase-text", campaign, posted["text"]) == {"erased": 1}
    assert MISSING in fan.run("chain", "updates", campaign)
    assert "texts of 1 update" in fan.fail("creator", "check-update", campaign, news)
    assert fan.read("creator", "check-update", campaign, posted["text_file"])["number"] == 1
    late = fan.read("wallet", "pledge", campaign, 100, "--late")["number"]
    assert creator.read("creator", "submit", campaign, news)["status"] == "confirmed"
    fan.run("wallet", "vote-milestone", campaign, number, "--yes")
    fan.run("wallet", "vote-milestone", campaign, late, "--no")
    fan.run("wallet", "withdraw-pledge", campaign, late)
    pass_decision(node, campaign)
    creator.run("creator", "submit", campaign, news)
    fan.run("wallet", "confirm-delivery", campaign, number, "--received")
    pass_decision(node, campaign)
    (own, *_) = fan.read("wallet", "pledges")
    assert (own["status"], own["says"]) == ("done", "Delivered in time, as its backers confirmed.")
    with time_machine.travel(node.chain.clock.now(), tick=False):
        assert creator.read("creator", "delivery-forms", campaign, "--delete", number)["dropped"] is True
        assert fan.read("wallet", "delete-delivery-form", campaign, number)["dropped"] is False
        assert creator.read("creator", "delivery-forms", campaign) == []
    (mine,) = creator.read("creator", "campaigns")["items"]
    assert (mine["status"], mine["late_days"]) == ("done", 0)
    assert "done" in creator.run("creator", "campaigns") and "A lamp" in fan.run("wallet", "pledges")


def test_a_creator_gives_up(node: WalletNode, terminal_of: Opens) -> None:
    creator, fan = terminal_of("owner"), terminal_of("till")
    end = ("--goal", 10, "--deadline", date(node, 2), "--keep-it-all", "--silence-approves")
    campaign = creator.read("creator", "create-campaign", "A lamp", *end)["campaign"]
    fan.run("wallet", "pledge", campaign, 7)
    creator.run("creator", "cancel-campaign", campaign)
    node.chain.mine()
    shown = fan.read("creator", "status", campaign)
    assert (shown["status"], shown["returned"]) == ("cancelled", 7)
    refused = fan.fail("creator", "cancel-campaign", campaign)
    assert "creator" in refused


def test_a_licensed_voucher_is_signed_by_the_programs_owner(node: WalletNode, terminal_of: Opens) -> None:
    owner, creator, fan = terminal_of("owner"), terminal_of("till"), terminal_of("fan")
    program = open_shop(owner, creator)
    enrol(creator, fan, program)
    key = owner.read("wallet", "public-key")["public_key"]
    file = creator.home / "licence.json"
    end = ("--goal", 10, "--deadline", date(node, 2), "--program", program, "--licensor-key", key)
    assert "--out" in creator.fail("creator", "create-campaign", "Vouchers", *end, expect=2)
    asked = creator.read("creator", "create-campaign", "Vouchers", *end, "--out", file)
    assert asked["missing"] == 1
    owner.run("wallet", "together", "sign", file)
    owner.run("wallet", "together", "submit", file)
    shown = fan.read("creator", "status", asked["campaign"])
    assert (shown["unit"]["program"], shown["unit"]["licensor"]) == (
        program,
        node.client.program(bytes.fromhex(program))["owner"],
    )


def test_what_is_typed_wrong_is_said(terminal: Terminal, no_node: None) -> None:
    campaign, end = "c3" * 32, ("--goal", 10, "--deadline", "2027-01-31")
    for options, words in (
        (("--tier", "x:1:A"), "LEAST:PLACES:TITLE"),
        (("--tier", f"{2**63}:1:A"), "too large"),
        (("--stretch", "20"), "AMOUNT:TITLE"),
        (("--milestone", "30:2027-03-01"), "PERCENT:DATE:TITLE"),
        (("--milestone", "30:soon:A"), "date in UTC"),
        (("--milestone", "30.123:now:A"), "at most two decimals"),
        (("--reserve", "lots"), "percentage"),
        (("--grace-days", "400"), "(a minute) to 366"),
        (("--late-until", "never"), "date in UTC"),
    ):
        said = terminal.fail("creator", "create-campaign", "A", *end, *options, expect=2)
        assert words in " ".join(said.replace("│", " ").split()), said
    for add_on in ("1", "17:1", "1:1001", "a:b"):
        assert "add-on" in terminal.fail("wallet", "pledge", campaign, 5, "--add-on", add_on, expect=2)
    assert "cannot be used" in terminal.fail("creator", "check-update", campaign, terminal.home / "none", expect=2)


def test_terms_that_do_not_fit_are_said_in_the_words_that_were_typed(node: WalletNode, terminal_of: Opens) -> None:
    creator = terminal_of("owner")
    make = ("creator", "create-campaign", "A lamp", "--goal", 1_000, "--deadline", date(node, 2))
    start, delivery = ("--milestone", "30:now:Start"), ("--delivery", date(node, 20))
    assert "sum to 100 %, not 90 %" in creator.fail(*make, *start, "--reserve", "60", *delivery, expect=2)
    assert "sum to 100 %, not 40 %" in creator.fail(*make, "--reserve", "40", *delivery, expect=2)
    assert "name its date with --delivery" in creator.fail(*make, *start, "--reserve", "70", expect=2)
    assert "needs --delivery" in creator.fail(*make, "--delivery-forms", expect=2)
    whole = (*start, "--reserve", "70", *delivery)
    for wrong in (0.0005, 61, -1, "nan"):
        heard = creator.fail(*make, *whole, "--vote-days", wrong, expect=2)
        assert "from 0.0007 (a minute) to 60" in heard
    assert "from 0 to 90" in creator.fail(*make, *whole, "--retry-days", 91, expect=2)
    quick = ("--vote-days", 0.0007, "--grace-days", 0.0007, "--retry-days", 0)
    campaign = creator.read(*make, *whole, *quick)["campaign"]
    shown = creator.run("creator", "status", campaign)
    assert "30 %" in shown and "70 %" in shown
