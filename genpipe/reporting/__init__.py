"""What people look at after `dvc repro`: one page, its Markdown twin and the leaderboard as a table."""
