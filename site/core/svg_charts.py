"""Line charts as SVG, rendered on the server without scripts. Templates add a table with the same data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 240, 56, 28  # units of the view box


@dataclass
class Line:
    """A line of a chart: its name, its points for <polyline>, and its last point."""

    name: str
    points: str
    last: tuple[float, float]


@dataclass
class Chart:
    """Lines over time on a common scale."""

    lines: list[Line]
    ticks: list[tuple[float, int]]  # (y, label)
    labels: list[tuple[float, str]]  # (x, label)
    width: int = WIDTH
    height: int = HEIGHT


def line_chart(names: Iterable[str], series: Sequence[Sequence[float]], labels: Sequence[str]) -> Chart:
    """Return a Chart of `series`, lists of numbers of equal length named `names`, over `labels`. The scale starts at zero."""
    top = _round_up(max((value for values in series for value in values), default=0))
    step = (WIDTH - LEFT - 8) / max(1, len(labels) - 1)

    def place(number: int, value: float) -> tuple[float, float]:
        return round(LEFT + number * step, 1), round((HEIGHT - BOTTOM) * (1 - value / top) + 6, 1)

    lines = []
    for name, values in zip(names, series, strict=True):
        spots = [place(number, value) for number, value in enumerate(values)]
        lines.append(Line(name, " ".join(f"{x},{y}" for x, y in spots), spots[-1] if spots else (LEFT, HEIGHT)))
    ticks = [(place(0, top * part / 4)[1], round(top * part / 4)) for part in range(5)]
    every = max(1, len(labels) // 6)
    shown = [(place(number, 0)[0], label) for number, label in enumerate(labels) if number % every == 0]
    return Chart(lines, ticks, shown)


def _round_up(value: float) -> int:
    """Round up to 4, 8, 20, 40, 80, 200 …, so that a quarter of it is an integer."""
    top = 4
    while top < value:
        top = {"4": top * 2, "8": top * 5 // 2, "2": top * 2}[str(top)[0]]
    return top
