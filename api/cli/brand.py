"""`fansumer brand`: programs, rewards and issuers of a brand. What its tills do is in `till`."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli import (
    challenges,
    contests,
    contributions,
    earning,
    exports,
    insights,
    join_vouchers,
    offer_plans,
    offers,
    points,
    program_end,
    proposals,
    reviews,
    rewards,
    service_desk,
    till,
)
from api.cli.options import AMOUNT_MAX, DEFAULT_URL, Account, AsJson, CoinAmount, PayOwn, Program, Url, Wait, WalletFile

app = typer.Typer(no_args_is_help=True, help="A brand's programs: terms, rewards, tills, receipts, settling.")

app.add_typer(challenges.brand_app, name="challenge")
app.add_typer(contests.brand_app, name="contests")
app.add_typer(points.returns_app, name="returns")
app.add_typer(proposals.brand_app, name="proposal")
app.add_typer(offers.brand_app, name="offers")
app.add_typer(offers.brand_app, name="offer", hidden=True)
app.add_typer(contributions.app, name="mission")
app.add_typer(insights.webhook_app, name="webhook")

TermsFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Terms in TOML or JSON; `brand example-terms` prints some.")
]
IssuerAddress = Annotated[str, typer.Argument(metavar="ADDRESS", help="The issuer's address.")]


SCOPES = ("till", "settle", "enrol", "fulfil", "adjust", "offer", "record")
"""What an issuer may do; the ledger's bits in their order."""


@app.command("example-terms")
def example_terms() -> None:
    """Print a complete file of terms with a word on each line.

    \b
    Example:
      fansumer brand example-terms > terms.toml
    """
    from api.wallet.program_file import EXAMPLE

    typer.echo(EXAMPLE, nl=False)


@app.command("create-program")
def create_program(
    file: TermsFile,
    another: Annotated[
        bool, typer.Option("--another", help="Make it though a program of yours that goes on has the same name.")
    ] = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Publish a program. Its owner is this account, which pays; fill its pool next. Where this account has a program of that name
    which has not closed, nothing is sent, unless by --another: fans could not tell the two apart.

    \b
    Example:
      fansumer brand create-program terms.toml
    """
    from api.cli.session import finish, open_wallet, read_text
    from api.wallet.brand import Brand
    from api.wallet.namesake import refuse_namesake
    from api.wallet.program_file import read_program_file

    program = read_program_file(read_text(file))
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened)
        if not another:
            refuse_namesake(opened, program.name)
        finish(opened, brand.create_program(program), wait=wait, as_json=as_json, noun="program")


@app.command()
def update(
    program: Program,
    file: TermsFile,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Publish new terms. What is better for fans holds at once, what is worse waits for the notice.

    \b
    Example:
      fansumer brand update 5f5f...5f terms.toml
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_id, read_text
    from api.wallet.brand import Brand
    from api.wallet.program_file import read_terms_file
    from ledger.types import ProgramId

    of_program, terms = ProgramId(read_id(program, "PROGRAM")), read_terms_file(read_text(file))
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened, payment=payment_choice(pay_own=pay_own))
        sent = brand.update_program(of_program, brand.read_program(of_program).latest_version, terms)
        finish(opened, sent, wait=wait, as_json=as_json)


@app.command("grant-issuer")
def grant_issuer(
    program: Program,
    issuer: IssuerAddress,
    scopes: Annotated[
        str, typer.Option("--scopes", help="With commas: till, settle, enrol, fulfil, adjust, offer, record.")
    ],
    daily_cap: Annotated[
        int,
        typer.Option(
            "--daily-cap",
            min=0,
            max=AMOUNT_MAX,
            help="Points that it may settle in a day; of a till, what contests can cost a day.",
        ),
    ] = 0,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Let a key act for the program: sign receipts, settle, enrol fans, hand out rewards. The owner, too, needs a grant
    to settle. A new grant takes the place of the key's earlier one.

    \b
    Examples:
      fansumer brand grant-issuer 5f5f...5f dfan1p... --scopes till,enrol --daily-cap 50000
      fansumer brand grant-issuer 5f5f...5f dfan1p... --scopes settle --daily-cap 100000
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_account, read_id
    from api.wallet.brand import Brand
    from ledger.domains.loyalty.state import SCOPE_ADJUST, SCOPE_ENROL, SCOPE_OFFER, SCOPE_SETTLE, SCOPE_TILL
    from ledger.types import Points, ProgramId

    of_program, bits = ProgramId(read_id(program, "PROGRAM")), _read_scopes(scopes)
    if bits & (SCOPE_SETTLE | SCOPE_ADJUST | SCOPE_OFFER) and not daily_cap:
        raise typer.BadParameter(
            "who settles, adjusts or offers needs --daily-cap: the points that it may give in a day"
        )
    if bits & SCOPE_TILL and not daily_cap:
        raise typer.BadParameter(
            "a till needs --daily-cap: what contests can credit of its receipts of one day, also if it is stolen; "
            "with 0 no fan could contest them"
        )
    with open_wallet(url, wallet, account) as opened:
        brand, to = Brand(opened, payment=payment_choice(pay_own=pay_own)), read_account(opened, issuer)
        if bits & SCOPE_ENROL:
            join_vouchers.warn_of_revived(opened, of_program, issuer)
        sent = brand.grant_issuer(of_program, to, scopes=bits, daily_cap=Points(daily_cap))
        finish(opened, sent, wait=wait, as_json=as_json)


@app.command("revoke-issuer")
def revoke_issuer(
    program: Program,
    issuer: IssuerAddress,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """End what a key may do.

    \b
    Example:
      fansumer brand revoke-issuer 5f5f...5f dfan1p...
    """
    from api.cli.session import finish, open_wallet, payment_choice, read_account, read_id
    from api.wallet.brand import Brand
    from ledger.types import ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet, account) as opened:
        brand = Brand(opened, payment=payment_choice(pay_own=pay_own))
        finish(opened, brand.revoke_issuer(of_program, read_account(opened, issuer)), wait=wait, as_json=as_json)


@app.command("fill-pool")
def fill_pool(
    program: Program,
    amount: CoinAmount,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Put coin into a program's fee pool, from which its fans' fees are paid. It never comes out again.

    \b
    Example:
      fansumer brand fill-pool 5f5f...5f 100000000
    """
    from api.cli.session import finish, open_wallet, read_id
    from ledger.types import Amount, ProgramId

    of_program = ProgramId(read_id(program, "PROGRAM"))
    with open_wallet(url, wallet, account) as opened:
        finish(opened, opened.fill_pool(of_program, Amount(amount)), wait=wait, as_json=as_json)


def _read_scopes(text: str) -> int:
    """The sum of the ledger's bits for names with commas between them."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in SCOPES:
            raise typer.BadParameter(f"{name[:40]!r} is no scope; there are {', '.join(SCOPES)}")
    return sum(1 << SCOPES.index(name) for name in set(names))


app.command("adjust")(points.adjust)
app.command("sunset")(program_end.sunset)
app.command("list-reward")(rewards.list_reward)
app.command("update-reward")(rewards.update_reward)
app.command("redemptions")(rewards.list_redemptions)
app.command("hand-out")(rewards.hand_out)
app.command("accept")(rewards.accept)
app.command("fulfil")(rewards.fulfil)
app.command("refund")(rewards.refund)
app.command("explain-earn")(earning.explain_earn)
app.command("rehearse")(earning.rehearse)
app.command("invite")(till.invite)
app.command("vouchers")(join_vouchers.print_vouchers)
app.command("enrol")(till.enrol)
app.command("sign-receipt")(till.sign_receipt)
app.command("hand-over")(till.hand_over)
app.command("settle")(till.settle)
app.command("reply")(reviews.reply)
app.command("products")(insights.products)
app.command("drop-products")(insights.drop_products)
app.command("segments")(insights.segments)
offers.brand_app.command("plan")(offer_plans.plan)
offers.brand_app.command("plans")(offer_plans.list_plans)
offers.brand_app.command("issue-plan")(offer_plans.issue_plan)
offers.brand_app.command("report")(offer_plans.report)
app.command("plan")(insights.plan)
app.command("message-report")(insights.message_report)
app.command("fan-history")(service_desk.fan_history)
app.command("export-receipts")(exports.export_receipts)
