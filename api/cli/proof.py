"""`fansumer proof`: proofs that need no node to be checked."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, AsJson, Url

app = typer.Typer(no_args_is_help=True, help="Proofs: fetched once from any node, checked offline by anybody.")

Out = Annotated[Path, typer.Option("--out", help="Where to write the proof.")]


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The proof.")],
    chain_id: Annotated[
        str | None, typer.Option("--chain-id", help="The chain that you follow: the proof must be about it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof, offline. Says what it proves, and what it takes for granted.

    \b
    Example:
      fansumer proof check purchase.proof --chain-id 0f0f...0f
    """
    from api.cli.output import print_answer
    from api.cli.session import naming_file, read_bytes, read_id
    from ledger.proofs import PROOF_BYTES_MAX, check_proof, read_proof
    from ledger.types import ChainId

    known = None if chain_id is None else ChainId(read_id(chain_id, "--chain-id"))
    data = read_bytes(file, PROOF_BYTES_MAX)
    with naming_file(file, "proof"):
        proof = read_proof(data)
    report = check_proof(proof, known)
    print_answer(describe_report(report, chain_is_known=known is not None), as_json=as_json)


@app.command()
def transaction(
    txid: Annotated[str, typer.Argument(metavar="TXID", help="The transaction's id: 64 hexadecimal digits.")],
    out: Out,
    url: Url = DEFAULT_URL,
) -> None:
    """Fetch the proof that a transaction is in the chain.

    \b
    Example:
      fansumer proof transaction e4e4...e4 --out purchase.proof
    """
    from api.cli.output import say
    from api.cli.session import connect, read_id, write_file
    from ledger.types import TxId

    with connect(url) as client:
        write_file(out, client.transaction_proof(TxId(read_id(txid, "TXID"))))
    say(f"The proof is in {out}.")


@app.command()
def account(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whose account.")], out: Out, url: Url = DEFAULT_URL
) -> None:
    """Fetch the proof of what an account holds in the latest state.

    \b
    Example:
      fansumer proof account dfan1p... --out account.proof
    """
    from api.cli.output import say
    from api.cli.session import connect, write_file

    with connect(url) as client:
        write_file(out, client.account_proof(address))
    say(f"The proof is in {out}.")


def describe_report(report: Any, *, chain_is_known: bool) -> dict[str, Any]:
    """A proof's report as JSON: block hashes as people know them, the highest byte first."""
    shown: dict[str, Any] = {
        "holds": True,
        "chain_id": report.chain_id.hex(),
        "block": report.anchor_hash[::-1].hex(),
        "height": report.anchor_height,
        "time": report.anchor_time,
        "headers_on_top": report.following,
        "work_on_top": report.work_on_top,
        "trusted_height": report.trusted_height,
        "trusted_block": report.trusted_hash[::-1].hex(),
    }
    if report.txid is not None:
        shown |= {"txid": report.txid.hex(), "in_block": report.home_height, "results": list(report.results)}
    else:
        shown |= {"table": report.table, "record": plain_record(report.record)}
    shown["taken_for_granted"] = "that this block is on the chain that everybody follows" + (
        "" if chain_is_known else ", and that this chain id is the one you mean"
    )
    return shown


def plain_record(record: Any) -> dict[str, Any]:
    """A record's fields as JSON; bytes as hex."""
    from dataclasses import asdict

    return {name: _plain(value) for name, value in asdict(record).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
