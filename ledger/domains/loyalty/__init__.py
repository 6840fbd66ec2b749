"""Programs, their terms, their members and the points that they earn."""
