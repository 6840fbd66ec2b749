"""Addresses as people and nodes write them."""

import pytest

from node.errors import NodeError
from node.p2p.address import DEFAULT_PORT, PeerAddress, PeerName, make_address, read_peer_name, split_host_port


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("node.example:1234", ("node.example", 1_234)),
        ("node.example", ("node.example", DEFAULT_PORT)),
        ("203.0.113.7:65535", ("203.0.113.7", 65_535)),
        ("[2001:db8::1]:80", ("2001:db8::1", 80)),
        ("[2001:db8::1]", ("2001:db8::1", DEFAULT_PORT)),
        ("2001:db8::1", ("2001:db8::1", DEFAULT_PORT)),
    ],
)
def test_host_and_port_are_read(text: str, found: tuple[str, int]) -> None:
    assert split_host_port(text) == found


@pytest.mark.parametrize("text", ["", ":80", "a:0", "a:65536", "a:x", "a:-1", "[::1", "[::1]80", "a:\u0661"])
def test_what_is_no_address_is_said_in_words(text: str) -> None:
    with pytest.raises(NodeError, match=r"p2p\.address"):
        split_host_port(text)


def test_an_ipv4_address_in_ipv6_form_is_one_of_ipv4() -> None:
    assert make_address("::ffff:203.0.113.7", 1) == make_address("203.0.113.7", 1)
    assert make_address("fe80::1%eth0", 1).ip[:2] == b"\xfe\x80"


def test_groups_hosts_and_what_can_be_dialled() -> None:
    four, six = make_address("203.0.113.7", 80), make_address("2001:db8:1:2:3::4", 80)
    assert (four.group, four.host) == (bytes([203, 0]), four.ip)
    assert (six.group, six.host) == (six.ip[:4], six.ip[:8])
    assert (str(four), str(six)) == ("203.0.113.7:80", "[2001:db8:1:2:3::4]:80")
    for text in ("0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "ff02::1"):
        assert not make_address(text, 80).is_dialable, text
    assert four.is_dialable and six.is_dialable
    assert not PeerAddress(four.ip, 0).is_dialable
    assert make_address("127.0.0.1", 1).is_loopback and make_address("::1", 1).is_loopback
    for text in ("10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "fe80::1", "fd00::1", "::1"):
        assert not make_address(text, 1).is_public, text
    assert make_address("8.8.8.8", 1).is_public


KEY = "ab" * 32


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("node.example", PeerName("node.example", DEFAULT_PORT)),
        ("ws://node.example:1", PeerName("node.example", 1)),
        ("wss://[::1]:1", PeerName("::1", 1, is_tls=True)),
        (f"{KEY}@10.0.0.1:1", PeerName("10.0.0.1", 1, key=bytes.fromhex(KEY))),
        (f"wss://{KEY}@[::1]:1", PeerName("::1", 1, True, bytes.fromhex(KEY))),
    ],
)
def test_a_peer_is_named(text: str, found: PeerName) -> None:
    assert read_peer_name(text) == found
    assert read_peer_name(str(found)) == found


@pytest.mark.parametrize(
    "text", ["", "wss://", f"{KEY[2:]}@a", f"{KEY}@", "x@a", "https://a:1", "a/b", "a b", "wss://a:0"]
)
def test_what_names_no_peer(text: str) -> None:
    with pytest.raises(NodeError) as caught:
        read_peer_name(text)
    assert caught.value.code.name == "p2p.address"
