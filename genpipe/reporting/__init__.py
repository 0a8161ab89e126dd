"""The report after `dvc repro`: one page, its Markdown version and the leaderboard as a table."""
