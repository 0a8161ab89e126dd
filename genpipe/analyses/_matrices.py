"""Drawings of matrices: the darker a field, the more."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from genpipe import plotting

_MOST_COLUMNS = 32
_WRITTEN_COLUMNS = 14
"""At most so many for fields to have room for figures."""


def drawn(values: Float[np.ndarray, "r k"], rows: Sequence[str], across: str) -> UInt8[np.ndarray, "h w 3"]:
    """Named rows over numbered columns; of many columns those with the largest values."""
    columns = np.sort(np.argsort(-values.max(0), kind="stable")[:_MOST_COLUMNS])
    width = 130 + max(280, min(44, 1100 // len(columns)) * len(columns))
    return plotting.drawn(
        width, 70 + 34 * len(rows), lambda figure: _draw(figure, values[:, columns], rows, columns, across)
    )


def _draw(figure: Any, values: np.ndarray, rows: Sequence[str], columns: np.ndarray, across: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    axes = plotting.panel(figure, x=across)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    shades = LinearSegmentedColormap.from_list("shades", [plotting.PAPER, plotting.ACCENT])
    axes.pcolormesh(values, cmap=shades, vmin=0, vmax=max(1.0, values.max()), edgecolors=plotting.PAPER, linewidth=1.5)
    axes.invert_yaxis()
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    axes.tick_params(length=0)
    if len(columns) <= _WRITTEN_COLUMNS:
        for (row, column), value in np.ndenumerate(values):
            ink = plotting.PAPER if value > 0.6 * max(1.0, values.max()) else plotting.INK
            axes.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", fontsize=9, color=ink)
