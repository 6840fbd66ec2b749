"""Who may recover an account, and what became of a recovery: ACC-5 to ACC-8, done again from the transactions of a block."""

from tests.second_decoder.envelope import EXIT_WEIGHT, signers_of
from tests.second_decoder.records import read_value

DAY = 86_400
MONTH = 30 * DAY
BLOCKS = 144


def phase(recovery: dict, now: int, height: int) -> str:
    """What has become of a recovery (ACC-5)."""
    if now < recovery["effective_at"] or height < recovery["effective_height"]:
        return "waiting"
    if now < recovery["expires_at"] or height < recovery["expires_height"]:
        return "in force"
    return "lapsed"


def guardianships(state: dict[bytes, bytes]) -> dict[bytes, dict]:
    """Address -> who may recover it."""
    return {key[1:]: read_value(key, value) for key, value in state.items() if key[:1] == b"U"}


def policies_in_force(state: dict[bytes, bytes], now: int, height: int) -> dict[bytes, bytes]:
    """Address -> hash of the policy that a recovery in force gives it."""
    return {
        address: recovery["policy_hash"]
        for address, found in guardianships(state).items()
        for recovery in found["recovery"]
        if phase(recovery, now, height) == "in force"
    }


def end(found: dict, failed_at: int | None) -> dict:
    """The record after its recovery has ended, by failing at a time or well."""
    failures = 0 if failed_at is None else found["failures"] + 1
    not_before = 0 if failed_at is None else failed_at + MONTH * 2 ** min(failures - 1, 4)
    return {**found, "prepaid": 0, "approvals": [], "recovery": [], "failures": failures, "not_before": not_before}


def settle(found: dict, now: int, height: int, *, signs: bool) -> dict:
    """What is written down when the account signs, or a guardian speaks of it."""
    for recovery in found["recovery"]:
        found_phase = phase(recovery, now, height)
        if found_phase == "lapsed":
            return end(found, recovery["expires_at"])
        if found_phase == "in force" and signs:
            return end(found, None)
    return found


def named(body: dict, found: dict | None, deposit: int) -> dict | None:
    """ACC-6: the record after its owner named guardians, or removed them."""
    if not body["payload"]["guardians"]:
        assert found is not None
        return None
    (given,) = body["payload"]["guardians"]
    assert body["author"] not in given["addresses"]
    payer = b"P" + body["payment"]["program"] if body["payment"]["is"] == "Sponsored" else b"A" + body["author"]
    kept = found or {"payer": payer, "deposit": deposit}
    empty = {"prepaid": 0, "approvals": [], "failures": 0, "not_before": 0, "recovery": []}
    return {**kept, **empty, "guardians": given}


def approved(body: dict, found: dict, now: int, height: int, rate: int) -> dict:
    """ACC-7: the record after a guardian's word."""
    wanted, given = body["payload"]["policy_hash"], found["guardians"]
    place = given["addresses"].index(body["author"])
    assert not found["recovery"] and now >= found["not_before"]
    counting = [item for item in found["approvals"] if now < item["time"] + MONTH]
    assert [place, wanted] not in [[item["place"], item["policy_hash"]] for item in counting]
    words = [item for item in counting if item["place"] != place]
    words = sorted([*words, {"place": place, "policy_hash": wanted, "time": now}], key=lambda item: item["place"])
    if sum(item["policy_hash"] == wanted for item in words) < given["threshold"]:
        return {**found, "approvals": words}
    effective, at_height = now + given["delay_days"] * DAY, height + BLOCKS
    recovery = {
        "policy_hash": wanted,
        "started_at": now,
        "effective_at": effective,
        "effective_height": at_height,
        "expires_at": effective + MONTH,
        "expires_height": at_height + BLOCKS,
    }
    return {**found, "approvals": [], "prepaid": EXIT_WEIGHT * rate, "recovery": [recovery]}


def check_guardians(
    block: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], now: int, rate: int, deposit: int
) -> None:
    """The records of guardians after a block are what its transactions make of those before it."""
    records, height = guardianships(before), block["commitment"]["height"]
    for transaction in block["transactions"]:
        body = transaction["body"]
        author, payload = body["author"], body["payload"]
        for signer in set(signers_of(body)) & records.keys():
            records[signer] = settle(records[signer], now, height, signs=True)
        if body["kind"] == "account.set_guardians":
            found = named(body, records.pop(author, None), deposit)
            if found is not None:
                records[author] = found
        elif body["kind"] == "account.recover":
            found = settle(records[payload["account"]], now, height, signs=False)
            records[payload["account"]] = approved(body, found, now, height, rate)
        elif body["kind"] == "account.cancel_recovery":
            (recovery,) = records[author]["recovery"]
            assert recovery["policy_hash"] == payload["policy_hash"]
            records[author] = end(records[author], now)
    assert records == guardianships(after)
