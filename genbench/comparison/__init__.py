"""Whether two numbers differ by more than chance: what `compare`, `check` and the leaderboard rest on. Loads no torch."""
