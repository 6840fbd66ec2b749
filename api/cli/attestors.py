"""Who says which blocks are final: what a node knows of it, and how their set changes, by files that each of them signs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, AsJson, Url, Wait, WalletFile

if TYPE_CHECKING:
    from api.wallet.attestors import Change
    from ledger.types import ChainId

app = typer.Typer(no_args_is_help=True, help="Changes of the attestors' set; `chain finality` shows it.")

ChangeFile = Annotated[Path, typer.Argument(metavar="FILE", help="What `attestors propose` wrote.")]
COLUMNS = ("key", "weight")


def finality(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show which blocks are final, who says so, and what waits: without attestors the most work decides.

    \b
    Example:
      fansumer chain finality
    """
    from api.cli.output import print_answer, print_json, print_rows
    from api.cli.session import connect

    with connect(url) as client:
        found = client.finality()
    if as_json:
        print_json(found)
        return
    if not found["attested"]:
        print_answer({"attested": False, "says": "no attestors: the most work decides"}, as_json=False)
        return
    names = ("final", "justified", "chain_final", "scheduled", "replacement", "conflict")
    shown = {name: _short(found[name]) for name in names if found[name]}
    plain = {name: found[name] for name in ("blocks_since_justified", "silent", "silent_since_height")}
    print_answer(
        {"set": found["set"]["number"], "quorum_weight": found["set"]["quorum_weight"], **shown, **plain}, as_json=False
    )
    print_rows(found["set"]["members"], COLUMNS)


def _short(item: dict[str, Any]) -> str:
    return " ".join(f"{name}={len(value) if name == 'members' else value}" for name, value in item.items())


@app.command()
def propose(
    member: Annotated[
        list[str], typer.Option("--member", metavar="KEY:WEIGHT", help="A public key in hex, and its weight.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file that each of those who decide signs.")],
    replace_silent: Annotated[
        bool, typer.Option("--replace-silent", help="Recovery keys sign it: the set has justified nothing for long.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Write down the next set, for the chain and the set of now. Nothing is sent.

    \b
    Example:
      fansumer attestors propose --member 8a88...6f5c:3 --member 1b2c...9d0e:2 --out change.json
    """
    from api.cli.output import print_answer
    from api.cli.session import connect, write_file
    from api.wallet.attestors import change_from_mapping

    with connect(url) as client:
        known, chain = client.finality(), client.chain()
    if not known["attested"]:
        raise typer.BadParameter("this chain has no attestors", param_hint="--url")
    last = known["chain_final"]
    final = [last["height"], last["hash"]] if replace_silent else None
    mapping = {
        "chain_id": chain["chain_id"],
        "set_number": known["set"]["number"],
        "final": final,
        "members": [_read_member(text) for text in member],
        "approvals": [],
    }
    change_from_mapping(mapping)
    write_file(out, (json.dumps(mapping, indent=2) + "\n").encode())
    print_answer({"file": str(out), "set_number": mapping["set_number"], "members": len(member)}, as_json=as_json)


def _read_member(text: str) -> list[Any]:
    key, _, weight = text.partition(":")
    try:
        if len(bytes.fromhex(key)) != 32 or int(weight) < 1:
            raise ValueError
    except ValueError as fault:
        raise typer.BadParameter(
            "a public key of 64 hex digits, a colon and a weight", param_hint="--member"
        ) from fault
    return [key.lower(), int(weight)]


@app.command()
def approve(
    file: ChangeFile,
    seed: Annotated[
        Path, typer.Option("--seed", help="A file with the 64 hex digits of the signing key. It stays here.")
    ],
    as_json: AsJson = False,
) -> None:
    """Sign a change with an attestor's or a recovery key, offline; the file then goes to the next one.

    \b
    Example:
      fansumer attestors approve change.json --seed attestor.seed
    """
    from api.cli.output import print_answer
    from api.cli.session import read_text, write_file
    from api.wallet.attestors import approve as sign_change
    from api.wallet.attestors import change_to_mapping
    from ledger.types import PrivateSeed

    chain_id, change = _read_change(file)
    try:
        private = PrivateSeed(bytes.fromhex(read_text(seed).strip()))
        if len(private) != 32:
            raise ValueError
    except ValueError as fault:
        raise typer.BadParameter("64 hex digits are expected", param_hint="--seed") from fault
    signed = sign_change(chain_id, change, private)
    mapping = change_to_mapping(chain_id, signed)
    write_file(file, (json.dumps(mapping, indent=2) + "\n").encode(), force=True)
    print_answer({"file": str(file), "approvals": len(signed.approvals)}, as_json=as_json)


def _read_change(file: Path) -> "tuple[ChainId, Change]":
    from api.cli.session import read_text
    from api.wallet.attestors import change_from_mapping

    try:
        return change_from_mapping(json.loads(read_text(file)))
    except (ValueError, KeyError, TypeError, IndexError) as fault:
        raise typer.BadParameter(f"{file} is no change of the set: {fault}", param_hint="FILE") from fault


@app.command()
def send(
    file: ChangeFile, wallet: WalletFile = None, wait: Wait = True, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Send a change that enough have signed; your wallet pays its fee.

    \b
    Example:
      fansumer attestors send change.json
    """
    from api.cli.session import finish, open_wallet
    from api.wallet.attestors import Attestors
    from ledger.domains.finality.replace_silent import ReplaceSilent

    chain_id, change = _read_change(file)
    with open_wallet(url, wallet) as opened:
        if chain_id != opened.facts.chain_id:
            raise typer.BadParameter(f"{file} is for another chain", param_hint="FILE")
        acts = Attestors(opened)
        sent = acts.replace_silent(change) if isinstance(change, ReplaceSilent) else acts.set_attestors(change)
        finish(opened, sent, wait=wait, as_json=as_json)


@app.command()
def accuse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Evidence: two votes of one key that conflict.")],
    wallet: WalletFile = None,
    wait: Wait = True,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show that an attestor lied: it leaves the set. Free; nodes that see both votes do the same by themselves.

    \b
    Example:
      fansumer attestors accuse evidence.bin
    """
    from api.cli.session import finish, open_wallet, read_bytes
    from api.wallet.attestors import Attestors
    from ledger.finality.votes import Evidence

    evidence = Evidence.decode(read_bytes(file))
    with open_wallet(url, wallet) as opened:
        finish(opened, Attestors(opened).give_evidence(evidence), wait=wait, as_json=as_json)
