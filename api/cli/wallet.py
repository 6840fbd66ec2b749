"""`fansumer wallet`: a fan's own commands."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli import (
    consent,
    contests,
    contributions,
    join_vouchers,
    keys,
    offer_plans,
    offers,
    own_challenges,
    own_data,
    personal,
    pledges,
    points,
    receipt,
    redemptions,
    together,
    wallet_file,
)
from api.cli.options import (
    CARRIED_NOTE,
    DEFAULT_URL,
    Account,
    AsJson,
    CoinAmount,
    Force,
    Limit,
    PayOwn,
    Program,
    RewardId,
    Url,
    Wait,
    WalletFile,
)

app = typer.Typer(no_args_is_help=True, help="A fan's wallet: keys, memberships, points, coin.")
app.add_typer(consent.app, name="consent")
app.add_typer(together.treasury_app, name="treasury")
app.add_typer(together.app, name="together")
app.add_typer(own_challenges.app, name="challenges")
app.add_typer(receipt.app, name="receipts")
offers.wallet_app.command("fetch")(offer_plans.fetch)
app.add_typer(offers.wallet_app, name="offers")
app.add_typer(personal.profile_app, name="profile")

HISTORY_COLUMNS = {
    "height": "height",
    "date": "date",
    "name": "event",
    "data.points": "points",
    "data.amount": "coin",
    "data.quantity": "quantity",
    "data.number": "pledge",
    "depth": "how safe",
    "txid": "txid",
}
"""Places in the answer, and what a person reads above them."""


app.command("create")(wallet_file.create)
app.command("restore")(wallet_file.restore)
app.command("addresses")(wallet_file.addresses)


@app.command()
def balance(wallet: WalletFile = None, account: Account = 0, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show coin, and points of every program that was joined.

    The node is asked about each of your accounts in turn, and so learns that they belong together. Ask a node of your own, or
    one that you trust with that.

    \b
    Example:
      fansumer wallet balance
    """
    from api.cli.output import print_json, print_rows, say
    from api.cli.session import open_wallet

    with open_wallet(url, wallet, account) as opened:
        found = [answer for _, answer in opened.balances()]
    if as_json:
        print_json(found)
        return
    typer.echo(f"coin  {found[0]['coin']}  {found[0]['address']}\n")
    columns = {name: name for name in ("name", "available", "pending", "held")}
    columns |= {
        "next_expiry.date": "next expiry",
        "next_expiry.points": "expiring",
        "tier.name": "tier",
        "program": "program",
    }
    programs = [program for answer in found for program in answer["programs"]]
    print_rows(programs, columns)
    for program in programs:
        if program["sunset"] is not None:
            say(points.tell_sunset(program["name"], program["sunset"]))
        if program["collateral"]:
            say(points.tell_collateral(program))
    if programs:
        say(CARRIED_NOTE)


Invited = Annotated[
    str | None,
    typer.Argument(
        metavar="INVITATION",
        help="A till's invitation, as a file or as the text of its QR code: the program's pool pays. Or a program's "
        "id: then the account for it pays from coin of its own.",
    ),
]
VoucherText = Annotated[
    str | None,
    typer.Option(
        "--voucher", metavar="TEXT", help="In place of it a voucher, as the text of its QR code or a file with it."
    ),
]
RequestFile = Annotated[
    Path | None, typer.Option("--request", help="Where to write the request for the till; else it is printed.")
]
Referrer = Annotated[
    str | None, typer.Option("--referrer", metavar="ADDRESS", help="The member that brought you, for its bonus.")
]
GiveBack = Annotated[
    bool,
    typer.Option(
        "--give-back-from-all",
        help="What you return, and sign for, may be taken from any of your points, not only from that purchase's and "
        "pending ones.",
    ),
]


@app.command()
def join(
    invitation: Invited = None,
    voucher: VoucherText = None,
    request: RequestFile = None,
    referrer: Referrer = None,
    give_back: GiveBack = False,
    force: Force = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Join a program. With an invitation no node and no coin is needed: the till counter-signs the request and sends it. With a
    voucher no coin is needed, and no till; each counts once.

    \b
    Examples:
      fansumer wallet join invitation.json --request request.json
      fansumer wallet join 5f5f...5f --referrer dfan1p...
      fansumer wallet join --voucher fansumer-voucher:1:lsQg...
    """
    from api.cli.output import say
    from api.cli.session import (
        Keystore,
        finish,
        open_wallet,
        parse_address,
        read_account,
        read_id,
        read_text,
        write_file,
    )
    from api.wallet.enrolment import Invitation, request_join, take_invitation
    from api.wallet.key_book import Place
    from ledger.domains.loyalty.events import NOBODY
    from ledger.types import ProgramId

    if voucher is None and invitation is not None and invitation.startswith(join_vouchers.PREFIX):
        invitation, voucher = None, invitation
    if (invitation is None) == (voucher is None):
        raise typer.BadParameter("name an invitation, or a program's id, or a --voucher: one of them")
    if voucher is not None:
        join_vouchers.join_with_voucher(
            voucher, referrer=referrer, give_back=give_back, wallet=wallet, url=url, wait=wait, as_json=as_json
        )
        return
    assert invitation is not None, "one of them is named"
    if len(invitation) == consent.ID_DIGITS and not Path(invitation).exists():
        with open_wallet(url, wallet) as opened:
            by = NOBODY if referrer is None else read_account(opened, referrer)
            of_program = ProgramId(read_id(invitation, "PROGRAM"))
            sent = opened.join(of_program, referrer=by, gives_back_from_all=give_back)
            wallet_file.tell_own_address(opened.facts.address_prefix, opened.program_signer(of_program).address)
            finish(opened, sent, wait=wait, as_json=as_json)
        return
    text = invitation if invitation.lstrip().startswith("{") else read_text(Path(invitation))
    invited = Invitation.from_json(take_invitation(text))
    fan = Keystore.open(wallet).keys.signer(Place(program=invited.program))
    by = NOBODY if referrer is None else parse_address(invited.facts.address_prefix, referrer)
    answer = request_join(invited, fan, referrer=by, gives_back_from_all=give_back).to_json()
    wallet_file.tell_own_address(invited.facts.address_prefix, fan.address)
    if request is None:
        typer.echo(answer)
    else:
        write_file(request, answer.encode(), force=force)
        say(f"The request is in {request}; give it to the till.")


@app.command()
def leave(
    program: Program, wallet: WalletFile = None, url: Url = DEFAULT_URL, wait: Wait = True, as_json: AsJson = False
) -> None:
    """Leave a program, without a fee. Points stay usable until they expire.

    \b
    Example:
      fansumer wallet leave 5f5f...5f
    """
    from api.cli.session import finish, open_wallet, read_id
    from ledger.types import ProgramId

    found = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet) as opened:
        finish(opened, opened.leave(found), wait=wait, as_json=as_json)


@app.command()
def redeem(
    program: Program,
    reward: RewardId,
    quantity: Annotated[int, typer.Option("--quantity", min=1, max=1_000, help="How many.")] = 1,
    price_max: Annotated[
        int | None, typer.Option("--price-max", min=1, help="Points that one may cost; by default today's price.")
    ] = None,
    until_settled: Annotated[
        bool,
        typer.Option("--until-settled", help="Wait until it is what the shop waits for: by default six blocks deep."),
    ] = False,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Ask for a reward. Its points are held until the shop hands it out, or come back. Show the shop the hold: it may accept
    at once, at its own risk, or wait until the redemption is settled; `wallet redemption HOLD` shows which.

    \b
    Examples:
      fansumer wallet redeem 5f5f...5f a1a1...a1 --price-max 100
      fansumer wallet redeem 5f5f...5f a1a1...a1 --no-wait
    """
    from api.cli.redemptions import finish_redeem
    from api.cli.session import open_wallet, read_id
    from api.wallet.wallet import OWN_FEE, POOL
    from ledger.types import Points, ProgramId, RewardId

    of_program, wanted = ProgramId(read_id(program, "PROGRAM")), RewardId(read_id(reward, "REWARD"))
    with open_wallet(url, wallet) as opened:
        price = opened.price_of(of_program, wanted) if price_max is None else Points(price_max)
        payment = OWN_FEE if pay_own else POOL
        sent = opened.redeem(of_program, wanted, price_accepted=price, quantity=quantity, payment=payment)
        finish_redeem(opened, sent, wait=wait, until_settled=until_settled, as_json=as_json)


@app.command()
def cancel(
    program: Program,
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="The redemption's id, as `wallet redeem` showed it.")],
    wallet: WalletFile = None,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Give a redemption up, without a fee. Its points come back.

    \b
    Example:
      fansumer wallet cancel 5f5f...5f b2b2...b2
    """
    from api.cli.session import finish, open_wallet, read_id
    from ledger.types import HoldId, ProgramId

    of_program, open_hold = ProgramId(read_id(program, "PROGRAM")), HoldId(read_id(hold, "HOLD"))
    with open_wallet(url, wallet) as opened:
        finish(opened, opened.cancel(of_program, open_hold), wait=wait, as_json=as_json)


@app.command()
def send(
    recipient: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who gets it.")],
    amount: CoinAmount,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Send coin to another account.

    \b
    Example:
      fansumer wallet send dfan1p... 5000
    """
    from api.cli.session import finish, open_wallet, read_account
    from ledger.types import Amount

    with open_wallet(url, wallet, account) as opened:
        sent = opened.transfer(read_account(opened, recipient), Amount(amount))
        finish(opened, sent, wait=wait, as_json=as_json)


@app.command()
def history(
    program: Annotated[
        str | None, typer.Option("--program", help="The account for this program; by default the main account.")
    ] = None,
    limit: Limit = 20,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what happened to an account, the newest first, and how safe each is by now: so many blocks deep, justified, or final.

    \b
    Example:
      fansumer wallet history --program 5f5f...5f --limit 5
    """
    from api.cli.output import print_json, print_rows, say
    from api.cli.session import open_wallet, read_id
    from api.worth_words import speak_depth
    from ledger.types import ProgramId

    with open_wallet(url, wallet, account) as opened:
        signer = opened.main if program is None else opened.program_signer(ProgramId(read_id(program, "PROGRAM")))
        page = opened.client.account_history(opened.address_text(signer.address), limit=limit)
    if as_json:
        print_json(page)
    else:
        print_rows(({**item, "depth": speak_depth(item)} for item in page["items"]), HISTORY_COLUMNS)
        if any(item["name"] == "points.earned" for item in page["items"]):
            say(CARRIED_NOTE)


app.command("give")(points.give)
app.command("claim-collateral")(join_vouchers.claim_collateral)
app.command("sign-return")(points.sign_return)
app.command("pledge")(pledges.pledge)
app.command("pledges")(pledges.list_own)
app.command("change-pledge")(pledges.change)
app.command("cancel-pledge")(pledges.cancel)
app.command("withdraw-pledge")(pledges.withdraw)
app.command("vote-milestone")(pledges.vote)
app.command("confirm-delivery")(pledges.confirm)
app.command("send-delivery-form")(pledges.send_form)
app.command("delete-delivery-form")(pledges.drop_form)
app.command("redemptions")(redemptions.list_own)
app.command("redemption")(redemptions.show)
app.command("check-acceptance")(redemptions.check)
app.command("prove-code")(redemptions.prove_code)
app.command("contribute")(contributions.contribute)
app.command("contest")(contests.contest)
app.command("contests")(contests.list_own)
app.command("public-key")(keys.public_key)
app.command("rotate-key")(keys.rotate_key)
app.command("set-policy")(keys.set_policy)
app.command("find-keys")(keys.find_keys)
app.command("reads")(own_data.reads)
app.command("export-data")(own_data.export_data)
app.command("delete-data")(own_data.delete_data)
app.command("messages")(personal.messages)
app.command("recommendations")(personal.recommendations)
app.command("feedback")(personal.feedback)
app.command("preferences")(personal.preferences)
