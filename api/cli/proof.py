"""`fansumer proof`: proofs that need no node to be checked."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import DEFAULT_URL, AsJson, Campaign, Force, Program, TransactionId, Url, WhoseAddress

if TYPE_CHECKING:
    from api.wallet.client import Client
    from ledger.types import BlockHash

app = typer.Typer(no_args_is_help=True, help="Proofs: fetched once from any node, checked offline by anybody.")

Out = Annotated[Path, typer.Option("--out", help="Where to write the proof.")]
Trust = Annotated[
    str | None,
    typer.Option(
        "--trust",
        metavar="HASH",
        help="The hash of a block that you know from a source of your own: the proof must lead to it.",
    ),
]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The proof.")],
    chain_id: Annotated[
        str | None, typer.Option("--chain-id", help="The chain that you follow: the proof must be about it.")
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option("--params", help="A private chain's params file: the chain that you follow, and its addresses."),
    ] = None,
    trust: Trust = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof, offline. Says what it shows, what it rests on, and what it takes for granted.

    \b
    Example:
      fansumer proof check purchase.proof --chain-id 0f0f...0f --trust 00a1...b2
    """
    from api.cli.chain_params import load_params
    from api.cli.output import EXIT_REFUSED, print_json
    from api.cli.proof_words import describe_report, tell_report
    from api.cli.session import naming_file, read_bytes, read_id
    from api.wallet.errors import WalletError
    from ledger.errors import LedgerError
    from ledger.genesis import make_genesis
    from ledger.proofs import PROOF_BYTES_MAX, check_proof, measure_proof, read_proof
    from ledger.types import ChainId

    own = None if params is None else load_params("", params)
    known = None if own is None else make_genesis(own).chain_id
    known = known if chain_id is None else ChainId(read_id(chain_id, "--chain-id"))
    trusted = read_block_hash(trust)
    data = read_bytes(file, PROOF_BYTES_MAX)
    try:
        with naming_file(file, "proof"):
            proof = read_proof(data)
            report = check_proof(proof, known, trust=trusted)
    except (LedgerError, WalletError) as fault:
        if not as_json:
            raise
        print_json({"holds": False, "code": fault.code.name, "reason": str(fault).removeprefix(f"{fault.code.name}: ")})
        raise typer.Exit(EXIT_REFUSED) from None
    sizes = measure_proof(proof)
    if as_json:
        print_json(describe_report(report, sizes, chain_is_known=known is not None))
    else:
        typer.echo("\n".join(tell_report(report, sizes, chain_is_known=known is not None, params=own)))


@app.command()
def transaction(
    txid: TransactionId,
    out: Out,
    trust: Trust = None,
    force: Force = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Fetch the proof that a transaction is in the chain.

    \b
    Example:
      fansumer proof transaction e4e4...e4 --out purchase.proof
    """
    from api.cli.session import read_id
    from ledger.types import TxId

    wanted = TxId(read_id(txid, "TXID"))
    _fetch(lambda client, known: client.transaction_proof(wanted, trust=known), out, trust, url, force=force)


@app.command()
def account(address: WhoseAddress, out: Out, trust: Trust = None, force: Force = False, url: Url = DEFAULT_URL) -> None:
    """Fetch the proof of the coin that an account holds in the latest state.

    \b
    Example:
      fansumer proof account dfan1p... --out account.proof
    """
    _fetch(lambda client, known: client.account_proof(address, trust=known), out, trust, url, force=force)


@app.command()
def member(
    program: Program, address: WhoseAddress, out: Out, trust: Trust = None, force: Force = False, url: Url = DEFAULT_URL
) -> None:
    """Fetch the proof of the points that an account holds in a program in the latest state.

    \b
    Example:
      fansumer proof member 5f5f...5f dfan1p... --out points.proof
    """
    from api.cli.session import read_id

    wanted = read_id(program, "PROGRAM")
    _fetch(lambda client, known: client.member_proof(wanted, address, trust=known), out, trust, url, force=force)


@app.command()
def program(program: Program, out: Out, trust: Trust = None, force: Force = False, url: Url = DEFAULT_URL) -> None:
    """Fetch the proof of a program's totals in the latest state: issued, outstanding, redeemed, expired.

    \b
    Example:
      fansumer proof program 5f5f...5f --out totals.proof
    """
    from api.cli.session import read_id

    wanted = read_id(program, "PROGRAM")
    _fetch(lambda client, known: client.program_proof(wanted, trust=known), out, trust, url, force=force)


@app.command()
def campaign(campaign: Campaign, out: Out, trust: Trust = None, force: Force = False, url: Url = DEFAULT_URL) -> None:
    """Fetch the proof of what a campaign collected and holds in escrow in the latest state.

    \b
    Example:
      fansumer proof campaign c7c7...c7 --out escrow.proof
    """
    from api.cli.session import read_id

    wanted = read_id(campaign, "CAMPAIGN")
    _fetch(lambda client, known: client.campaign_proof(wanted, trust=known), out, trust, url, force=force)


@app.command()
def pledge(
    campaign: Campaign,
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=0, max=2**32 - 1, help="The pledge's number.")],
    out: Out,
    trust: Trust = None,
    force: Force = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Fetch the proof of one pledge in the latest state. One that went back has none: prove its transaction.

    \b
    Example:
      fansumer proof pledge c7c7...c7 0 --out pledge.proof
    """
    from api.cli.session import read_id

    wanted = read_id(campaign, "CAMPAIGN")
    _fetch(lambda client, known: client.pledge_proof(wanted, number, trust=known), out, trust, url, force=force)


def read_block_hash(text: str | None) -> "BlockHash | None":
    """A block's hash as people write it. Raises UsageFault cli.bad_id."""
    from api.cli.session import read_id
    from ledger.types import BlockHash

    return None if text is None else BlockHash(read_id(text, "--trust")[::-1])


def _fetch(
    get: Callable[["Client", str | None], bytes], out: Path, trust: str | None, url: str, *, force: bool
) -> None:
    """Write what a node gives, if it is a proof that holds and leads to the block that is trusted."""
    from api.cli.file_kinds import PROOF
    from api.cli.output import say
    from api.cli.session import connect, refuse_overwriting, write_file
    from ledger.proofs import check_proof, read_proof

    known = read_block_hash(trust)
    refuse_overwriting(out, PROOF, force=force)
    with connect(url) as client:
        data = get(client, None if trust is None else trust.lower())
    check_proof(read_proof(data), trust=known)
    write_file(out, data, force=force)
    say(f"The proof holds. It is in {out}; `fansumer proof check {out}` says what it shows.")
