"""Draw site/core/map.json: Latin America and the Caribbean as a weave, each country an outline of threads on a grid.

Needs shapely and the file countries-50m.json of the npm package world-atlas (Natural Earth, public domain):

    python bin/draw_map.py countries-50m.json
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from pathlib import Path
from typing import Any

from shapely import box, prepare
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

THREAD = 0.72  # degrees of latitude to a cell
LAND = 0.36  # a cell with at least this share of land is drawn
WEST, EAST, SOUTH, NORTH = -118, -34, -56, 33
SQUEEZE = math.cos(math.radians(14))  # a degree of longitude is narrower than one of latitude
# ISO 3166-1: numeric, as the source has it, and alpha-2, as the site has it.
CODES = {
    "028": "AG", "032": "AR", "044": "BS", "052": "BB", "084": "BZ", "068": "BO", "076": "BR", "152": "CL", "170": "CO",
    "188": "CR", "192": "CU", "212": "DM", "214": "DO", "218": "EC", "222": "SV", "308": "GD", "320": "GT", "328": "GY",
    "332": "HT", "340": "HN", "388": "JM", "484": "MX", "558": "NI", "591": "PA", "600": "PY", "604": "PE", "630": "PR",
    "659": "KN", "662": "LC", "670": "VC", "740": "SR", "780": "TT", "858": "UY", "862": "VE",
}  # fmt: skip


Cell = tuple[int, int]  # column and row
Point = tuple[float, float]


def rings(topology: Mapping[str, Any]) -> dict[str, BaseGeometry]:
    """The countries' shapes by alpha-2 code, from TopoJSON (delta-encoded, shared arcs)."""
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points: list[Point] = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale[0] + shift[0], y * scale[1] + shift[1]))
        arcs.append(points)

    def ring(numbers: Iterable[int]) -> list[Point]:
        points: list[Point] = []
        for number in numbers:
            arc = arcs[number] if number >= 0 else arcs[~number][::-1]
            points += arc[1:] if points else arc
        return points

    found = {}
    for country in topology["objects"]["countries"]["geometries"]:
        code = CODES.get(country.get("id"))
        parts = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        polygons = [Polygon(ring(part[0]), [ring(hole) for hole in part[1:]]).buffer(0) for part in parts]
        if country["properties"]["name"] == "France":
            # Its department of Guiana, so that the coast has no hole.
            code, polygons = "GF", [p for p in polygons if -56 < p.centroid.x < -50 and 0 < p.centroid.y < 8]
        if code:
            found[code] = unary_union(polygons)
    return found


def cells_of(shapes: Mapping[str, BaseGeometry]) -> dict[Cell, str]:
    """{(column, row): code}: whose thread each cell of the grid is. Small islands get at least one."""
    columns, rows = int((EAST - WEST) * SQUEEZE / THREAD), int((NORTH - SOUTH) / THREAD)
    for shape in shapes.values():
        prepare(shape)
    cells = {}
    for row in range(rows):
        for column in range(columns):
            west, north = WEST + column * THREAD / SQUEEZE, NORTH - row * THREAD
            cell = box(west, north - THREAD, west + THREAD / SQUEEZE, north)
            areas = {code: shape.intersection(cell).area for code, shape in shapes.items() if shape.intersects(cell)}
            if sum(areas.values()) >= LAND * cell.area:
                cells[column, row] = max(areas, key=areas.__getitem__)
    for code, shape in sorted(shapes.items()):
        if code not in cells.values():
            spot = shape.representative_point()
            here = ((spot.x - WEST) * SQUEEZE / THREAD, (NORTH - spot.y) / THREAD)
            places = [(c, r) for c in range(columns) for r in range(rows) if (c, r) not in cells]
            cells[min(places, key=lambda place: math.dist((place[0] + 0.5, place[1] + 0.5), here))] = code
    return cells


def outline(cells: AbstractSet[Cell]) -> str:
    """The border of a set of cells as an SVG path of horizontal and vertical strokes."""
    edges: dict[Cell, list[Cell]] = {}
    for x, y in cells:
        for side, start, end in (
            ((x, y - 1), (x, y), (x + 1, y)),
            ((x + 1, y), (x + 1, y), (x + 1, y + 1)),
            ((x, y + 1), (x + 1, y + 1), (x, y + 1)),
            ((x - 1, y), (x, y + 1), (x, y)),
        ):
            if side not in cells:
                edges.setdefault(start, []).append(end)
    path = ""
    while edges:
        start = at = min(edges)
        points = [start]
        while True:
            ends = edges[at]
            following = ends.pop()
            if not ends:
                del edges[at]
            points.append(following)
            at = following
            if at == start:
                break
        path += strokes(points)
    return path


def strokes(points: Sequence[Cell]) -> str:
    """Points on the grid as a path, with straight runs joined."""
    corners = [points[0]]
    for before, point, after in zip(points, points[1:], points[2:], strict=False):
        if (point[0] - before[0], point[1] - before[1]) != (after[0] - point[0], after[1] - point[1]):
            corners.append(point)
    text = f"M{corners[0][0]} {corners[0][1]}"
    for (x, y), (next_x, next_y) in pairwise(corners):
        text += f"h{next_x - x}" if next_y == y else f"v{next_y - y}"
    return text + "z"


def main(source: str) -> None:
    shapes = rings(json.loads(Path(source).read_text()))
    cells = cells_of(shapes)
    drawn = {}
    for code in sorted(shapes):
        drawn[code] = outline({cell for cell, owner in cells.items() if owner == code})
    width, height = max(x for x, _y in cells) + 1, max(y for _x, y in cells) + 1
    target = Path(__file__).resolve().parents[1] / "site" / "core" / "map.json"
    target.write_text(json.dumps({"width": width, "height": height, "countries": drawn}, indent=0) + "\n")
    print(f"{len(drawn)} countries, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
