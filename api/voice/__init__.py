"""What a node does for those who vote: openings of sealed ballots that it keeps and sends."""
