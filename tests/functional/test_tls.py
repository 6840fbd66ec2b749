"""TLS between nodes: self-signed is enough, who stands between is found out, and a node that must be a certain one is."""

import datetime
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from node.errors import NodeError
from node.p2p.address import PeerName
from node.p2p.network import Network
from node.p2p.tls import server_context
from tests.functional.test_two_networks import LOOPBACK, mine, port_of, ready, running
from tests.node.watching import nothing_left_behind, wait_until

Pair = tuple[Path, Path]


def make_pair(folder: Path, name: str) -> Pair:
    """A certificate that vouches for itself, and its key."""
    key = Ed25519PrivateKey.generate()
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, None)
    )
    paths = folder / f"{name}.crt", folder / f"{name}.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path, "node")


def encrypted(network: Network) -> list[bool]:
    return [peer.is_encrypted for peer in network.report().peers if peer.is_ready]


@pytest.mark.parametrize("is_named_so", [True, False])
def test_blocks_come_over_tls_with_a_certificate_that_vouches_for_itself(
    tmp_path: Path, pair: Pair, is_named_so: bool
) -> None:
    """Also where the name does not ask for it: the port takes nothing else."""
    with nothing_left_behind(), running(tmp_path / "one", tls=pair) as (one, first):
        last = mine(one, 50)
        named = (PeerName(LOOPBACK, port_of(first), is_named_so, first.key),)
        with running(tmp_path / "two", named=named, listen=None) as (two, second):
            wait_until(lambda: two.chain.tip.hash == last.hash, 60)
            wait_until(lambda: encrypted(first) == encrypted(second) == [True])


def test_tls_that_was_asked_for_is_never_left_out(tmp_path: Path) -> None:
    with nothing_left_behind(), running(tmp_path / "one") as (_, first):
        named = (PeerName(LOOPBACK, port_of(first), True),)
        with running(tmp_path / "two", named=named, listen=None) as (_, second), pytest.raises(AssertionError):
            wait_until(lambda: ready(second) == 1, 4)


def test_a_node_with_tls_dials_one_without(tmp_path: Path, pair: Pair) -> None:
    with nothing_left_behind(), running(tmp_path / "one") as (_, first):
        named = (PeerName(LOOPBACK, port_of(first)),)
        with running(tmp_path / "two", named=named, tls=pair) as (_, second):
            wait_until(lambda: encrypted(second) == [False], 20)


def test_another_key_than_the_one_that_was_named_is_left(tmp_path: Path, pair: Pair) -> None:
    with nothing_left_behind(), running(tmp_path / "one", tls=pair) as (_, first):
        named = (PeerName(LOOPBACK, port_of(first), True, bytes(32)),)
        with capture_logs() as logs, running(tmp_path / "two", named=named, listen=None) as (_, second):
            wait_until(lambda: [entry for entry in logs if entry["event"] == "p2p.other_key"], 20)
            assert ready(second) == 0


@contextmanager
def standing_between(port: int, pair: Pair) -> Iterator[int]:
    """Somebody who has a certificate of its own and passes on what both sides say; its port."""
    import asyncio
    import threading

    loop = asyncio.new_event_loop()
    away = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    away.check_hostname, away.verify_mode = False, ssl.CERT_NONE

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(LOOPBACK, port, ssl=away)
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer), return_exceptions=True)
        there[1].close()
        writer.close()

    async def begin() -> asyncio.Server:
        return await asyncio.start_server(serve, LOOPBACK, 0, ssl=server_context(*pair)[0])

    async def end(server: asyncio.Server) -> None:
        server.close()
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0.1)

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_who_stands_between_is_found_out(tmp_path: Path, pair: Pair) -> None:
    """Its certificate is another one, so what it passes on is signed for another channel."""
    between = make_pair(tmp_path, "between")
    with running(tmp_path / "one", tls=pair) as (_, first), standing_between(port_of(first), between) as port:
        named = (PeerName(LOOPBACK, port, True),)
        with capture_logs() as logs, running(tmp_path / "two", named=named, listen=None) as (_, second):
            wait_until(lambda: "p2p.proof" in {entry.get("code") for entry in logs}, 20)
            assert ready(first) == ready(second) == 0


@pytest.mark.parametrize("wrong", ["missing", "text", "other"])
def test_files_that_are_no_pair_are_told(tmp_path: Path, pair: Pair, wrong: str) -> None:
    certificate, key = pair
    if wrong == "missing":
        key = tmp_path / "no.pem"
    elif wrong == "text":
        certificate.write_text("nothing")
    else:
        key = make_pair(tmp_path, "other")[1]
    with pytest.raises(NodeError) as caught:
        server_context(certificate, key)
    assert caught.value.code.name == "p2p.tls" and str(certificate) in str(caught.value)
