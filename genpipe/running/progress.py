"""What a person sees of a training: a bar on a terminal, lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from genpipe.training.moments import Moment

LINES = 10
"""About so many lines are printed where there is no terminal."""


class ProgressWatcher:
    """Steps, images a second, losses and time left."""

    def __init__(self, bar: Progress, title: str) -> None:
        self.bar, self.title, self.told = bar, title, 0.0
        self.task = bar.add_task(title, total=None, figures="")

    def __call__(self, moment: Moment) -> None:
        losses = {k.removesuffix("/loss"): v for k, v in moment.row.items() if k.endswith("/loss")}
        figures = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
        figures = f"{moment.images_per_sec:,.0f} images/s  {figures}"
        self.bar.update(self.task, completed=moment.step, total=moment.steps, figures=figures)
        if not self.bar.console.is_terminal and moment.step / moment.steps >= self.told:
            self.told += 1 / LINES
            self.bar.console.print(f"{self.title}: step {moment.step}/{moment.steps}  {figures}", soft_wrap=True)

    def warn(self, text: str) -> None:
        """Shows a warning above the bar."""
        self.bar.console.print(f"{self.title}: warning: {text}", style="yellow", markup=False, soft_wrap=True)


@contextmanager
def progress(title: str) -> Iterator[ProgressWatcher]:
    """A watcher that shows how a training goes, for as long as the block runs."""
    notebook = Console().is_jupyter  # it claims to be a terminal, and would keep every move of a bar
    console = Console(highlight=False, force_jupyter=False, force_terminal=False if notebook else None)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("steps  {task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield ProgressWatcher(bar, title)
