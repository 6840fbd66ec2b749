"""What the operator alone may see and do, with the cookie from the data folder. No part of the public API or its document."""

import ipaddress
from dataclasses import asdict
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.bodies import parse_object, read_bounded
from api.http.deps import services_of
from api.http.operator_cookie import check_operator
from api.http.problems import BAD_BODY, RequestFault
from api.http.purchase_desk import PURCHASE_ROUTES
from api.http.rendering import json_response, show_alarm
from api.words import show_time
from ledger.errors import Code
from node.node import Node
from node.p2p.address import PeerAddress, make_address
from node.p2p.network import Network
from node.p2p.scores import BAN_SECONDS

NO_NETWORK = Code(
    "operator.no_network",
    "this node runs without a network",
    "Start it with --listen or --peer.",
)
BAD_HOST = Code("operator.host", "{host} is no IP address", "Write an IP address, as `fansumer node peers` shows it.")
NO_BAN = Code("operator.no_ban", "{host} is not banned", "`fansumer node peers` lists the bans.")

BODY_BYTES_MAX: Final = 4_096
BAN_SECONDS_MAX: Final = 366 * 86_400


class OperatorDesk:
    """Answers the operator of one node. `network` None: it runs alone."""

    def __init__(self, node: Node, network: Network | None) -> None:
        self._node, self._network = node, network

    @property
    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/operator/status", self.read_status, methods=["GET"]),
            Route("/operator/peers", self.read_peers, methods=["GET"]),
            Route("/operator/bans", self.ban, methods=["POST"]),
            Route("/operator/bans/{host}", self.unban, methods=["DELETE"]),
            *PURCHASE_ROUTES,
        ]

    def _network_here(self) -> Network:
        if self._network is None:
            raise RequestFault(NO_NETWORK)
        return self._network

    async def read_status(self, request: Request) -> Response:
        """The chain, what waits, and the network in figures."""
        check_operator(request)
        node, network = self._node, self._network
        with node.reader.snapshot() as view:
            tip = view.tip()
        extent = node.chain.extent
        found: dict[str, Any] = {
            "network": node.chain.params.name,
            "chain_id": node.chain.chain_id[::-1].hex(),
            "height": tip.height,
            "tip": tip.hash[::-1].hex(),
            "work": f"{node.chain.tip.work:x}",
            "tip_age_s": max(node.clock.now() - tip.header.time, 0),
            "verified": "fully verified" if extent.is_verified else f"the state of block {extent.snapshot} is not yet",
            "blocks_from": extent.bodies_from,
            "events_from": extent.history_from,
            "can_take_back_to": extent.floor,
            "transactions_waiting": len(node.mempool),
            "is_mining": node.miner is not None,
            "alarm": show_alarm(node.other_law.fault()),
            "peers": None,
        }
        keeper = services_of(request).models
        if keeper is not None:
            found["models"] = keeper.report()
        if network is not None:
            report = network.report()
            found |= {
                "node_key": network.key.hex(),
                "listens_on": network.port,
                "peers": sum(peer.is_ready for peer in report.peers),
                "missing_blocks": report.missing_blocks,
                "sync": report.sync,
                "history": report.history,
                "known_addresses": report.known_addresses,
                "bans": len(report.bans),
            }
        return json_response(found)

    async def read_peers(self, request: Request) -> Response:
        """Every connection, and who is banned."""
        check_operator(request)
        report = self._network_here().report()
        bans = [
            {"host": _show_host(host), "until": ban.until, "until_time": show_time(ban.until), "reason": ban.reason}
            for host, ban in report.bans.items()
        ]
        return json_response({"peers": [asdict(peer) for peer in report.peers], "bans": bans})

    async def ban(self, request: Request) -> Response:
        """Ban a host, for a day or as long as is said, and leave its connections."""
        check_operator(request)
        network = self._network_here()
        address, seconds = _read_ban(await read_bounded(request, BODY_BYTES_MAX))
        await run_in_threadpool(network.ask, lambda peers: peers.ban(address, seconds, "the operator"))
        return json_response({"host": _show_host(address.host), "seconds": seconds})

    async def unban(self, request: Request) -> Response:
        """Lift a ban."""
        check_operator(request)
        network = self._network_here()
        host = request.path_params["host"]
        address = _parse_host(host)
        if not await run_in_threadpool(network.ask, lambda peers: peers.scores.lift(address.host)):
            raise RequestFault(NO_BAN, host=host)
        return json_response({"host": _show_host(address.host)})


def _parse_host(text: str) -> PeerAddress:
    try:
        return make_address(text, 1)
    except ValueError:
        raise RequestFault(BAD_HOST, host=text[:100]) from None


def _read_ban(body: bytes) -> tuple[PeerAddress, int]:
    """Host and seconds of a body. Raises `http.body` or `operator.host`."""
    found = parse_object(body, frozenset({"host", "seconds"}), frozenset({"host"}))
    if not isinstance(found["host"], str):
        raise RequestFault(BAD_BODY, reason="`host` is no text")
    seconds = found.get("seconds", BAN_SECONDS)
    if type(seconds) is not int or not 1 <= seconds <= BAN_SECONDS_MAX:
        raise RequestFault(BAD_BODY, reason=f"`seconds` is not 1 to {BAN_SECONDS_MAX}")
    return _parse_host(found["host"]), seconds


def _show_host(host: bytes) -> str:
    """An IPv4 address, or the first address of an IPv6 subscriber."""
    return str(ipaddress.ip_address(host if len(host) == 4 else host.ljust(16, b"\0")))
