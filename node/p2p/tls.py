"""Optional TLS under the connections of nodes (spec NET-22): certificates may be self-signed, since the handshake binds to them."""

import hashlib
import ssl
from pathlib import Path

from ledger.errors import Code
from node.errors import NodeError

BAD_TLS = Code(
    "p2p.tls",
    "the certificate {certificate} with the key {key} can't be used: {reason}",
    "Both are PEM files, a pair; as of: openssl req -x509 -newkey ed25519 -nodes -subj /CN=node -keyout KEY -out CERTIFICATE",
)
PEM_END = "-----END CERTIFICATE-----"


def client_context() -> ssl.SSLContext:
    """For dialling: whoever's certificate is taken, as the handshake shows whose it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def server_context(certificate: Path, key: Path) -> tuple[ssl.SSLContext, bytes]:
    """For listening, and the channel that it makes. Raises `p2p.tls`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key, password="")
        first = certificate.read_text(encoding="ascii", errors="replace").partition(PEM_END)[0] + PEM_END
        return context, channel_of(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :]))
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise NodeError(BAD_TLS, certificate=str(certificate), key=str(key), reason=reason) from fault


def channel_of(certificate: bytes | None) -> bytes:
    """What both sides sign of a channel: the hash of the certificate (DER) that the listening side showed."""
    return b"" if certificate is None else hashlib.sha256(certificate).digest()
