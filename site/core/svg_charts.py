"""Charts as SVG drawn on the server, without scripts; the table that belongs beside each is the template's."""

from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 240, 56, 28  # units of the drawing


@dataclass
class Line:
    """A line of a chart: its name and its points, ready for <polyline>."""

    name: str
    points: str
    last: tuple


@dataclass
class Chart:
    """Lines over time on one scale."""

    lines: list
    ticks: list  # (y, label)
    labels: list  # (x, label)
    width: int = WIDTH
    height: int = HEIGHT


def line_chart(names, series, labels):
    """A Chart of `series`, equally long lists of numbers named `names`, over `labels`; the scale begins at zero."""
    top = _round_up(max((value for values in series for value in values), default=0))
    step = (WIDTH - LEFT - 8) / max(1, len(labels) - 1)

    def place(number, value):
        return round(LEFT + number * step, 1), round((HEIGHT - BOTTOM) * (1 - value / top) + 6, 1)

    lines = []
    for name, values in zip(names, series, strict=True):
        spots = [place(number, value) for number, value in enumerate(values)]
        lines.append(Line(name, " ".join(f"{x},{y}" for x, y in spots), spots[-1] if spots else (LEFT, HEIGHT)))
    ticks = [(place(0, top * part / 4)[1], round(top * part / 4)) for part in range(5)]
    every = max(1, len(labels) // 6)
    shown = [(place(number, 0)[0], label) for number, label in enumerate(labels) if number % every == 0]
    return Chart(lines, ticks, shown)


def _round_up(value):
    """The next number of the form 4, 8, 20, 40, 80, 200 …, so that a quarter of it is a whole number."""
    top = 4
    while top < value:
        top = {"4": top * 2, "8": top * 5 // 2, "2": top * 2}[str(top)[0]]
    return top
