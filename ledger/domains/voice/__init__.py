"""What fans ask, decide, do and say: proposals, ballots and answers; missions and contributions; reviews."""
