"""The commands of `fansumer wallet` about one's own pledges: what was backed, votes, and ways out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import AMOUNT_MAX, DEFAULT_URL, Account, AsJson, Campaign, PayOwn, Url, Wait, WalletFile

if TYPE_CHECKING:
    from ledger.types import CampaignId

Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=0, max=2**32 - 1, help="The pledge's number, as `pledge` showed it.")
]
Quantity = Annotated[
    int, typer.Argument(min=1, max=AMOUNT_MAX, help="How much, in the smallest unit of what it collects.")
]
Tier = Annotated[int, typer.Option("--tier", min=0, max=32, help="The tier, counted from 1; 0 is none.")]
AddOns = Annotated[
    list[str] | None,
    typer.Option("--add-on", metavar="NUMBER:COUNT", help="An add-on, counted from 1, and how many. Once for each."),
]
COLUMNS = ("title", "status", "number", "quantity", "would_get_back", "vote", "ended", "campaign")


def read_add_ons(texts: list[str] | None) -> tuple[tuple[int, int], ...]:
    """(which, how many) from NUMBER:COUNT."""
    found: list[tuple[int, int]] = []
    for text in texts or ():
        number, _, count = text.partition(":")
        if not (number.isascii() and number.isdigit() and count.isascii() and count.isdigit()):
            raise typer.BadParameter(f"an add-on is NUMBER:COUNT, such as 1:2, not {text[:60]}")
        if not 1 <= int(number[:9]) <= 16 or not 1 <= int(count[:9]) <= 1_000:
            raise typer.BadParameter(f"there are add-ons 1 to 16, up to 1000 of each; {text[:60]} is neither")
        found.append((int(number), int(count)))
    return tuple(found)


def read_campaign(text: str) -> "CampaignId":
    """The id that was typed."""
    from api.cli.session import read_id
    from ledger.types import CampaignId

    return CampaignId(read_id(text, "CAMPAIGN"))


def pledge(
    campaign: Campaign,
    quantity: Quantity,
    tier: Tier = 0,
    add_ons: AddOns = None,
    late: Annotated[bool, typer.Option("--late", help="The deadline has passed; it takes late pledges.")] = False,
    program: Annotated[
        str | None, typer.Option("--program", help="Whose points it collects; by default the node is asked.")
    ] = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Back a campaign. If its goal is not reached by the deadline, everything comes back by itself.

    Shows the pledge's number, by which it is changed, voted with and proved: `fansumer proof pledge CAMPAIGN NUMBER`.

    \b
    Examples:
      fansumer wallet pledge c3c3...c3 500 --tier 1
      fansumer wallet pledge c3c3...c3 700 --tier 1 --add-on 2:3
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_id
    from api.wallet.backer import Backer
    from ledger.types import ProgramId

    wanted, chosen = read_campaign(campaign), read_add_ons(add_ons)
    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet, account) as opened:
        backer = Backer(opened, payment=payment_choice(pay_own=pay_own), program=of_program)
        sent = backer.pledge(wanted, quantity, tier=tier, add_ons=chosen, late=late)
        finish(opened, sent, wait=wait, as_json=as_json, number_in="pledge.made")


def change(
    campaign: Campaign,
    number: Number,
    quantity: Quantity,
    tier: Tier = 0,
    add_ons: AddOns = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Change a pledge before the deadline: name quantity, tier and add-ons as they are to be.

    \b
    Example:
      fansumer wallet change-pledge c3c3...c3 0 700 --tier 2 --add-on 1:2
    """
    from api.cli.session import finish, open_wallet, payment_choice
    from api.wallet.backer import Backer

    wanted, chosen = read_campaign(campaign), read_add_ons(add_ons)
    with open_wallet(url, wallet, account) as opened:
        backer = Backer(opened, payment=payment_choice(pay_own=pay_own))
        finish(opened, backer.change(wanted, number, quantity, tier=tier, add_ons=chosen), wait=wait, as_json=as_json)


def cancel(
    campaign: Campaign,
    number: Number,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take a pledge back before the deadline, without a fee. In the last day none that takes a reached goal below it.

    After the campaign's end it ends the pledge's record, and its deposit comes back.

    \b
    Example:
      fansumer wallet cancel-pledge c3c3...c3 0
    """
    from api.cli.session import finish, open_wallet
    from api.wallet.backer import Backer

    wanted = read_campaign(campaign)
    with open_wallet(url, wallet, account) as opened:
        finish(opened, Backer(opened).cancel(wanted, number), wait=wait, as_json=as_json)


def withdraw(
    campaign: Campaign,
    number: Number,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Take your part of what is not yet released, after you voted no; without a fee. Your no still counts.

    `fansumer wallet pledges` shows how much that is.

    \b
    Example:
      fansumer wallet withdraw-pledge c3c3...c3 0
    """
    from api.cli.session import finish, open_wallet
    from api.wallet.backer import Backer

    wanted = read_campaign(campaign)
    with open_wallet(url, wallet, account) as opened:
        finish(opened, Backer(opened).withdraw(wanted, number), wait=wait, as_json=as_json)


def vote(
    campaign: Campaign,
    number: Number,
    approves: Annotated[bool, typer.Option("--yes/--no", help="Whether the milestone was reached.")],
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Vote on the milestone that the creator submitted, with a pledge's whole weight; it may be changed while the vote is open.

    \b
    Example:
      fansumer wallet vote-milestone c3c3...c3 0 --no
    """
    from api.cli.session import finish, open_wallet, payment_choice
    from api.wallet.backer import Backer

    wanted = read_campaign(campaign)
    with open_wallet(url, wallet, account) as opened:
        backer = Backer(opened, payment=payment_choice(pay_own=pay_own))
        finish(opened, backer.vote(wanted, number, approves=approves), wait=wait, as_json=as_json)


def confirm(
    campaign: Campaign,
    number: Number,
    received: Annotated[bool, typer.Option("--received/--missing", help="Whether it has arrived.")],
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Say whether what was promised has arrived, once the creator says that it was delivered.

    \b
    Example:
      fansumer wallet confirm-delivery c3c3...c3 0 --received
    """
    from api.cli.session import finish, open_wallet, payment_choice
    from api.wallet.backer import Backer

    wanted = read_campaign(campaign)
    with open_wallet(url, wallet, account) as opened:
        backer = Backer(opened, payment=payment_choice(pay_own=pay_own))
        finish(opened, backer.confirm_delivery(wanted, number, received=received), wait=wait, as_json=as_json)


def send_form(
    campaign: Campaign,
    number: Number,
    text: Annotated[Path, typer.Argument(metavar="FILE", help="A text: name, address, sizes. It stays with you.")],
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Tell the creator where to send it. The text is encrypted here, and only the creator can read it; it enters no block.

    \b
    Example:
      fansumer wallet send-delivery-form c3c3...c3 0 my-address.txt
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet, read_text
    from api.wallet.backer import Backer

    wanted, words = read_campaign(campaign), read_text(text)
    with open_wallet(url, wallet, account) as opened:
        print_answer(Backer(opened).send_form(wanted, number, words), as_json=as_json)


def drop_form(
    campaign: Campaign,
    number: Number,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Delete your delivery form at the node.

    \b
    Example:
      fansumer wallet delete-delivery-form c3c3...c3 0
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet
    from api.wallet.backer import Backer

    wanted = read_campaign(campaign)
    with open_wallet(url, wallet, account) as opened:
        print_answer(Backer(opened).drop_form(wanted, number), as_json=as_json)


def list_own(
    program: Annotated[
        str | None, typer.Option("--program", help="Pledges of this program's points; by default those of coin.")
    ] = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List what you backed: how each campaign stands, what you said, and what would come back now.

    \b
    Example:
      fansumer wallet pledges --program 5f5f...5f
    """
    from api.cli.output import print_json, print_rows, say
    from api.cli.session import open_wallet, read_id
    from api.cli.updates import latest_update
    from ledger.types import ProgramId

    of_program = None if program is None else ProgramId(read_id(program, "--program"))
    with open_wallet(url, wallet, account) as opened:
        signer = opened.main if of_program is None else opened.program_signer(of_program)
        client = opened.client
        found = [dict(item) for item in client.every(client.backing.pledges_of, opened.address_text(signer.address))]
        campaigns = dict.fromkeys(item["campaign"] for item in found)
        told = {campaign: latest_update(client, bytes.fromhex(campaign)) for campaign in campaigns}
    for item in found:
        item["latest_update"] = told[item["campaign"]]
    if as_json:
        print_json(found)
        return
    print_rows(found, COLUMNS)
    for item in {item["campaign"]: item for item in found}.values():
        say(f"{item['title']}: {item['says']}")
        if item["latest_update"] is not None:
            say(
                f"  Update {item['latest_update']['number']} of {item['latest_update']['date']}: {item['latest_update']['says']}"
            )
