from pathlib import Path

import numpy
import pytest

from api.personalization.features import fetch
from api.personalization.models import crowd
from bench_personal import judge_fans, make_fans, serve_fans, train_fans
from made_up_fans import AS_OF, PROMOTION_DAYS, open_made_up, write_fans

FANS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("fans") / "all"
    make_fans(found, FANS)
    return found


def test_one_seed_makes_the_same_files(folder: Path, tmp_path: Path) -> None:
    write_fans(tmp_path, FANS, 7)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) > 100
    assert all((tmp_path / path).read_bytes() == (folder / path).read_bytes() for path in files)
    make_fans(folder, FANS + 1)
    assert (folder / "done").stat().st_mtime >= 0 and len(fetch(open_made_up(folder).fans)["basis"]) == FANS


def test_they_buy_as_is_planted(folder: Path) -> None:
    facts = open_made_up(folder)
    lines = fetch(facts.purchases)
    fans = numpy.unique(lines["household_id"])
    assert 0.95 * FANS < len(fans) <= FANS and (fans > 0).all()
    before = fetch(facts.purchases.filter(facts.purchases.moment < facts.read_at))
    assert 6 < len(numpy.unique(before["basket_id"])) / FANS < 11
    pairs = facts.purchases.group_by("household_id", "product").aggregate(lines=facts.purchases.count())
    assert (fetch(pairs)["lines"] >= 4).mean() > 0.05, "habits"
    sent, redeemed = fetch(facts.sent), fetch(facts.redeemed)
    assert set(sent["campaign_id"].tolist()) == set(range(1, len(PROMOTION_DAYS) + 1))
    recipients = set(zip(sent["household_id"], sent["campaign_id"], strict=True))
    assert set(zip(redeemed["household_id"], redeemed["campaign_id"], strict=True)) <= recipients
    assert 0.02 < len(redeemed["day"]) / len(sent["start_day"]) < 0.5


def test_they_are_trained_served_and_judged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "LEARNED_HOUSEHOLDS_MAX", 200)
    trained = train_fans(folder)
    assert 250 < trained["fans"] <= FANS and trained["file_bytes"] > 1_000 * trained["fans"]
    served = serve_fans(folder)
    assert 0 < served["answer_median_us"] <= served["answer_p99_us"]
    judged = judge_fans(folder)
    assert judged["ndcg"] > 1.5 * judged["ndcg_popular"] > 0, f"habits are planted until {AS_OF} and after it"
