"""What is counted step by step, counted once more from what it counts: ballots, reviews, contributions."""

from tests.model.state import Model
from tests.model.tallies import count, empty_tally, leaders
from tests.model.voice_records import ENDED


def check_counts(model: Model) -> None:
    """Every count of voice and of taking part is what its records add up to (VOI-5, MIS-3, REV-1)."""
    for name, proposal in model.proposals.items():
        ballots = [ballot for (of, _), ballot in model.ballots.items() if of == name]
        tally = empty_tally(len(proposal.options), proposal.method)
        for ballot in ballots:
            tally = count(proposal, tally, ballot) if ballot.choice else tally
        tally = tally._replace(committed=sum(ballot.commitment != b"" for ballot in ballots))
        assert model.tallies[name] == tally, "VOI-5"
        assert proposal.leaders == (leaders(proposal, tally) if proposal.status >= ENDED else ()), "VOI-5"
    for name, mission in model.missions.items():
        assert mission.taken == sum(done.mission == name for done in model.contributions.values()), "MIS-3"
        assert mission.places == 0 or mission.taken <= mission.places, "MIS-3"
    for subject, scores in model.scores.items():
        reviews = [review for (of, _), review in model.reviews.items() if of == subject]
        for stance, counts in enumerate(scores[:2]):
            given = [review.score for review in reviews if review.stance == stance]
            assert counts == tuple(given.count(score) for score in range(1, 6)), "REV-1"
        assert scores.replies == sum(review.replies for review in reviews), "REV-4"
