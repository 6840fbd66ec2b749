"""Missions, contributions, reviews and replies: what a block's transactions leave in their records (MIS, REV)."""

from tests.second_decoder.encoding import encode
from tests.second_decoder.hashing import be4, object_id, tagged
from tests.second_decoder.records import read_value
from tests.second_decoder.slips import contribution_id

SCOPE_TO_RECORD = 64


def check_said(block: dict, before: dict[bytes, bytes], after: dict[bytes, bytes], now: int) -> None:
    """Every record of missions, contributions, reviews and scores that the block's transactions change."""
    state: dict[bytes, dict] = {}
    for transaction in block["transactions"]:
        body = transaction["body"]
        if body["kind"] in SAID:
            SAID[body["kind"]](transaction, State(state, before), after, now)
    for key, record in state.items():
        found = read_value(key, after[key])
        assert {name: found[name] for name in record} == record


class State:
    """Records as the block's earlier transactions left them; what is set is compared once the block is over."""

    def __init__(self, changed: dict[bytes, dict], before: dict[bytes, bytes]) -> None:
        self.changed, self.before = changed, before

    def get(self, key: bytes) -> dict | None:
        """The record, or None."""
        if key in self.changed:
            return self.changed[key]
        return read_value(key, self.before[key]) if key in self.before else None

    def need(self, key: bytes) -> dict:
        """The record, which there is."""
        found = self.get(key)
        assert found is not None
        return found


def _create_mission(transaction: dict, state: State, after: dict[bytes, bytes], now: int) -> None:
    payload = transaction["body"]["payload"]
    assert payload["until"] > now
    key = b"m" + object_id("mission", tagged("TX", transaction["body_bytes"]))
    assert state.need(b"B" + payload["program"])["owner"] == transaction["body"]["author"]
    state.changed[key] = {**payload, "taken": 0}


def _record(transaction: dict, state: State, after: dict[bytes, bytes], now: int) -> None:
    body, slip = transaction["body"], transaction["body"]["payload"]["slip"]
    key = b"c" + contribution_id(slip)
    assert state.get(key) is None
    assert slip["fan"] == body["author"] and slip["time"] <= now
    if slip["mission"]:
        mission = state.need(b"m" + slip["mission"])
        assert slip["time"] <= mission["until"] and mission["program"] == slip["program"]
        assert mission["places"] == 0 or mission["taken"] < mission["places"]
        state.changed[b"m" + slip["mission"]] = {**mission, "taken": mission["taken"] + 1}
    issuer = tagged("POLICY", encode([1, [slip["issuer"]]]))
    grant = state.need(b"G" + slip["program"] + issuer)
    assert grant["granted_at"] <= slip["time"] and grant["scopes"] & SCOPE_TO_RECORD
    same = {name: slip[name] for name in ("program", "fan", "mission", "role", "work")}
    times = {"worked_at": slip["time"], "recorded_at": now, "credited_at": 0}
    state.changed[key] = {**same, **times, "issuer": issuer, "product": b""}


def _credit(transaction: dict, state: State, after: dict[bytes, bytes], now: int) -> None:
    payload, author = transaction["body"]["payload"], transaction["body"]["author"]
    key, product = b"c" + payload["contribution"], payload["product"]
    contribution = state.need(key)
    assert contribution["credited_at"] == 0
    assert state.need(b"B" + contribution["program"])["owner"] == author
    if product["is"] == "RewardProduct":
        assert state.get(b"W" + contribution["program"] + product["reward"]) is not None
    else:
        campaign = state.need(b"F" + product["campaign"])
        assert campaign["creator"] == author or campaign["unit"].get("program") == contribution["program"]
    named = product.get("campaign") or product["reward"]
    state.changed[key] = {**contribution, "credited_at": now, "product": named}


def _subject(payload: dict, state: State) -> tuple[bytes, bytes]:
    """The subject id and its own account (REV-1)."""
    subject = payload["subject"]
    if subject["is"] == "ProgramSubject":
        return subject["program"], state.need(b"B" + subject["program"])["owner"]
    return subject["campaign"], state.need(b"F" + subject["campaign"])["creator"]


def _stands(body: dict, state: State) -> bool:
    """REV-2."""
    subject, standing, author = body["payload"]["subject"], body["payload"]["standing"], body["author"]
    is_program = subject["is"] == "ProgramSubject"
    if standing["is"] == "Contributed":
        found = state.need(b"c" + standing["contribution"])
        about = found["program"] == subject.get("program") if is_program else found["product"] == subject["campaign"]
        return found["fan"] == author and about
    if standing["is"] == "PledgeStanding":
        named = standing["campaign"] + be4(standing["number"])
        pledge = state.get(b"P" + named) or state.need(b"b" + named)
        campaign = state.need(b"F" + standing["campaign"])
        about = standing["campaign"] == subject.get("campaign")
        if is_program:
            owner = state.need(b"B" + subject["program"])["owner"]
            about = campaign["creator"] == owner or campaign["unit"].get("program") == subject["program"]
        return pledge["backer"] == author and about
    member = state.need(b"M" + subject["program"] + author)
    return member["entries" if standing["is"] == "Earned" else "redemptions"] > 0


def _review(transaction: dict, state: State, after: dict[bytes, bytes], now: int) -> None:
    body, payload = transaction["body"], transaction["body"]["payload"]
    subject, own = _subject(payload, state)
    assert body["author"] != own
    key = b"r" + subject + body["author"]
    former = state.get(key)
    assert (former or {}).get("standing") == payload["standing"] or _stands(body, state)
    scores = state.get(b"s" + subject) or {"endorsing": [0] * 5, "criticising": [0] * 5, "replies": 0}
    for found, by in ((former, -1), (payload, 1)):
        if found is not None:
            name = ("endorsing", "criticising")[found["stance"]]
            counts = list(scores[name])
            counts[found["score"] - 1] += by
            scores = {**scores, name: counts}
    state.changed[b"s" + subject] = scores
    first = {"first_at": now, "revisions": 0, "reply": b"", "replied_at": 0, "replies": 0}
    record = {**(former or first), **{name: payload[name] for name in ("stance", "score", "text", "standing")}}
    state.changed[key] = {**record, "latest_at": now, "revisions": record["revisions"] + 1}


def _reply(transaction: dict, state: State, after: dict[bytes, bytes], now: int) -> None:
    payload = transaction["body"]["payload"]
    subject, own = _subject(payload, state)
    assert transaction["body"]["author"] == own
    key = b"r" + subject + payload["author"]
    review, scores = state.need(key), state.need(b"s" + subject)
    state.changed[key] = {**review, "reply": payload["text"], "replied_at": now, "replies": review["replies"] + 1}
    state.changed[b"s" + subject] = {**scores, "replies": scores["replies"] + 1}


SAID = {
    "mission.create": _create_mission,
    "contribution.record": _record,
    "contribution.credit": _credit,
    "review": _review,
    "review.reply": _reply,
}
