"""Policies and transactions: ACC-1, ENV-1 to ENV-4, ENV-6 (what the bytes alone say), ENV-7, FEE-4, LOY-2."""

from itertools import pairwise

from tests.second_decoder import campaigns, finality, offers
from tests.second_decoder.collateral import voucher_attestations
from tests.second_decoder.encoding import decode, encode
from tests.second_decoder.faults import Fault
from tests.second_decoder.hashing import tagged
from tests.second_decoder.keys import is_valid
from tests.second_decoder.layouts import BODY, COSTS, EXITS, KNOWN, PAYLOADS
from tests.second_decoder.receipts import opened_hash, return_id
from tests.second_decoder.receipts import signing_hash as receipt_signing_hash
from tests.second_decoder.shapes import Listing
from tests.second_decoder.slips import slip_attestation

TRANSACTION_BYTES_MAX = 262_144
EXIT_WEIGHT = 1_200
CONTEST_WEIGHT = 5_000
CHALLENGE_CONTEST_WEIGHT = 20_000
PREPAID_WEIGHTS = {
    **finality.PREPAID_WEIGHTS,
    "earn.contest": CONTEST_WEIGHT,
    "challenge.contest": CHALLENGE_CONTEST_WEIGHT,
    "offer.contest": CONTEST_WEIGHT,
}
WITNESSES = Listing(1, 4, KNOWN["witness"])


def check_policy(policy: dict) -> None:
    """ACC-1: keys ascend strictly, and the threshold is at most their number."""
    keys = policy["keys"]
    if any(left >= right for left, right in pairwise(keys)):
        raise Fault("witness.policy", "keys do not ascend")
    if policy["threshold"] > len(keys):
        raise Fault("witness.policy", "threshold")


def policy_bytes(policy: dict) -> bytes:
    """enc(policy) of ACC-1."""
    return encode(KNOWN["policy"].write(policy))


def policy_hash(policy: dict) -> bytes:
    """The policy hash, which is the address of a new account (ACC-1)."""
    return tagged("POLICY", policy_bytes(policy))


def read_policy(data: bytes) -> dict:
    """A policy from its bytes, checked by ACC-1."""
    policy = KNOWN["policy"].read(decode(data), "policy")
    check_policy(policy)
    return policy


def address_of_key(key: bytes) -> bytes:
    """The address of an ordinary account (ACC-1)."""
    return policy_hash({"threshold": 1, "keys": [key]})


def check_terms(terms: dict) -> None:
    """LOY-2: what terms must not be, in its order."""
    rules = terms["rules"]
    names = [rule["is"] for rule in rules]
    delay, expiry = terms["activation_delay_days"], terms["expiry"]
    anchor = terms["period_anchor_day"]
    once = ("MinimumBasket", "ReceiptCap", "PerVisit", "PeriodCap")
    codes = [rule["code"] for rule in rules if rule["is"] == "RatePerCode"]
    multipliers = [rule["tier"] for rule in rules if rule["is"] == "TierMultiplier"]
    windows = [rule for rule in rules if rule["is"] == "BonusWindow"]
    bonuses = [rule for rule in rules if rule["is"] in ("BonusWindow", "TierMultiplier")]
    thresholds = [tier["threshold"] for tier in terms["tiers"]]
    tier_days = [terms["tier_period_days"], terms["tier_anchor_day"], terms["tier_grace_days"]]
    broken = (
        not {"RatePerAmount", "RatePerCode", "PerVisit"} & set(names)
        or any(names.count(name) > 1 for name in once)
        or len(set(codes)) < len(codes)
        or len(set(multipliers)) < len(multipliers)
        or any(w["from_day"] >= w["until_day"] or w["minute_from"] >= w["minute_until"] for w in windows)
        or any(rule["numerator"] < rule["denominator"] for rule in bonuses)
        or any(tier > len(thresholds) for tier in multipliers)
        or any(low >= high for low, high in pairwise(thresholds))
        or len({tier["name"] for tier in terms["tiers"]}) < len(thresholds)
        or (tier_days[0] < 28 if thresholds else any(tier_days))
        or (tier_days[1] != 0 and tier_days[1] >= tier_days[0])
        or tier_days[2] > tier_days[0]
        or (expiry["is"] in ("RollingExpiry", "SlidingExpiry") and expiry["days"] <= delay)
        or delay < terms["return_window_days"]
        or (anchor != 0 and anchor >= terms["period_days"])
    )
    if broken:
        raise Fault("program.terms")


def check_codes(codes: list[dict]) -> None:
    """RCP-1: codes strictly ascend."""
    if any(left["code"] >= right["code"] for left, right in pairwise(codes)):
        raise Fault("receipt.shape", "codes do not ascend")


def check_challenge(payload: dict) -> None:
    """CHL-2."""
    goal = payload["goal"]
    broken = (
        payload["times_max"] > payload["occurrences"]
        or payload["days"] * payload["occurrences"] > 1_098
        or payload["budget"] < payload["reward"]
        or (goal["is"] == "Spend" and payload["basket_min_cents"] * 16 < goal["cents"])
        or (goal["is"] == "Codes" and any(left >= right for left, right in pairwise(goal["codes"])))
    )
    if broken:
        raise Fault("challenge.terms")


def check_payload(kind: str, payload: dict) -> None:
    """The kinds' own checks of what shapes cannot say.

    ACC-4, ACC-5, LOY-1, LOY-3, LOY-11, LOY-15, LOY-16, LOY-19, CHL-2, CHL-5, CHL-6, OFR-5, CRF-1, CRF-2, FIN-6 to FIN-10.
    """
    if kind.startswith("finality."):
        finality.check_payload(kind, payload)
    if kind == "account.set_policy":
        check_policy(payload["policy"])
    if kind == "account.set_guardians":
        for guardians in payload["guardians"]:
            addresses = guardians["addresses"]
            if any(left >= right for left, right in pairwise(addresses)) or guardians["threshold"] > len(addresses):
                raise Fault("guardians.invalid")
    if kind in ("program.create", "program.update"):
        check_terms(payload["terms"])
    if kind == "earn.contest" and payload["claim"]["is"] == "WrongPoints":
        check_codes(payload["claim"]["codes"])
    if kind == "earn":
        for entry in payload["entries"]:
            check_codes(entry["codes"] if entry["is"] == "OpenEntry" else [])
    if kind == "earn.answer_contest" and payload["entry"]["is"] == "SealedAnswer":
        for name in ("before", "after"):
            if payload["entry"][name]["points"] and not payload["entry"][name]["salt"]:
                raise Fault("contest.opening", name)
    if kind == "campaign.create":
        campaigns.check_terms(payload)
    if kind in ("pledge", "pledge.change", "pledge.late"):
        campaigns.check_add_ons(payload["add_ons"])
    if kind == "offer.contest":
        offers.check_terms(payload["terms"])
        check_codes(payload["codes"])
        offers.check_contest_shape(payload)
    if kind in ("reverse", "challenge.reverse", "offer.reverse"):
        check_consent(payload["consent"])
    if kind == "challenge.create":
        check_challenge(payload)
    if kind == "challenge.contest":
        places = [(shown["till"], shown["sequence"]) for shown in payload["receipts"]]
        if any(left >= right for left, right in pairwise(places)):
            raise Fault("challenge.order")
        for shown in payload["receipts"]:
            check_codes(shown["codes"])
    if kind == "earn.answer_contest" and payload["entry"]["is"] == "ReturnAnswer":
        if (payload["batch"], payload["index"], payload["path"]) != (bytes(32), 0, []):
            raise Fault("contest.place")
        check_consent(payload["entry"]["consent"])


def signers_of(body: dict) -> list[bytes]:
    """The author, then the co-signers (ENV-3); the issuer or the licensor, where one is named (LOY-7, CRF-1)."""
    named = b""
    if body["kind"] == "member.join":
        named = body["payload"]["issuer"]
    if body["kind"] == "campaign.create":
        named = campaigns.licensor_of(body["payload"])
    return [body["author"], named] if named else [body["author"]]


def read_body(data: bytes, chain_id: bytes | None = None) -> dict:
    """The body with its payload, checked in the order of ENV-6; without a chain id the chain's tag is not looked at."""
    values = decode(data, TRANSACTION_BYTES_MAX)
    if not isinstance(values, list) or len(values) != 9:
        raise Fault("envelope.shape", "body")
    body = BODY.read(values[:8], "body")
    if body["version"] != 1:
        raise Fault("envelope.version", str(body["version"]))
    if chain_id is not None and body["chain_tag"] != chain_id[:4]:
        raise Fault("envelope.wrong_chain")
    if body["kind"] not in PAYLOADS:
        raise Fault("envelope.unknown_kind", body["kind"])
    body["payload"] = PAYLOADS[body["kind"]].read(values[8], "payload")
    check_payload(body["kind"], body["payload"])
    if body["payment"]["is"] == "Prepaid" and body["kind"] not in EXITS:
        raise Fault("envelope.not_prepaid", body["kind"])
    return body


def write_body(body: dict) -> bytes:
    """The bytes of a body (ENV-1)."""
    return encode([*BODY.write(body), PAYLOADS[body["kind"]].write(body["payload"])])


def check_witness(witness: dict, code: str = "witness.signatures") -> None:
    """ENV-3: a valid policy, and exactly threshold signatures with ascending key indexes."""
    check_policy(witness["policy"])
    indexes = [item["key_index"] for item in witness["signatures"]]
    ascending = all(left < right for left, right in pairwise(indexes))
    below = all(index < len(witness["policy"]["keys"]) for index in indexes)
    if len(indexes) != witness["policy"]["threshold"] or not ascending or not below:
        raise Fault(code)


def check_consent(consent: dict) -> None:
    """RCP-9: the fan's counter-signature, as a witness."""
    check_witness(consent, "return.signatures")


def read_transaction(data: bytes, chain_id: bytes | None = None) -> dict:
    """A transaction in names, with `body_bytes` as they stand, checked in the order of ENV-6 ("Structure")."""
    values = decode(data, TRANSACTION_BYTES_MAX)
    if not isinstance(values, list) or len(values) != 2 or not isinstance(values[0], bytes):
        raise Fault("envelope.shape", "transaction")
    body = read_body(values[0], chain_id)
    witnesses = WITNESSES.read(values[1], "witnesses")
    if len(witnesses) != len(signers_of(body)):
        raise Fault("witness.count", str(len(witnesses)))
    for witness in witnesses:
        check_witness(witness)
    return {"body": body, "body_bytes": values[0], "witnesses": witnesses}


def write_transaction(transaction: dict) -> bytes:
    """The bytes of a transaction, written anew from its names (ENV-1)."""
    return encode([write_body(transaction["body"]), WITNESSES.write(transaction["witnesses"])])


def txid(body: bytes) -> bytes:
    """ENV-1."""
    return tagged("TX", body)


def wtxid(transaction: bytes) -> bytes:
    """ENV-1."""
    return tagged("WTX", transaction)


def sighash(chain_id: bytes, body: bytes) -> bytes:
    """ENV-4: what every signer signs."""
    return tagged("SIGHASH", chain_id + body)


def check_signatures(transaction: dict, chain_id: bytes) -> int:
    """ENV-4: every signature of every witness; how many there are."""
    message = sighash(chain_id, transaction["body_bytes"])
    count = 0
    for witness in transaction["witnesses"]:
        for item in witness["signatures"]:
            if not is_valid(witness["policy"]["keys"][item["key_index"]], message, item["signature"]):
                raise Fault("witness.signature", str(count))
            count += 1
    if not all(is_valid(*attested) for attested in attestations(transaction["body"], chain_id)):
        raise Fault("witness.attestation")
    return count


def contested_receipt(body: dict) -> bytes:
    """The hash of the receipt that a contest opens; its member is the author (LOY-15, RCP-8)."""
    shown = PAYLOADS["earn.contest"].write(body["payload"])
    opened = {1: shown[0], 2: shown[1], 3: body["author"], 4: shown[2], 5: shown[3], 6: shown[4], 11: shown[5]}
    if body["payload"]["claim"]["is"] == "WrongPoints":
        opened |= dict(zip((7, 8, 9, 12, 13), shown[6][1:], strict=True))
    return opened_hash(opened, body["payload"]["blinding"])


def shown_receipts(body: dict) -> list[bytes]:
    """The hashes of the receipts that a contest of a challenge opens; their member is the author (CHL-5, RCP-8)."""
    found = []
    for item in body["payload"]["receipts"]:
        shown = KNOWN["shown"].write(item)
        opened = {1: body["payload"]["program"], 3: body["author"], **dict(zip(range(4, 9), shown[:5], strict=True))}
        found.append(opened_hash(opened | ({9: shown[5]} if shown[5] else {}), item["blinding"]))
    return found


def shown_return(body: dict) -> dict | None:
    """What shows a return: a reversal itself, or the answer of a contest that is one (LOY-16, LOY-19, CHL-6, OFR-6); else None."""
    if body["kind"] in ("reverse", "challenge.reverse", "offer.reverse"):
        return body["payload"]
    is_answer = body["kind"] == "earn.answer_contest" and body["payload"]["entry"]["is"] == "ReturnAnswer"
    return body["payload"]["entry"] if is_answer else None


def attestations(body: dict, chain_id: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Key, message and signature of those who signed in the payload.

    LOY-15 and OFR-5 a till, CHL-5 tills, RCP-9 a till and the fan, JOIN-2 a voucher, MIS-2 an issuer.
    """
    payload = body["payload"]
    if body["kind"].startswith("finality."):
        return finality.attestations(body, chain_id)
    if body["kind"] == "member.join":
        return voucher_attestations(body, chain_id)
    if body["kind"] == "contribution.record":
        return [slip_attestation(payload, chain_id)]
    if body["kind"] == "earn.contest":
        return [(payload["till"], receipt_signing_hash(chain_id, contested_receipt(body)), payload["signature"])]
    if body["kind"] == "challenge.contest":
        pairs = zip(payload["receipts"], shown_receipts(body), strict=True)
        return [(item["till"], receipt_signing_hash(chain_id, found), item["signature"]) for item, found in pairs]
    if body["kind"] == "offer.contest":
        return [(payload["till"], receipt_signing_hash(chain_id, offers.opened_receipt(body)), payload["signature"])]
    shown = shown_return(body)
    if shown is None:
        return []
    found = return_id(shown["returned"])
    by_till = (shown["returned"]["till"], tagged("RETURN_SIGNATURE", chain_id + found), shown["signature"])
    keys, message = shown["consent"]["policy"]["keys"], tagged("RETURN_CONSENT", chain_id + found)
    return [
        by_till,
        *((keys[item["key_index"]], message, item["signature"]) for item in shown["consent"]["signatures"]),
    ]


def cost_of(body: dict) -> tuple[int, int, int, int]:
    """Records, slots, due items and signatures in the payload (ENV-7): the kind's cost, with what this payload adds to it."""
    records, slots, due = COSTS[body["kind"]]
    if body["kind"].startswith("finality."):
        return records + finality.members_in(body), slots, due, finality.signatures_in(body)
    entries = len(body["payload"]["entries"]) if body["kind"] in ("earn", "offer.issue", "offer.settle") else 0
    records += 2 * entries
    if body["kind"] == "offer.issue":
        slots, due = slots + entries, due + entries
    shown = shown_return(body)
    is_answer = shown and body["kind"] == "earn.answer_contest"
    if (body["kind"] == "member.join" and body["payload"]["referrer"]) or is_answer:
        records, slots, due = records + 1, slots + 1, due + 1
    if body["kind"] == "challenge.complete":
        entries = len(body["payload"]["entries"])
        records, slots, due = records + 4 * entries, slots + entries, due + entries
    if body["kind"] == "challenge.contest":
        return records, slots, due, len(body["payload"]["receipts"])
    contested = int(body["kind"] in ("earn.contest", "offer.contest", "contribution.record"))
    signatures = 1 + len(shown["consent"]["signatures"]) if shown else contested
    if body["kind"] == "member.join" and body["payload"]["voucher"]:
        records, slots, due, signatures = records + 2, slots + 1, due + 1, 2
    return records, slots, due, signatures


def weight(data: bytes) -> int:
    """ENV-7, of the bytes of a transaction."""
    transaction = read_transaction(data)
    records, slots, due, signatures = cost_of(transaction["body"])
    signatures += sum(len(witness["signatures"]) for witness in transaction["witnesses"])
    return len(data) + 200 * signatures + 60 * (records + 1) + 300 * slots + 150 * due


def prepaid_exit(fee_rate_min: int) -> int:
    """FEE-4: what a record that can end by an exit locks for it."""
    return EXIT_WEIGHT * fee_rate_min
