"""What a person sees of work that is counted: a bar on a terminal, a line at the end elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def counting(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Is to be told how much of how much is done, for as long as the block runs."""
    console, begun, counted = Console(highlight=False, stderr=True), monotonic(), 0
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def shown(done: int, of: int) -> None:
            nonlocal counted
            counted = done
            bar.update(task, completed=done, total=of)

        yield shown
    seconds = monotonic() - begun
    console.print(f"{title}: {counted:,} {unit}, {counted / max(seconds, 1e-9):,.0f} {unit}/s", soft_wrap=True)
