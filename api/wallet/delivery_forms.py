"""Addresses and sizes for delivery: encrypted by the backer so that the campaign's creator alone can read them (spec CRF-12).

    form = 01 ‖ E ‖ ChaCha20-Poly1305(key, nonce = 12 zero bytes, text), key = HKDF-SHA256(X25519(e, delivery key), ...)

The key pair (e, E) is made for one form and forgotten, so a nonce is never used twice with a key.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from api.wallet.errors import WalletError
from api.wallet.wallet import Wallet
from ledger.errors import Code
from ledger.types import CampaignId

VERSION: Final = b"\x01"
KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
NONCE: Final = bytes(12)
TEXT_BYTES_MAX: Final = 4_000
FORM_BYTES_MIN: Final = len(VERSION) + KEY_BYTES + TAG_BYTES
FORM_BYTES_MAX: Final = FORM_BYTES_MIN + TEXT_BYTES_MAX
INFO: Final = b"fansumer delivery form"
KEY_INFO: Final = b"fansumer delivery key"

NO_FORMS = Code(
    "delivery_form.not_taken",
    "the campaign's terms name no key for delivery forms",
    "Ask the creator how it wants to learn where to send things; publish no address.",
)
BAD_KEY = Code(
    "delivery_form.key",
    "the campaign's delivery key is none that anything can be encrypted to",
    "Send no form; tell the creator that its key is bad.",
)
TOO_LONG = Code(
    "delivery_form.too_long",
    "the form has {found} bytes of text, and at most {maximum} are taken",
    "Write what a parcel needs.",
)
NOT_READABLE = Code(
    "delivery_form.not_readable",
    "pledge {number} has a form that this wallet's key does not open",
    "Open it with the wallet that made the campaign; or the backer's form is damaged: ask for it again.",
)


def delivery_key_of(wallet: Wallet) -> bytes:
    """The X25519 public key for delivery forms of the campaigns of this wallet's main account."""
    return _private_key(wallet).public_key().public_bytes_raw()


def _private_key(wallet: Wallet) -> X25519PrivateKey:
    """From the first key of the main account, so that a changed key still opens older forms."""
    derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=KEY_INFO)
    return X25519PrivateKey.from_private_bytes(derive.derive(wallet.till_seed))


def seal_form(delivery_key: bytes, campaign: CampaignId, number: int, text: str) -> bytes:
    """Encrypt a text to the creator. Raises WalletError delivery_form.not_taken, .too_long, .key."""
    clear = text.encode()
    if not delivery_key:
        raise WalletError(NO_FORMS)
    if len(clear) > TEXT_BYTES_MAX:
        raise WalletError(TOO_LONG, found=len(clear), maximum=TEXT_BYTES_MAX)
    once = X25519PrivateKey.generate()
    public = once.public_key().public_bytes_raw()
    key = _shared_key(once, delivery_key, public, delivery_key, campaign, number)
    return VERSION + public + ChaCha20Poly1305(key).encrypt(NONCE, clear, None)


def open_form(wallet: Wallet, campaign: CampaignId, number: int, form: bytes) -> str:
    """Read a form as the creator. Raises WalletError delivery_form.not_readable."""
    private = _private_key(wallet)
    public, sealed = form[1 : 1 + KEY_BYTES], form[1 + KEY_BYTES :]
    try:
        if form[:1] != VERSION or not FORM_BYTES_MIN <= len(form) <= FORM_BYTES_MAX:
            raise ValueError("no form")
        key = _shared_key(private, public, public, private.public_key().public_bytes_raw(), campaign, number)
        return ChaCha20Poly1305(key).decrypt(NONCE, sealed, None).decode()
    except (InvalidTag, ValueError, WalletError):
        raise WalletError(NOT_READABLE, number=number) from None


def _shared_key(
    private: X25519PrivateKey, other: bytes, public: bytes, delivery_key: bytes, campaign: CampaignId, number: int
) -> bytes:
    """The one key of a form, bound to both keys, the campaign and the pledge. Raises WalletError delivery_form.key."""
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError:  # a point of small order, with which the secret would be known to everybody
        raise WalletError(BAD_KEY) from None
    info = INFO + campaign + number.to_bytes(4, "big")
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=public + delivery_key, info=info).derive(shared)
