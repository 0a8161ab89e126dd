"""Drawings in the colors of the report, as pixels.

They lie on the paper of the report's page, by which the page knows a drawing from a picture made of images: it turns
drawings light on dark where the reader's screen is dark, so that no image may be part of one. Twice as many pixels are
drawn as the page shows them at, for sharp letters.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8

PAPER = "#fdfdfc"
DENSITY = 2
"""Pixels of a drawing along one pixel of the page."""
INK = "#1c2126"
SOFT = "#8a949c"
"""Of real images."""
ACCENT = "#1b5e86"
"""Of samples."""
WARM = "#c0562a"
"""Of what is set beside the two."""
_CSS_PIXELS_AN_INCH = 96


def style(ink: str) -> Any:
    """Settings of matplotlib for thin axes and small letters of one color, by name."""
    return {
        "font.size": 10,
        "text.color": ink,
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.6,
        "xtick.color": ink,
        "ytick.color": ink,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "axes.formatter.useoffset": False,
    }


def drawn(width_px: int, height_px: int, draw: Callable[[Any], None]) -> UInt8[np.ndarray, "h w 3"]:
    """What `draw` puts on a matplotlib figure of this size on the page."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (width_px / _CSS_PIXELS_AN_INCH, height_px / _CSS_PIXELS_AN_INCH)
    with mpl.rc_context(style(INK) | {"legend.frameon": False, "lines.linewidth": 1.6}):
        figure = Figure(size, _CSS_PIXELS_AN_INCH * DENSITY, facecolor=PAPER, layout="constrained")
        draw(figure)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def panel(figure: Any, *place: Any, title: str = "", x: str = "", y: str = "") -> Any:
    """Axes with faint lines to read heights by; `place` is that of matplotlib's `add_subplot`."""
    axes = figure.add_subplot(*place)
    axes.set_facecolor(PAPER)
    axes.set_title(title, loc="left", fontsize=10, parse_math=False)
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(y, parse_math=False)
    axes.grid(axis="y", color=INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes
