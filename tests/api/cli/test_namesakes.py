"""The same program twice: refused with the id of the first, unless it is meant."""

from collections.abc import Callable
from datetime import UTC, datetime

from ledger.params import WIND_DOWN_DAYS_MIN
from tests.api.cli.conftest import Terminal
from tests.support.market import TERMS_FILE
from tests.support.wallet_node import WalletNode


def test_the_same_name_twice_is_refused_unless_it_is_meant(
    node: WalletNode, terminal_of: Callable[[str], Terminal]
) -> None:
    owner, till = terminal_of("owner"), terminal_of("till")
    terms = owner.home / "terms.toml"
    terms.write_text(TERMS_FILE)
    first = owner.read("brand", "create-program", terms)["program"]
    said = owner.fail("brand", "create-program", terms)
    assert "program.namesake" in said and first in said and "--another" in said
    assert len(list(node.client.every(node.client.programs))) == 1
    assert till.run("brand", "create-program", terms), "another brand's name is its own affair"
    second = owner.read("brand", "create-program", terms, "--another")["program"]
    assert second != first and second in owner.fail("brand", "create-program", terms)
    terms.write_text(TERMS_FILE.replace("Corner Grocer", "Corner Baker").replace("notice_days = 30", "notice_days = 0"))
    baker = owner.read("brand", "create-program", terms)["program"]
    owner.run("brand", "fill-pool", baker, 5_000_000)
    ends = node.chain.time + 86_400
    owner.run(
        "brand", "sunset", baker, "--at", datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "--yes"
    )
    assert baker in owner.fail("brand", "create-program", terms), "it winds down, and its fans still redeem"
    node.chain.advance(days=WIND_DOWN_DAYS_MIN + 2)
    assert owner.read("brand", "create-program", terms)["program"] != baker, "what has closed is out of the way"
