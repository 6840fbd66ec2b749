"""Which slot a record gets, what its block's undo holds, and the sums of the records: STA-5, STA-6, INV-2 to INV-5."""

from tests.second_decoder.collateral import check_backing, security
from tests.second_decoder.records import Slots, read_key, read_undo, read_value, write_undo

BUCKETS = ("accounts", "pools", "locked", "escrow", "maturing", "burned")


def give_slots(slots: Slots, head: int, before: set[bytes], after: dict[bytes, bytes]) -> int:
    """The net effect of one phase (STA-5): keys that had a record before it, and those that have one after; the new head."""
    places = {key: slot for key, (slot, _) in slots.records().items()}
    for key in sorted(before - after.keys()):
        slots.put(places[key], head)
        head = places[key]
    for key in sorted(after.keys() - before):
        slot = head or len(slots.content)
        following = slots.content[head] if head else 0
        slots.put(slot, (key, after[key]))
        head = following
    for key in before & after.keys():
        slots.put(places[key], (key, after[key]))
    return head


def undo_of(before: Slots, changed: list[int]) -> bytes:
    """STA-6: what a node stores to take a block back, from the slots before it and the numbers of those that it changed."""
    rows = []
    for slot in sorted(changed):
        if slot >= len(before.content):
            rows.append([slot, 0, b"", b"", 0])
        elif isinstance(before.content[slot], int):
            rows.append([slot, 1, b"", b"", before.content[slot]])
        else:
            rows.append([slot, 1, *before.content[slot], 0])
    return write_undo(len(before.content), rows)


def take_back(slots: Slots, undo: bytes) -> Slots:
    """STA-6: the slots before the block, from those after it and its undo."""
    count, rows = read_undo(undo)
    former = Slots()
    changed = {row[0]: row for row in rows}
    for slot in range(count):
        content = slots.content[slot]
        if slot in changed:
            _, existed, key, value, following = changed[slot]
            assert existed == 1
            content = (key, value) if key else following
        former.put(slot, content)
    return former


def tables_of(slots: Slots) -> dict[str, list[tuple[dict, dict]]]:
    """Table -> (key's parts, value) of all its records."""
    tables: dict[str, list[tuple[dict, dict]]] = {}
    for key, (_, value) in slots.records().items():
        parts = read_key(key)
        tables.setdefault(parts["table"], []).append((parts, read_value(key, value)))
    return tables


def bucket_sums(tables: dict) -> dict[str, int]:
    """INV-3: each bucket as the sum over the records."""
    rows = [fields for records in tables.values() for _, fields in records]
    maturing = [payee["amount"] for _, fields in tables.get("Maturing", []) for payee in fields["payees"]]
    campaigns = [fields for _, fields in tables.get("Campaign", [])]
    return {
        "accounts": sum(fields["balance"] for _, fields in tables.get("Account", [])),
        "pools": sum(fields["pool"] for _, fields in tables.get("Books", [])),
        "locked": sum(fields.get(name, 0) for fields in rows for name in ("deposit", "prepaid", "contest_coin"))
        + sum(security(fields) for _, fields in tables.get("Books", [])),
        "escrow": sum(fields["escrowed"] for fields in campaigns if fields["unit"]["is"] == "CoinUnit"),
        "maturing": sum(maturing),
        "burned": sum(fields["burned"] for _, fields in tables.get("Books", [])),
    }


def check_invariants(slots: Slots, emission: int) -> None:
    """INV-2 to INV-5, INV-9 to INV-13, and that the free list holds the free slots (STA-2, STA-4)."""
    tables = tables_of(slots)
    chain = tables["ChainRecord"][0][1]
    assert chain["slot_count"] == len(slots.content)
    free = {slot for slot, item in enumerate(slots.content) if isinstance(item, int)}
    assert sorted(slots.free_list(chain["free_head"])) == sorted(free)
    assert {name: chain[name] for name in BUCKETS} == bucket_sums(tables)
    assert chain["emitted"] == emission == sum(chain[name] for name in BUCKETS)
    guarded = {parts["address"] for parts, account in tables["Account"] if account["is_guarded"]}
    assert guarded == {parts["address"] for parts, _ in tables.get("Guardianship", [])}
    for parts, campaign in tables.get("Campaign", []):
        check_campaign(
            campaign, [item for place, item in tables.get("Pledge", []) if place["campaign"] == parts["campaign"]]
        )
    for parts, books in tables.get("Books", []):
        program = parts["program"]
        places = ("pending", "available", "held", "escrowed", "redeemed", "expired", "reversed")
        assert books["issued"] + books["restored"] == sum(books[name] for name in places)
        held = [hold["points"] for _, hold in tables.get("Hold", []) if hold["program"] == program]
        campaigns = [item for _, item in tables.get("Campaign", []) if item["unit"]["is"] == "PointsUnit"]
        escrowed = [item["escrowed"] for item in campaigns if item["unit"]["program"] == program]
        assert (books["held"], books["escrowed"]) == (sum(held), sum(escrowed))
        contests = [item for _, item in tables.get("Contest", []) if item["program"] == program and not item["outcome"]]
        claimed = sum(item["points"] for item in contests)
        parts_of_reserve = (books["contest_points"], books["contest_points_credited"], claimed)
        assert books["contest_points_locked"] == sum(parts_of_reserve)
        assert books["contests_open"] == len(contests)
        challenges = [item for _, item in tables.get("Challenge", []) if item["program"] == program]
        assert all(0 <= item["given"] <= item["budget"] for item in challenges)
        aside = [item["budget"] - item["given"] for item in challenges if not item["has_ended"]]
        assert books["challenge_points"] == sum(aside)
        check_backing(tables, program, books)


def check_campaign(campaign: dict, pledges: list[dict]) -> None:
    """INV-5 of one campaign and its pledges."""
    assert campaign["pledged"] == campaign["escrowed"] + campaign["released"] + campaign["returned"]
    assert campaign["escrowed"] <= campaign["weight"] == sum(pledge["quantity"] for pledge in pledges)
    own = [pledge["quantity"] for pledge in pledges if pledge["backer"] == campaign["creator"]]
    assert campaign["own_weight"] == sum(own)
    for pledge in pledges:
        assert sum(lot["points"] for lot in pledge["lots"]) in (0, pledge["quantity"])
