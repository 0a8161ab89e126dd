"""What people look at after `dvc repro`: one page, its Markdown twin and the leaderboard as a table."""

from genpipe.reporting.page import write_report

__all__ = ["write_report"]
