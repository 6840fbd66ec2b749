"""The keystore: what goes in comes out, and every damage, hostile cost or failing disk has its code."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.wallet import keystore
from api.wallet.errors import WalletError
from api.wallet.keystore import Content, Cost
from api.wallet.mnemonic import Entropy
from ledger.errors import Code

CHEAP = Cost(memory_kib=8 * 1024, iterations=1, lanes=1)
CONTENT = Content(Entropy(bytes(range(32))), (("main", "rent"), ("program", "Café ☕")))
PASSPHRASE = "correct horse"
SEALED = keystore.seal_content(CONTENT, PASSPHRASE, cost=CHEAP)


def change_member(path: str, value: object) -> bytes:
    """SEALED with one member set; the path has dots."""
    document: dict[str, Any] = json.loads(SEALED)
    holder = document
    *parents, last = path.split(".")
    for name in parents:
        holder = holder[name]
    holder[last] = value
    return json.dumps(document).encode()


def expect_code(data: bytes, code: Code, passphrase: str = PASSPHRASE) -> WalletError:
    """Opening `data` must fail with `code`."""
    with pytest.raises(WalletError) as caught:
        keystore.open_content(data, passphrase)
    assert caught.value.code == code
    assert caught.value.advice
    return caught.value


def open_or_name_fault(data: bytes) -> Content | Code:
    """What `data` holds, or the code of its fault."""
    try:
        return keystore.open_content(data, PASSPHRASE)
    except WalletError as error:
        return error.code


def test_round_trip_hides_content() -> None:
    assert keystore.open_content(SEALED, PASSPHRASE) == CONTENT
    for secret in (CONTENT.entropy.hex().encode(), b"rent", PASSPHRASE.encode()):
        assert secret not in SEALED
    assert "rent" not in repr(CONTENT)
    assert keystore.seal_content(CONTENT, PASSPHRASE, cost=CHEAP) != SEALED


def test_default_cost_is_that_of_rfc_9106() -> None:
    data = keystore.seal_content(CONTENT, PASSPHRASE)
    kdf = json.loads(data)["kdf"]
    assert (kdf["name"], kdf["memory_kib"], kdf["iterations"], kdf["lanes"]) == ("argon2id", 65536, 3, 4)
    assert keystore.open_content(data, PASSPHRASE) == CONTENT


def test_wrong_passphrase_is_not_damage() -> None:
    for wrong in ("correct hors", "Correct horse", "correct horse "):
        expect_code(SEALED, keystore.WRONG_PASSPHRASE, wrong)


def test_passphrases_are_normalised_and_bounded() -> None:
    data = keystore.seal_content(CONTENT, "caf\u00e9", cost=CHEAP)
    assert keystore.open_content(data, "cafe\u0301") == CONTENT
    for bad in ("", "x" * 1025, "u\u0308\u0304" * 400, "\u00e9" * 513):
        expect_code(SEALED, keystore.BAD_PASSPHRASE, bad)
        with pytest.raises(WalletError) as caught:
            keystore.seal_content(CONTENT, bad, cost=CHEAP)
        assert caught.value.code == keystore.BAD_PASSPHRASE


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\xff\xfe", b"[]", b"{}", b"null", b"[" * 200_000, b'{"a":' * 100_000, b"9" * 10_000, SEALED[:-20]),
        b" " * (keystore.FILE_BYTES_MAX + 1),
    ],
    ids=range(10),
)
def test_other_bytes_are_damaged(data: bytes) -> None:
    expect_code(data, keystore.DAMAGED)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "other"),
        ("version", 0),
        ("version", True),
        ("version", "1"),
        ("version", None),
        ("kdf", None),
        ("kdf.name", "scrypt"),
        ("kdf.salt", "00"),
        ("kdf.salt", "zz" * 16),
        ("kdf.salt", 5),
        ("kdf.salt", "00" * 16),
        ("kdf.iterations", 2),
        ("cipher", []),
        ("cipher.name", "aes"),
        ("cipher.nonce", "00" * 12),
        ("cipher.nonce", "00" * 13),
        ("ciphertext", None),
        ("ciphertext", "?"),
        ("ciphertext", ""),
        ("checksum", "00" * 32),
        ("checksum", None),
    ],
)
def test_damaged_members(path: str, value: object) -> None:
    expect_code(change_member(path, value), keystore.DAMAGED)


@pytest.mark.parametrize("version", [2, 3, 10**18])
def test_newer_version_is_said_before_anything_else(version: int) -> None:
    data = json.dumps({"format": "fansumer-keystore", "version": version}).encode()
    error = expect_code(data, keystore.NEWER_VERSION)
    assert error.fields == {"version": version, "known": 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_kib", 100 * 2**20),
        ("memory_kib", keystore.MEMORY_KIB_MAX + 1),
        ("memory_kib", keystore.MEMORY_KIB_MIN - 1),
        ("memory_kib", -1),
        ("memory_kib", 65536.0),
        ("memory_kib", True),
        ("memory_kib", None),
        ("memory_kib", 10**4000),
        ("iterations", 0),
        ("iterations", keystore.ITERATIONS_MAX + 1),
        ("lanes", 0),
        ("lanes", keystore.LANES_MAX + 1),
        ("lanes", "4"),
    ],
)
def test_hostile_costs_are_refused_before_they_are_paid(
    name: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore, "Argon2id", None)  # paying would fail
    error = expect_code(change_member(f"kdf.{name}", value), keystore.COST_OUT_OF_BOUNDS)
    assert error.fields["name"] == name
    assert len(str(error)) < 300


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed_or_harmless(position: int, bit: int) -> None:
    data = bytearray(SEALED)
    data[position] ^= 1 << bit
    codes = {keystore.DAMAGED, keystore.NEWER_VERSION, keystore.COST_OUT_OF_BOUNDS}
    assert open_or_name_fault(bytes(data)) in (CONTENT, *codes)  # content: white space, or the case of a hex digit


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_never_crash(data: bytes) -> None:
    expect_code(data, keystore.DAMAGED)


def test_content_limits() -> None:
    entropy = Entropy(bytes(16))
    most = tuple((f"{number:0128}", "\U0001f600" * 128) for number in range(256))
    full = keystore.seal_content(Content(entropy, most), PASSPHRASE, cost=CHEAP)
    assert keystore.open_content(full, PASSPHRASE).labels == most
    bad: list[tuple[bytes, tuple[tuple[str, str], ...]]] = [
        (bytes(15), ()),
        (bytes(16), tuple((f"{number:03}", "") for number in range(257))),
        (bytes(16), (("b", ""), ("a", ""))),
        (bytes(16), (("a", ""), ("a", "x"))),
        (bytes(16), (("", "x"),)),
        (bytes(16), (("k" * 129, "x"),)),
        (bytes(16), (("k", "x" * 129),)),
    ]
    for bytes_, labels in bad:
        with pytest.raises(WalletError) as caught:
            Content(Entropy(bytes_), labels)
        assert caught.value.code == keystore.BAD_CONTENT


def test_labels_are_set_and_removed() -> None:
    content = CONTENT.set_label("alpha", "first").set_label("main", "")
    assert content.labels == (("alpha", "first"), ("program", "Café ☕"))


def test_authentic_clear_text_of_another_shape_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    for clear in ("[]", "{}", '{"entropy": "zz", "labels": {}}', '{"entropy": "00", "labels": []}'):
        monkeypatch.setattr(keystore.json, "dumps", make_dumps(clear))
        data = keystore.seal_content(CONTENT, PASSPHRASE, cost=CHEAP)
        monkeypatch.undo()
        expect_code(data, keystore.DAMAGED)


def make_dumps(clear: str) -> Any:
    """json.dumps that writes `clear` in the place of the clear text."""
    real = json.dumps
    return lambda value, **options: clear if "entropy" in value else real(value, **options)


def test_file_is_private_whole_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "wallet.json"
    keystore.save_keystore(path, SEALED)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keystore.load_keystore(path, PASSPHRASE) == CONTENT
    with pytest.raises(WalletError) as caught:
        keystore.save_keystore(path, b"other")
    assert caught.value.code == keystore.ALREADY_THERE
    assert path.read_bytes() == SEALED
    again = keystore.seal_content(CONTENT, "new one", cost=CHEAP)
    keystore.save_keystore(path, again, replace=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keystore.load_keystore(path, "new one") == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["wallet.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failing_disk_leaves_the_old_file(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wallet.json"
    keystore.save_keystore(path, SEALED)

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keystore.os, call, fail)
    with pytest.raises(WalletError) as caught:
        keystore.save_keystore(path, b"new", replace=True)
    monkeypatch.undo()
    assert caught.value.code == keystore.FILE_FAILED
    assert "No space left" in str(caught.value)
    assert path.read_bytes() == SEALED
    assert [file.name for file in tmp_path.iterdir()] == ["wallet.json"]


def test_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wallet.json"

    def refuse(*_arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(keystore.os, "link", refuse)
    keystore.save_keystore(path, SEALED)
    assert path.read_bytes() == SEALED

    def refuse_late(*_arguments: object) -> None:
        late.write_bytes(b"theirs")
        raise PermissionError(1, "Operation not permitted")

    late = tmp_path / "late.json"
    monkeypatch.setattr(keystore.os, "link", refuse_late)
    with pytest.raises(WalletError) as caught:
        keystore.save_keystore(late, SEALED)
    assert caught.value.code == keystore.ALREADY_THERE
    assert late.read_bytes() == b"theirs"


def test_name_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wallet.json"
    write = keystore.os.fsync

    def take_name(descriptor: int) -> None:
        path.write_bytes(b"theirs")
        write(descriptor)

    monkeypatch.setattr(keystore.os, "fsync", take_name)
    with pytest.raises(WalletError) as caught:
        keystore.save_keystore(path, SEALED)
    assert caught.value.code == keystore.ALREADY_THERE
    assert path.read_bytes() == b"theirs"


def test_missing_and_unusable_files(tmp_path: Path) -> None:
    with pytest.raises(WalletError) as caught:
        keystore.load_keystore(tmp_path / "none.json", PASSPHRASE)
    assert caught.value.code == keystore.MISSING
    with pytest.raises(WalletError) as caught:
        keystore.load_keystore(tmp_path, PASSPHRASE)
    assert caught.value.code == keystore.FILE_FAILED
    with pytest.raises(WalletError) as caught:
        keystore.save_keystore(tmp_path / "no" / "folder.json", SEALED)
    assert caught.value.code == keystore.FILE_FAILED
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WalletError) as caught:
        keystore.save_keystore(tmp_path / "file" / "wallet.json", SEALED)
    assert caught.value.code == keystore.FILE_FAILED
