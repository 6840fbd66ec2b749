"""`fansumer wallet raised`, and the check of what it writes: what a fan's pledges, votes, work and words led to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, Account, AsJson, Force, Url, WalletFile
from api.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.wallet.raised import Checked
    from api.wallet.raised_facts import Fact
    from api.wallet.wallet import Wallet
    from ledger.proofs import ProofReport
    from ledger.types import Address

NOT_SHOWN = (
    "What is not in the file is not shown, nor who holds these accounts: have a message signed by them if that matters."
)
Trust = Annotated[
    str | None,
    typer.Option(
        "--trust", metavar="HASH", help="The hash of a block that you know from a source of your own: all lead to it."
    ),
]


def raised(
    program: Annotated[
        list[str] | None,
        typer.Option(
            "--program",
            help="Only what your account for this program did; once for each. By default all, and the main one.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the proofs to a file; `fansumer proof raised` checks it offline."),
    ] = None,
    trust: Trust = None,
    wallet: WalletFile = None,
    account: Account = 0,
    url: Url = DEFAULT_URL,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Prove what you raised: your pledges, votes, work and reviews, each with what it led to.

    Every line is read from a proof that was checked here, not from what the node says. The node sees for which of your accounts
    you ask; with --program for one alone.

    \b
    Examples:
      fansumer wallet raised
      fansumer wallet raised --program 5f5f...5f --out raised.json
    """
    from api.cli.output import say
    from api.cli.proof import read_block_hash
    from api.cli.session import open_wallet, refuse_overwriting, write_file
    from api.wallet.raised import FORMAT, check_proofs, collect_proofs, write_raised

    known = read_block_hash(trust)
    if out is not None:
        refuse_overwriting(out, f"a file of the format {FORMAT}", force=force)
    with open_wallet(url, wallet, account) as opened:
        accounts = _accounts(opened, program)
        texts = [opened.address_text(address) for address in accounts]
        proofs = collect_proofs(opened.client, texts, trust=None if trust is None else trust.lower())
        checked = check_proofs(proofs, opened.facts.chain_id, trust=known, accounts=accounts)
    if out is not None:
        write_file(out, write_raised(proofs), force=force)
    _print(checked, lambda _, address: opened.address_text(address), as_json=as_json)
    if out is not None:
        say(f"{len(proofs)} proofs are in {out}; `fansumer proof raised {out}` checks them without a node.")


def check_raised(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `fansumer wallet raised --out` wrote.")],
    chain_id: Annotated[
        str | None, typer.Option("--chain-id", help="The chain that you follow: all of it must be about that one.")
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option("--params", help="A private chain's params file: the chain that you follow, and its addresses."),
    ] = None,
    trust: Trust = None,
    as_json: AsJson = False,
) -> None:
    """Check what somebody raised, offline: every proof in the file, what it led to, and what you take for granted.

    \b
    Example:
      fansumer proof raised raised.json --chain-id 0f0f...0f --trust 00a1...b2
    """
    from api.cli.chain_params import load_params
    from api.cli.proof import read_block_hash
    from api.cli.proof_words import Names
    from api.cli.session import read_bytes, read_id
    from api.wallet.raised import FILE_BYTES_MAX, check_proofs, read_raised
    from ledger.genesis import make_genesis
    from ledger.types import ChainId

    own = None if params is None else load_params("", params)
    known = None if own is None else make_genesis(own).chain_id
    known = known if chain_id is None else ChainId(read_id(chain_id, "--chain-id"))
    checked = check_proofs(read_raised(read_bytes(file, FILE_BYTES_MAX)), known, trust=read_block_hash(trust))
    _print(checked, lambda report, address: Names(report, own).address(address), as_json=as_json)
    if checked.reports and not as_json:
        _print_trust(checked, chain_is_known=known is not None)


def _accounts(wallet: "Wallet", programs: list[str] | None) -> "list[Address]":
    """The accounts whose deeds are looked for: those for the named programs, or the main one and those for all programs."""
    from api.cli.session import read_id
    from ledger.types import ProgramId

    if programs:
        named = [ProgramId(read_id(program, "--program")) for program in programs]
        return [wallet.program_signer(program).address for program in named]
    listed = [ProgramId(bytes.fromhex(row["id"])) for row in wallet.client.every(wallet.client.programs)]
    return [wallet.main.address, *(wallet.program_signer(program).address for program in listed)]


def _print(checked: "Checked", name: "Callable[[ProofReport, Address], str]", *, as_json: bool) -> None:
    """The facts, in the order of the proofs."""
    from api.cli.output import print_json
    from api.cli.proof_words import clean

    pairs = list(zip(checked.facts, checked.reports, strict=True))
    if as_json:
        print_json([_describe(fact, report, name(report, fact.account)) for fact, report in pairs])
        return
    if not pairs:
        typer.echo("No pledge, vote, work or review of these accounts is on the chain.")
    for fact, report in pairs:
        typer.echo(f"{fact.what:<8}{clean(fact.title)}")
        typer.echo(f"        {name(report, fact.account)} {clean(fact.did)}.")
        typer.echo(f"        {clean(fact.led_to)}")


def _print_trust(checked: "Checked", *, chain_is_known: bool) -> None:
    """What a reader of the file takes for granted."""
    from api.cli.proof_words import block_text, taken_for_granted

    last = max(checked.reports, key=lambda report: report.anchor_height)
    count = len(checked.reports)
    typer.echo(f"{counted(count, 'proof')} hold, as of block {last.anchor_height}, {block_text(last.anchor_hash)}.")
    for text in taken_for_granted(last, chain_is_known=chain_is_known):
        typer.echo(f"Taken for granted: {text}.")
    typer.echo(NOT_SHOWN)


def _describe(fact: "Fact", report: "ProofReport", account: str) -> dict[str, Any]:
    from api.cli.proof_words import block_text

    return {
        "what": fact.what,
        "account": account,
        "title": fact.title,
        "did": fact.did,
        "led_to": fact.led_to,
        **fact.details,
        "height": report.anchor_height,
        "block": block_text(report.anchor_hash),
        "rests_on": block_text(report.rests_on),
        "trust": report.trust or None,
    }
