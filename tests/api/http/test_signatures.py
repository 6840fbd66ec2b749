"""Signed requests: every way to get a signature wrong, replays, and accounts whose keys were changed."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.http.problems import RequestFault
from api.http.signatures import verify_message
from api.receipts import nonces as nonces_module
from api.request_signature import ACCEPT_SIGNATURE
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.types import Timestamp
from tests.api.http.test_receipts import refused
from tests.support.live_shop import LiveShop
from tests.support.memory_chain import Signer
from tests.support.receipt_shop import SETTINGS, ReceiptShop
from tests.support.shop import FAN, FRIEND

Change = Callable[[httpx2.Request], None]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiptShop]:
    """A shop behind the API."""
    shop = LiveShop(tmp_path_factory.mktemp("signatures") / "data")
    shop.join(FAN)
    found = ReceiptShop(shop)
    yield found
    found.close()
    shop.close()


def edit(header: str, old: str, new: str) -> Change:
    """Change a header after signing."""

    def change(request: httpx2.Request) -> None:
        assert re.search(old, request.headers[header])
        request.headers[header] = re.sub(old, new, request.headers[header])

    return change


def drop(header: str) -> Change:
    """Leave a header out."""
    return lambda request: request.headers.__delitem__(header)


def test_a_signed_request_is_answered_once(desk: ReceiptShop) -> None:
    request = desk.request()
    assert desk.send(request).status_code == 200
    refused(desk.send(request), 401, "signature.replayed")
    assert desk.send(desk.request()).status_code == 200


def test_unsigned_requests_are_told_what_is_asked_for(desk: ReceiptShop) -> None:
    for method, path in (
        ("GET", "/v1/receipts"),
        ("GET", f"/v1/receipts/{'5f' * 32}"),
        ("DELETE", "/v1/receipts"),
        ("DELETE", f"/v1/receipts/{'5f' * 32}"),
    ):
        response = desk.http.request(method, path)
        refused(response, 401, "signature.missing")
        assert response.headers["accept-signature"] == ACCEPT_SIGNATURE
        assert response.headers["www-authenticate"] == "Signature"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (drop("signature"), 401, "signature.missing"),
        (drop("signature-input"), 401, "signature.missing"),
        (edit("signature", "sig0=:.", "sig0=:!"), 400, "signature.malformed"),
        (edit("signature", "sig0", "other"), 400, "signature.malformed"),
        (edit("signature", ":.*:", ":AAAA:"), 401, "signature.wrong"),
        (edit("signature", "=:....", "=:AAAA"), 401, "signature.wrong"),
        (edit("signature-input", 'nonce="....', 'nonce="AAAA'), 401, "signature.wrong"),
        (edit("signature-input", "created=(\\d+)", r"created=\1.5"), 400, "signature.malformed"),
        (edit("signature-input", "created=\\d+;?", ""), 400, "signature.malformed"),
        (edit("signature-input", 'nonce="[^"]+"', 'nonce="short"'), 400, "signature.malformed"),
        (edit("signature-input", ';nonce="[^"]+"', ""), 400, "signature.malformed"),
        (edit("signature-input", 'keyid="..', 'keyid="'), 400, "signature.malformed"),
        (edit("signature-input", 'keyid="..', 'keyid="zz'), 400, "signature.malformed"),
        (edit("signature-input", ';keyid="[^"]+"', ""), 400, "signature.malformed"),
        (edit("signature-input", 'alg="ed25519"', 'alg="rsa-v1_5-sha256"'), 400, "signature.malformed"),
        (edit("signature-input", 'tag="fansumer"', 'tag="other"'), 400, "signature.malformed"),
        (edit("signature-input", ';tag="fansumer"', ""), 400, "signature.malformed"),
        (edit("signature-input", '"@method"', '"@nonsense"'), 400, "signature.malformed"),
        (edit("signature-input", '"@method"', '"@signature-params"'), 400, "signature.malformed"),
        (edit("signature-input", '"@method" ', '"@method" "@method" '), 400, "signature.malformed"),
        (edit("signature-input", "^.*$", "("), 400, "signature.malformed"),
        (edit("signature-input", "^.*$", ""), 400, "signature.malformed"),
    ],
)
def test_a_changed_signature(desk: ReceiptShop, change: Change, status: int, code: str) -> None:
    request = desk.request()
    change(request)
    refused(desk.send(request), status, code)


def test_a_signature_is_good_for_its_request_alone(desk: ReceiptShop) -> None:
    signed = desk.request()
    headers = {name: signed.headers[name] for name in ("signature", "signature-input")}
    for method, url in (
        ("DELETE", "/v1/receipts"),
        ("GET", "/v1/receipts?limit=7"),
        ("GET", f"/v1/receipts/{'5f' * 32}"),
    ):
        refused(desk.http.request(method, url, headers=headers), 401, "signature.wrong")
    assert desk.http.get("/v1/receipts", headers=headers).status_code == 200


@pytest.mark.parametrize("offset", [-61, -60, 0, 60, 61])
def test_the_window_is_a_minute_either_way(desk: ReceiptShop, offset: int) -> None:
    now = desk.shop.chain.clock.now()
    response = desk.send(desk.request(sign=desk.owner(clock=lambda: float(now + offset))))
    if abs(offset) <= 60:
        assert response.status_code == 200
    else:
        assert refused(response, 401, "signature.expired") == {"seconds": 61, "maximum": 60}


def test_a_nonce_is_remembered_as_long_as_it_could_be_used(desk: ReceiptShop) -> None:
    clock = desk.shop.chain.clock
    now = clock.now()
    request = desk.request(sign=desk.owner(clock=lambda: float(now + 60)))
    assert desk.send(request).status_code == 200
    for later in (now, now + 60, now + 120):
        clock.set(later)
        refused(desk.send(request), 401, "signature.replayed")
    clock.set(now + 121)
    refused(desk.send(request), 401, "signature.expired")
    clock.set(now)


def test_a_bad_request_uses_up_no_nonce(desk: ReceiptShop) -> None:
    fixed = desk.owner(new_nonce=lambda: "the same nonce")
    changed = desk.request(sign=fixed)
    changed.headers["signature"] = "sig0=:AAAA:"
    refused(desk.send(changed), 401, "signature.wrong")
    assert desk.send(desk.request(sign=fixed)).status_code == 200
    refused(desk.send(desk.request(sign=fixed)), 401, "signature.replayed")
    other = desk.owner(FRIEND, new_nonce=lambda: "the same nonce")
    assert desk.send(desk.request(sign=other)).status_code == 200


def test_replays_are_refused_after_a_restart(tmp_path: Path) -> None:
    shop = LiveShop(tmp_path / "data")
    before = ReceiptShop(shop)
    request = before.request()
    assert before.send(request).status_code == 200
    before.close()
    after = ReceiptShop(shop)
    refused(after.send(request), 401, "signature.replayed")
    assert after.send(after.request()).status_code == 200
    after.close()
    shop.close()


def test_remembered_nonces_are_bounded(desk: ReceiptShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonces_module, "NONCES_MAX", 0)
    refused(desk.send(desk.request()), 503, "signature.busy")


def test_coverage(desk: ReceiptShop, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.wallet import request_signing

    for covered, missing in (
        (("@target-uri",), "@method"),
        (("@method",), "@target-uri"),
        (("@method", "@path", "@query"), "@authority"),
        (("@method", "@authority", "@path"), "@query"),
        (("@method", "@authority", "@query"), "@path"),
    ):
        monkeypatch.setattr(request_signing, "COVERED", covered)
        assert refused(desk.send(desk.request()), 401, "signature.coverage") == {"component": missing}
    monkeypatch.setattr(request_signing, "COVERED", ("@method", "@authority", "@path", "@query"))
    assert desk.send(desk.request()).status_code == 200
    assert desk.send(desk.request(params={"limit": 2})).status_code == 200


def test_a_body_is_signed_by_its_digest(desk: ReceiptShop) -> None:
    good = desk.request(content=b"hello")
    assert "content-digest" in good.headers["signature-input"]
    assert desk.send(good).status_code == 200
    other = desk.request(content=b"hello")
    swapped = desk.http.build_request("GET", "/v1/receipts", content=b"jello", headers=other.headers)
    refused(desk.send(swapped), 400, "signature.digest")
    bare = desk.request()
    added = desk.http.build_request("GET", "/v1/receipts", content=b"hello", headers=dict(bare.headers))
    added.headers["content-length"] = "5"
    assert refused(desk.send(added), 401, "signature.coverage") == {"component": "content-digest"}
    refused(desk.send(desk.request(content=bytes(5_000))), 413, "http.body_too_large")


def test_an_account_whose_keys_were_changed(desk: ReceiptShop) -> None:
    old, new = Signer.named("rotating"), Signer.named("rotated")
    account = old.governed_by(new)
    assert desk.send(desk.request(sign=desk.owner(old))).status_code == 200
    refused(desk.send(desk.request(sign=desk.owner(account))), 401, "signature.foreign_key")
    set_policy(desk, old, new)
    assert desk.send(desk.request(sign=desk.owner(account))).status_code == 200
    refused(desk.send(desk.request(sign=desk.owner(old))), 401, "signature.foreign_key")
    stale = replace(desk.owner(account), signer=desk.owner(old).signer)
    refused(desk.send(desk.request(sign=stale)), 401, "signature.foreign_key")


def set_policy(desk: ReceiptShop, old: Signer, new: Signer) -> None:
    """Give an account coin, and other keys."""
    from ledger.domains.accounts.transfer import ToAccount, Transfer
    from ledger.types import Amount

    desk.shop.chain.send("transfer", Transfer(ToAccount(old.address), Amount(1_000_000)), author=FRIEND)
    desk.shop.chain.send("account.set_policy", SetPolicy(new.policy), author=old)


def test_an_account_of_several_keys(desk: ReceiptShop) -> None:
    shared = Signer.named("shared", threshold=2, keys_count=3)
    request = desk.request(sign=desk.owner(shared))
    assert desk.send(request).status_code == 200
    refused(desk.send(request), 401, "signature.replayed")
    one = desk.request(sign=desk.owner(shared))
    for name in ("signature", "signature-input"):
        one.headers[name] = one.headers[name].split(", sig1=")[0]
    assert refused(desk.send(one), 401, "signature.threshold") == {"needed": 2, "found": 1}
    for header in ("fansumer-account", "fansumer-policy"):
        bare = desk.request(sign=desk.owner(shared))
        del bare.headers[header]
        assert desk.send(bare).status_code in (400, 401)
    wrong = desk.request(sign=desk.owner(shared))
    wrong.headers["fansumer-policy"] = f":{b64encode(b'x').decode()}:"
    refused(desk.send(wrong), 401, "signature.wrong")


@pytest.mark.parametrize(
    "policy", ["", "x", ":", "::", ":!:", f":{b64encode(bytes(9)).decode()}:", ":" + "A" * 5_000 + ":"]
)
def test_a_policy_that_is_none(desk: ReceiptShop, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.wallet import request_signing

    monkeypatch.setattr(request_signing, "COVERED", ("@method", "@target-uri", "fansumer-policy"))
    request = desk.request(headers={"fansumer-policy": policy})
    refused(desk.send(request), 400, "signature.malformed")


def test_the_nodes_own_names(desk: ReceiptShop) -> None:
    shop = desk.shop
    named = ReceiptShop(shop, SETTINGS.model_copy(update={"origins": ("https://node.example", "http://node")}))
    assert named.send(named.request()).status_code == 200
    passed_on = named.request(path="http://other/v1/receipts")
    refused(named.send(passed_on), 401, "signature.wrong")
    behind_proxy = named.request(path="https://node.example/v1/receipts")
    direct = named.http.build_request("GET", "http://node.example/v1/receipts", headers=behind_proxy.headers)
    assert named.send(direct).status_code == 200
    named.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(parts=st.tuples(st.text(st.characters(codec="latin-1")), st.text(st.characters(codec="latin-1"))))
def test_no_header_breaks_the_verifier(parts: tuple[str, str]) -> None:
    class Headers(dict[str, str]):
        pass

    message: Any = type("Message", (), {"method": "GET", "url": "http://node/", "headers": Headers()})()
    message.headers.update({"signature-input": parts[0], "signature": parts[1]})
    with pytest.raises(RequestFault):
        verify_message(message, b"", Timestamp(0))
