"""Where a node is reached: an IP address and a port, its group among networks, its host among those that are banned."""

import ipaddress
from dataclasses import dataclass

from ledger.errors import Code
from node.errors import NodeError

BAD_ADDRESS = Code(
    "p2p.address",
    "{text} is no address of a peer: {reason}",
    "Write HOST:PORT, such as 203.0.113.7:8790 or [2001:db8::1]:8790.",
)
DEFAULT_PORT = 8_790
PLAIN, OVER_TLS = "ws://", "wss://"
V4_GROUP_BYTES, V6_GROUP_BYTES, V6_HOST_BYTES = 2, 4, 8


@dataclass(frozen=True, slots=True, order=True)
class PeerAddress:
    """An IP address in 4 or 16 bytes, and a port."""

    ip: bytes
    port: int

    @property
    def group(self) -> bytes:
        """Addresses of one group are likely to be one person's (spec NET-12)."""
        return self.ip[: V4_GROUP_BYTES if len(self.ip) == 4 else V6_GROUP_BYTES]

    @property
    def host(self) -> bytes:
        """What is banned: an IPv4 address, or the network of one IPv6 subscriber (spec NET-14)."""
        return self.ip if len(self.ip) == 4 else self.ip[:V6_HOST_BYTES]

    @property
    def is_loopback(self) -> bool:
        """Whether it is this computer."""
        return ipaddress.ip_address(self.ip).is_loopback

    @property
    def is_dialable(self) -> bool:
        """Whether it is an address that somebody can have at all (spec NET-11)."""
        found = ipaddress.ip_address(self.ip)
        is_void = self.ip[0] == 0 if len(self.ip) == 4 else found.is_unspecified
        is_reserved = len(self.ip) == 4 and self.ip[0] >= 240
        return self.port > 0 and not (is_void or is_reserved or found.is_multicast)

    @property
    def is_public(self) -> bool:
        """Whether it means the same place for everybody."""
        found = ipaddress.ip_address(self.ip)
        return not (found.is_private or found.is_loopback or found.is_link_local)

    def __str__(self) -> str:
        shown = ipaddress.ip_address(self.ip)
        return f"[{shown}]:{self.port}" if len(self.ip) == 16 else f"{shown}:{self.port}"


def make_address(ip_text: str, port: int) -> PeerAddress:
    """From an IP address as text; an IPv4 address in IPv6 form becomes one of 4 bytes. Raises ValueError."""
    found = ipaddress.ip_address(ip_text.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return PeerAddress((mapped or found).packed, port)


def split_host_port(text: str, default_port: int = DEFAULT_PORT, *, is_zero_allowed: bool = False) -> tuple[str, int]:
    """Host (a name or an IP address) and port of `HOST:PORT`, `[IPv6]:PORT` or `HOST`. Raises `p2p.address`."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise NodeError(BAD_ADDRESS, text=text, reason="the bracket is not closed before the port")
        port_text = rest[1:]
    elif text.count(":") > 1:
        host, port_text = text, ""
    else:
        host, _, port_text = text.partition(":")
    if not host:
        raise NodeError(BAD_ADDRESS, text=text, reason="the host is missing")
    if not port_text:
        return host, default_port
    least = 0 if is_zero_allowed else 1
    if not (port_text.isascii() and port_text.isdigit()) or not least <= int(port_text[:6]) <= 65_535:
        raise NodeError(BAD_ADDRESS, text=text, reason=f"the port is not {least} to 65535")
    return host, int(port_text)


@dataclass(frozen=True, slots=True)
class PeerName:
    """A peer as an operator names it: `[wss://][KEY@]HOST:PORT`. `key`: it must prove this node key."""

    host: str
    port: int
    is_tls: bool = False
    key: bytes | None = None

    def __str__(self) -> str:
        who = "" if self.key is None else f"{self.key.hex()}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{OVER_TLS if self.is_tls else ''}{who}{host}:{self.port}"


def read_peer_name(text: str) -> PeerName:
    """What an operator wrote. Raises `p2p.address`."""
    is_tls = text.startswith(OVER_TLS)
    rest = text.removeprefix(OVER_TLS).removeprefix(PLAIN)
    who, at, place = rest.rpartition("@")
    key = None
    if at:
        try:
            key = bytes.fromhex(who)
        except ValueError:
            key = b""
        if len(key) != 32 or not who.isalnum():
            raise NodeError(BAD_ADDRESS, text=text, reason="what stands before @ is no node key of 64 hex digits")
    host, port = split_host_port(place)
    if any(sign in host for sign in "/?#@ \t\n"):
        raise NodeError(BAD_ADDRESS, text=text, reason="the host is none")
    return PeerName(host, port, is_tls, key)
