"""Delivery forms: the creator alone can read them, for the pledge that they were sent for; a bad key is refused."""

from collections.abc import Callable

import pytest

from api.wallet.client import Client
from api.wallet.delivery_forms import (
    BAD_KEY,
    FORM_BYTES_MIN,
    NO_FORMS,
    NOT_READABLE,
    TEXT_BYTES_MAX,
    TOO_LONG,
    delivery_key_of,
    open_form,
    seal_form,
)
from api.wallet.errors import WalletError
from api.wallet.mnemonic import MasterSeed
from api.wallet.wallet import Wallet
from ledger.errors import Code
from ledger.types import CampaignId

CAMPAIGN = CampaignId(bytes(range(32)))
TEXT = "Ann Example, 1 Street, size M \u2764"


def wallet(name: str, account: int = 0) -> Wallet:
    return Wallet(MasterSeed(name.encode().ljust(64, b"-")), Client("http://nobody"), account=account)


def refuses(code: Code, act: Callable[[], object]) -> None:
    with pytest.raises(WalletError) as caught:
        act()
    assert caught.value.code is code
    assert "?" not in str(caught.value)


def test_the_creator_alone_reads_a_form() -> None:
    creator = wallet("creator")
    form = seal_form(delivery_key_of(creator), CAMPAIGN, 7, TEXT)
    assert TEXT.encode() not in form
    assert len(form) == FORM_BYTES_MIN + len(TEXT.encode())
    assert open_form(creator, CAMPAIGN, 7, form) == TEXT
    others = (wallet("somebody"), wallet("creator", account=1))
    for other in others:
        refuses(NOT_READABLE, lambda other=other: open_form(other, CAMPAIGN, 7, form))


def test_a_form_is_of_one_pledge_of_one_campaign() -> None:
    creator = wallet("creator")
    form = seal_form(delivery_key_of(creator), CAMPAIGN, 7, TEXT)
    refuses(NOT_READABLE, lambda: open_form(creator, CAMPAIGN, 8, form))
    refuses(NOT_READABLE, lambda: open_form(creator, CampaignId(bytes(32)), 7, form))


def test_no_two_forms_are_alike() -> None:
    key = delivery_key_of(wallet("creator"))
    assert seal_form(key, CAMPAIGN, 7, TEXT) != seal_form(key, CAMPAIGN, 7, TEXT)


@pytest.mark.parametrize("place", [0, 1, 33, -1])
def test_a_damaged_form_is_not_readable(place: int) -> None:
    creator = wallet("creator")
    form = bytearray(seal_form(delivery_key_of(creator), CAMPAIGN, 7, TEXT))
    form[place] ^= 1
    refuses(NOT_READABLE, lambda: open_form(creator, CAMPAIGN, 7, bytes(form)))
    refuses(NOT_READABLE, lambda: open_form(creator, CAMPAIGN, 7, bytes(form[:40])))


def test_what_cannot_be_sent() -> None:
    key = delivery_key_of(wallet("creator"))
    refuses(NO_FORMS, lambda: seal_form(b"", CAMPAIGN, 0, TEXT))
    refuses(TOO_LONG, lambda: seal_form(key, CAMPAIGN, 0, "x" * (TEXT_BYTES_MAX + 1)))
    refuses(BAD_KEY, lambda: seal_form(bytes(32), CAMPAIGN, 0, TEXT))
    assert len(seal_form(key, CAMPAIGN, 0, "x" * TEXT_BYTES_MAX)) == FORM_BYTES_MIN + TEXT_BYTES_MAX
