"""`fansumer wallet vote`: what a member or a backer may decide."""

from typing import Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, PayOwn, Program, Url, Wait, WalletFile
from api.cli.proposal_options import (
    ForCampaign,
    Method,
    Options,
    PointsCap,
    Proposal,
    Quorum,
    RevealUntil,
    TextFile,
    Title,
    Until,
    read_draft,
)

app = typer.Typer(no_args_is_help=True, help="Vote on proposals, and make one.")

Choice = Annotated[
    list[str], typer.Argument(metavar="CHOICE...", help="Options by number or text; ranked: the best first.")
]


@app.command()
def power(
    proposal: Proposal, wallet: WalletFile = None, account: Account = 0, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """What your ballot weighs: checked against the proposal's snapshot, whatever the node says.

    \b
    Example:
      fansumer wallet vote power p1p1...p1
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet

    with open_wallet(url, wallet, account) as opened:
        answer = _voter(opened).power(_id(proposal))
        shown = {name: answer[name] for name in ("proposal", "address", "power", "membership", "has_voted")}
        print_answer(answer if as_json else shown, as_json=as_json)


@app.command()
def cast(
    proposal: Proposal,
    choice: Choice,
    keep_secret: Annotated[
        bool,
        typer.Option(
            "--keep-secret", help="Sealed votes: do not hand the opening to the node; reveal by yourself later."
        ),
    ] = False,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Vote. A ballot can't be changed.

    Where votes are sealed, the node is handed the opening and sends it when voting is over: forgetting costs nothing. Whoever runs
    that node could read your choice before; nobody else can. With --keep-secret nobody can, and you must reveal it in time.

    \b
    Examples:
      fansumer wallet vote cast p1p1...p1 rye
      fansumer wallet vote cast p1p1...p1 2 0 1
    """
    from api.cli.output import say
    from api.cli.session import finish, open_wallet
    from api.wallet.wallet import OWN_FEE, POOL

    which = _id(proposal)
    payment = OWN_FEE if pay_own else POOL
    with open_wallet(url, wallet, account) as opened:
        voter = _voter(opened)
        shown = voter.read(which)
        chosen = voter.choose(shown, choice)
        if shown["mode"] == "open":
            finish(opened, voter.cast(which, chosen, payment=payment), wait=True, as_json=as_json)
            return
        finish(opened, voter.commit(which, chosen, payment=payment), wait=True, as_json=as_json)
        if keep_secret:
            say(
                f"Reveal it between {shown['voting_until_date']} and {shown['reveal_until_date']}, with the same choice: "
                f"fansumer wallet vote reveal {proposal} {' '.join(map(str, chosen))}"
            )
            return
        voter.hand_over(voter.opening(which, chosen))
        say(
            "The node keeps the opening and sends it when voting is over. Until then whoever runs it could read your choice."
        )


@app.command("hand-over")
def hand_over(
    proposal: Proposal,
    choice: Choice,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Hand the opening of your sealed ballot to a node, as one more that sends it; say the same choice as when you voted.

    \b
    Example:
      fansumer wallet vote hand-over p1p1...p1 rye --url http://another.node:8780
    """
    from api.cli.output import print_answer
    from api.cli.session import open_wallet

    which = _id(proposal)
    with open_wallet(url, wallet, account) as opened:
        voter = _voter(opened)
        chosen = voter.choose(voter.read(which), choice)
        print_answer(voter.hand_over(voter.opening(which, chosen)), as_json=as_json)


@app.command()
def reveal(
    proposal: Proposal,
    choice: Choice,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Open your sealed ballot now that voting is over, at no cost; say the same choice as when you voted.

    \b
    Example:
      fansumer wallet vote reveal p1p1...p1 rye
    """
    from api.cli.session import finish, open_wallet

    which = _id(proposal)
    with open_wallet(url, wallet, account) as opened:
        voter = _voter(opened)
        chosen = voter.choose(voter.read(which), choice)
        finish(opened, voter.reveal(voter.opening(which, chosen)), wait=wait, as_json=as_json)


@app.command()
def propose(
    program: Program,
    title: Title,
    options: Options,
    until: Until,
    quorum: Quorum = 1,
    method: Method = "single",
    reveal_until: RevealUntil = None,
    points_cap: PointsCap = None,
    campaign: ForCampaign = None,
    text: TextFile = None,
    pay_own: PayOwn = False,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Ask the other members, once you have been one for 30 days. The quorum must be a hundredth of them at least.

    \b
    Example:
      fansumer wallet vote propose 5f5f...5f "Which bread?" --option rye --option spelt --until 2027-01-31 --quorum 20
    """
    from api.cli.session import open_wallet
    from api.cli.texts import finish_with_text, keep_document
    from api.wallet.wallet import OWN_FEE, POOL

    draft, document = read_draft(
        program,
        title,
        options,
        method=method,
        until=until,
        reveal_until=reveal_until,
        quorum=quorum,
        points_cap=points_cap,
        campaign=campaign,
        text=text,
    )
    with open_wallet(url, wallet, account) as opened:
        kept = keep_document(document)
        sent = _voter(opened).propose(draft, payment=OWN_FEE if pay_own else POOL)
        finish_with_text(opened, sent, kept, wait=wait, as_json=as_json, noun="proposal")


def _voter(opened: Any) -> Any:
    from api.wallet.voice import Voter

    return Voter(opened)


def _id(proposal: str) -> Any:
    from api.cli.session import read_id
    from ledger.types import ProposalId

    return ProposalId(read_id(proposal, "PROPOSAL"))
