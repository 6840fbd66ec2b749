"""What points are spent on: rewards, holds and their resolution."""
