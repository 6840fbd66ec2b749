"""What fans say and do for what they are fans of: missions, contributions, reviews."""
