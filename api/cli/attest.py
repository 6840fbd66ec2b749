"""`fansumer attest`: an attestor says which blocks are final, and never says two things that conflict."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.options import DEFAULT_URL, AsJson, Url

if TYPE_CHECKING:
    from ledger.types import PrivateSeed

app = typer.Typer(no_args_is_help=True, help="Attest: say which blocks are final, with a key that the chain names.")

KeystoreFile = Annotated[
    Path | None,
    typer.Option(
        "--keystore",
        envvar="FANSUMER_ATTESTOR",
        help="The keystore with the attestor's key. By default attestor.json in your data folder.",
        rich_help_panel="Key and record",
    ),
]
RecordFile = Annotated[
    Path | None,
    typer.Option(
        "--record",
        help="The signing record. By default a file of the key's in your data folder.",
        rich_help_panel="Key and record",
    ),
]
Index = Annotated[
    int,
    typer.Option(
        "--index",
        min=0,
        max=2**31 - 1,
        help="Which attestor key of the keystore's words.",
        rich_help_panel="Key and record",
    ),
]


def _keystore_path(named: Path | None) -> Path:
    from api.attesting import KEYSTORE_FILE
    from api.data_folder import data_folder

    return data_folder() / KEYSTORE_FILE if named is None else named


def _open_seed(keystore: Path, index: int) -> "PrivateSeed":
    from api.cli.session import Keystore
    from api.wallet.derivation import derive_attestor_seed

    return derive_attestor_seed(Keystore.open(keystore).master, index)


@app.command()
def init(keystore: KeystoreFile = None, record: RecordFile = None, index: Index = 0, as_json: AsJson = False) -> None:
    """Make an attestor: a keystore, unless it is there, and the empty signing record of its key. No node is asked.

    The public key that is shown is what a chain's params, or its attestors' vote, name as an attestor.

    \b
    Examples:
      fansumer attest init
      fansumer attest init --keystore attestor.json --record attestor-record.json
    """
    from api.attesting import record_path
    from api.cli import wallet_file
    from api.cli.output import print_json, say
    from api.wallet.mnemonic import create_phrase
    from ledger.keys import public_key_of
    from node.attest.disk import FileDisk, FileLock
    from node.attest.record import make_record

    path = _keystore_path(keystore)
    phrase = None if path.exists() else create_phrase()
    if phrase is not None:
        wallet_file.save_new(path, phrase)
    key = public_key_of(_open_seed(path, index))
    place = record_path(key) if record is None else record
    lock = FileLock(place)
    try:
        make_record(FileDisk(place), key)
    finally:
        lock.release()
    if as_json:
        print_json({"key": key.hex(), "keystore": str(path), "record": str(place), "phrase": phrase})
        return
    if phrase is not None:
        say("Write these words down in their order and keep the paper. They are the key; nobody can restore them.")
        typer.echo(phrase)
    say(f"The keystore is {path}, the signing record {place}.")
    say("The attestor's public key, for the chain's params:")
    typer.echo(key.hex())
    say(
        "Never run one key at two places. A record that was lost or restored is safe: the attestor listens before it votes."
    )


@app.command()
def run(keystore: KeystoreFile = None, record: RecordFile = None, index: Index = 0, url: Url = DEFAULT_URL) -> None:
    """Attest at a node until Ctrl-C. It first listens for a full interval of checkpoints, then votes for each.

    It ends by itself (exit code 1) where somebody else votes with its key.

    \b
    Examples:
      fansumer attest run
      fansumer attest run --keystore attestor.json --url http://127.0.0.1:8780
    """
    import signal
    import threading

    from api.attesting import AttestorRun, Lease, record_path
    from api.cli.logs import configure_log
    from api.cli.output import say
    from api.cli.session import connect
    from ledger.keys import public_key_of

    configure_log()
    path = _keystore_path(keystore)
    seed = _open_seed(path, index)
    key = public_key_of(seed)
    lease = Lease.take(path, record_path(key) if record is None else record, key)
    stop = threading.Event()
    try:
        with connect(url) as client:
            attestor = AttestorRun(client, seed, lease, say)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stop.set())
            say(f"Attests with {key.hex()} at {url}. Ctrl-C stops.")
            attestor.run(stop)
    finally:
        lease.release()
    say(f"Stopped after {attestor.votes} votes.")


@app.command()
def status(
    keystore: KeystoreFile = None,
    record: RecordFile = None,
    index: Index = 0,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what an attestor's record holds and what its node knows of its votes; harmless while it runs.

    \b
    Example:
      fansumer attest status
    """
    from api.attesting import record_path
    from api.cli.output import print_answer, print_json
    from api.cli.session import connect
    from api.wallet.errors import ClientProblem
    from ledger.keys import public_key_of
    from node.attest.disk import FileDisk
    from node.attest.record import NO_RECORD, read_record
    from node.errors import NodeError

    key = public_key_of(_open_seed(_keystore_path(keystore), index))
    place = record_path(key) if record is None else record
    content = read_record(FileDisk(place))
    if content is None:
        raise NodeError(NO_RECORD, path=str(place))
    found: dict[str, Any] = {"key": key.hex(), "record": str(place), "chains": _show_chains(content.chains)}
    try:
        with connect(url) as client:
            found["node"] = client.attesting.standing(key)
    except ClientProblem as problem:
        found["node"] = {"problem": problem.detail, "code": problem.code}
    if as_json:
        print_json(found)
        return
    print_answer({name: value for name, value in found.items() if name != "node"}, as_json=False)
    typer.echo()
    print_answer(_flat(found["node"]), as_json=False)


def _show_chains(chains: Any) -> list[dict[str, Any]]:
    return [
        {
            "chain_id": chain_id.hex(),
            "votes": signed.votes,
            "source_height": signed.source_floor,
            "target_height": signed.target_floor,
        }
        for chain_id, signed in sorted(chains.items())
    ]


def _flat(node: Mapping[str, Any]) -> dict[str, Any]:
    """What the node says, a checkpoint in one line, votes without their bytes."""
    shown: dict[str, Any] = {}
    for name, value in node.items():
        if name == "votes":
            shown[name] = [{"from": vote["source"]["height"], "to": vote["target"]["height"]} for vote in value]
        elif isinstance(value, dict):
            shown[name] = f"{value['height']} {value['hash']}"
        else:
            shown[name] = value
    return shown
