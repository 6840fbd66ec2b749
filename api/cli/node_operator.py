"""`fansumer node status`, `peers`, `ban`, `unban`: what the operator asks of a node that runs, with the cookie of its folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.options import AsJson, Network
from api.cli.options import DataDir as Folder
from api.cli.output import print_json, print_rows

Host = Annotated[str, typer.Argument(metavar="HOST", help="An IP address.")]

TIMEOUT_SECONDS = 40


def ask_node(network: str, folder: Path | None, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """What the node answers. Raises `operator.not_running`, or what it refuses with."""
    import httpx2

    from api.data_folder import data_folder
    from api.node_place import NOT_RUNNING, read_place
    from api.wallet.errors import ClientProblem
    from node.errors import NodeError

    url, credentials = read_place(folder or data_folder() / network)
    try:
        with httpx2.Client(base_url=url, auth=credentials, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            response = client.request(method, path, json=body)
    except httpx2.HTTPError as fault:
        shown = str(folder or network)
        raise NodeError(NOT_RUNNING, folder=shown, reason=f"{url} does not answer ({fault})") from None
    if response.is_success:
        return response.json()
    problem = response.json()
    raise ClientProblem(problem["code"], problem["detail"], problem["advice"], status=response.status_code)


def status(network: Network = "dev", data_dir: Folder = None, as_json: AsJson = False) -> None:
    """How a node that runs here is doing: its tip, what waits, its peers.

    \b
    Examples:
      fansumer node status
      fansumer node status --network test --json
    """
    found = ask_node(network, data_dir, "GET", "/operator/status")
    if as_json:
        print_json(found)
        return
    models = found.pop("models", None)
    for name, value in found.items():
        shown = "runs without a network" if name == "peers" and value is None else value
        if name == "alarm":
            shown = "none" if value is None else f"{value['code']}: {value['detail']}\n{'':<22}{value['advice']}"
        print(f"{name.replace('_', ' '):<22}{shown}")
    for line in _model_lines(models) if models is not None else ():
        print(line)


def _model_lines(report: dict[str, Any]) -> Iterator[str]:
    """What fans are answered by, and what is wrong with model files."""
    yield f"{'models':<22}{report['place']}"
    for one in report["served"]:
        fans = f"{one['fans']} fans, {one['taken_out']} taken out"
        yield f"{'':<22}{one['version']} of {one['as_of']} for {one['program']}: {fans}; {one['file']}"
    for fault in report["faults"]:
        yield f"{'':<22}{fault['detail']}\n{'':<22}{fault['advice']}"
    if not report["served"]:
        yield f"{'':<22}none is served: plain rules answer"


def peers(network: Network = "dev", data_dir: Folder = None, as_json: AsJson = False) -> None:
    """The connections of a node that runs here, and who is banned.

    \b
    Example:
      fansumer node peers
    """
    found = ask_node(network, data_dir, "GET", "/operator/peers")
    if as_json:
        print_json(found)
        return
    print_rows([_show_peer(peer) for peer in found["peers"]])
    for ban in found["bans"]:
        print(f"banned: {ban['host']} until {ban['until_time']}: {ban['reason']}")


def _show_peer(peer: dict[str, Any]) -> dict[str, str]:
    """A connection as a row; the address whole, since `ban` wants it."""
    ping = peer["ping_seconds"]
    return {
        "address": peer["address"],
        "how": peer["purpose"],
        "ready": "yes" if peer["is_ready"] else "no",
        "height": "?" if peer["height"] is None else str(peer["height"]),
        "ping": "?" if ping is None else f"{ping * 1_000:.0f} ms",
        "in": f"{peer['bytes_received']:,}",
        "out": f"{peer['bytes_sent']:,}",
        "points": f"{peer['points']:.0f}",
        "since": f"{peer['seconds']:.0f} s",
        "TLS": "yes" if peer["is_encrypted"] else "no",
    }


def ban(
    host: Host,
    seconds: Annotated[int, typer.Option("--seconds", min=1, max=366 * 86_400, help="How long.")] = 86_400,
    network: Network = "dev",
    data_dir: Folder = None,
) -> None:
    """Leave a host and take no connection of it for a while.

    \b
    Example:
      fansumer node ban 203.0.113.7 --seconds 3600
    """
    found = ask_node(network, data_dir, "POST", "/operator/bans", {"host": host, "seconds": seconds})
    print(f"{found['host']} is banned for {found['seconds']} s.")


def unban(host: Host, network: Network = "dev", data_dir: Folder = None) -> None:
    """Lift a ban.

    \b
    Example:
      fansumer node unban 203.0.113.7
    """
    found = ask_node(network, data_dir, "DELETE", f"/operator/bans/{host}")
    print(f"{found['host']} is welcome again.")
