"""The plot: a lane for each row of the table, a mark for each server, on a logarithmic scale of multiples of the row's
ceiling. SVG by hand; PNG by whatever tool is there."""

from __future__ import annotations

import html
import math
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable

from .report import Row, column_of, short_ratio
from .scenarios import CEILINGS

LABEL_WIDTH = 400
SCALE_WIDTH = 480
# Beyond the scale's end each mark has a place of its own, with its figure.
SCALE_END_MAX = 5.0
PLACE_WIDTH = 44
RIGHT = 30
LANE_HEIGHT = 38
TOP = 60
LEGEND_LINE_HEIGHT = 22
LEGEND_COLUMN_WIDTH = 190
BOTTOM = 48
TICKS = (0.6, 0.8, 1, 1.2, 1.5, 2, 3, 4, 5)
OURS_COLOR = "#d9480f"
# Told apart by shape as well as by colour.
COLORS = ("#1971c2", "#2f9e44", "#9c36b5", "#0c8599", "#846358", "#5c940d", "#495057", "#c2255c")
SHAPES = ("circle", "square", "diamond", "triangle")
# Of each peer: its colour and its shape.
Looks = dict[str, tuple[str, str]]
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #212529; }
  .title { font-size: 16px; font-weight: 600; }
  .quiet { fill: #6c757d; font-size: 12px; }
  .ours { font-weight: 600; fill: #d9480f; }
  .aim { stroke: #2b8a3e; stroke-width: 2.5; }
  .grid { stroke: #dee2e6; }
  .one { stroke: #868e96; stroke-dasharray: 3 3; }
  .band { fill: #f8f9fa; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e9ecef; } .quiet { fill: #adb5bd; } .paper { fill: #16191d; } .grid { stroke: #343a40; }
    .band { fill: #1d2126; } .ours { fill: #ff8a50; }
  }
"""


def mark(shape: str, x: float, y: float, color: str, title: str, size: float = 5.5) -> str:
    told = f"<title>{html.escape(title)}</title>"
    style = f'fill="{color}" fill-opacity="0.85"'
    if shape == "circle":
        return f'<circle cx="{x}" cy="{y}" r="{size}" {style}>{told}</circle>'
    if shape == "square":
        return f'<rect x="{x - size}" y="{y - size}" width="{2 * size}" height="{2 * size}" {style}>{told}</rect>'
    corners = {
        "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)), "triangle": ((0, -1.25), (1.2, 0.9), (-1.2, 0.9)),
    }[shape]
    points = " ".join(f"{x + dx * size:.1f},{y + dy * size:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" {style}>{told}</polygon>'


def lanes(rows: list[Row]) -> str:
    """Only rows that are compared with a ceiling: the others have nothing to be a multiple of."""
    shown = [row for row in rows if row.ratio is not None and row.server not in CEILINGS and row.scenario.reference in CEILINGS]
    groups: dict[str, list[Row]] = {}
    for row in shown:
        groups.setdefault(row.scenario.name, []).append(row)
    peers = list(dict.fromkeys(column_of(row.server) for row in shown if not is_ours(row)))
    looks = {peer: (COLORS[i % len(COLORS)], SHAPES[(i // len(COLORS) + i) % len(SHAPES)]) for i, peer in enumerate(peers)}

    # What lies further left is a latency's luck, and would squeeze all the rest.
    low = max(0.6, min([0.8, *(row.ratio_lowest for row in shown)]) * 0.95)
    high = min(SCALE_END_MAX, max([2.0, *(row.ratio for row in shown), *(row.scenario.aim or 1 for row in shown)])) * 1.05
    place_count = max(sum(row.ratio > high for row in group) for group in groups.values()) if groups else 0
    scale_end = LABEL_WIDTH + SCALE_WIDTH
    width = scale_end + place_count * PLACE_WIDTH + RIGHT
    legend_columns = max(1, (width - 40) // LEGEND_COLUMN_WIDTH)
    legend_lines = (len(peers) + 1 + legend_columns - 1) // legend_columns
    top = TOP + legend_lines * LEGEND_LINE_HEIGHT + 12
    bottom = top + len(groups) * LANE_HEIGHT
    height = bottom + BOTTOM

    def x(ratio: float) -> float:
        share = (math.log(min(max(ratio, low), high)) - math.log(low)) / (math.log(high) - math.log(low))
        return round(LABEL_WIDTH + share * SCALE_WIDTH, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" fill="#ffffff"/>',
        '<text class="title" x="16" y="28">Cost of the server, as a multiple of a C loop that does nothing else</text>',
        '<text class="quiet" x="16" y="48">logarithmic; line through Signalbox: lowest to highest repetition; green: its aim</text>',
    ]
    for index, name in enumerate(["signalbox", *peers]):
        at = (24 + index % legend_columns * LEGEND_COLUMN_WIDTH, TOP + 12 + index // legend_columns * LEGEND_LINE_HEIGHT)
        color, shape = looks.get(name, (OURS_COLOR, "circle"))
        parts.append(mark(shape, *at, color, name, 7 if name == "signalbox" else 5.5))
        parts.append(f'<text x="{at[0] + 14}" y="{at[1] + 4}"{ours_class(name == "signalbox")}>{html.escape(name)}</text>')
    for index in range(0, len(groups), 2):
        parts.append(f'<rect class="band" x="0" y="{top + index * LANE_HEIGHT}" width="{width}" height="{LANE_HEIGHT}"/>')
    for tick in (tick for tick in TICKS if low <= tick <= high):
        parts.append(f'<line class="{"one" if tick == 1 else "grid"}" x1="{x(tick)}" x2="{x(tick)}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="quiet" x="{x(tick)}" y="{bottom + 18}" text-anchor="middle">{tick:g}×</text>')
    if place_count > 0:
        parts.append(f'<text class="quiet" x="{scale_end + 14}" y="{bottom + 18}">beyond the scale</text>')
    for index, group in enumerate(groups.values()):
        parts += lane(group, top + (index + 0.5) * LANE_HEIGHT, x, high, looks)
    return "\n".join([*parts, "</svg>", ""])


def lane(group: list[Row], middle: float, x: Callable[[float], float], high: float, looks: Looks) -> list[str]:
    scenario = group[0].scenario
    # Titles that do not fit are told in two lines, broken at a blank.
    words, first = scenario.title.split(" "), ""
    while words and len(first) + len(words[0]) < 58:
        first += f"{' ' if first else ''}{words.pop(0)}"
    texts = [first, " ".join(words)] if words else [first]
    parts = [f'<text x="16" y="{middle + 4 + (line - (len(texts) - 1) / 2) * 15:.1f}">{html.escape(text)}</text>'
             for line, text in enumerate(texts)]
    if scenario.aim is not None:
        parts.append(f'<line class="aim" x1="{x(scenario.aim)}" x2="{x(scenario.aim)}" y1="{middle - 6}" y2="{middle + 15}"/>')
    place = LABEL_WIDTH + SCALE_WIDTH + PLACE_WIDTH // 2 + 6
    for row in sorted((row for row in group if not is_ours(row)), key=lambda row: row.ratio):
        color, shape = looks[column_of(row.server)]
        at = x(row.ratio)
        if row.ratio > high:
            at, place = place, place + PLACE_WIDTH
            parts.append(f'<text class="quiet" x="{at}" y="{middle - 9}" text-anchor="middle">{short_ratio(row.ratio)}×</text>')
        parts.append(mark(shape, at, middle, color, f"{row.server}: {row.ratio:.2f}"))
    for row in (row for row in group if is_ours(row)):
        parts.append(f'<line x1="{x(row.ratio_lowest)}" x2="{x(row.ratio_highest)}" y1="{middle}" y2="{middle}" '
                     f'stroke="{OURS_COLOR}" stroke-width="2" stroke-opacity="0.5"/>')
        parts.append(mark("circle", x(row.ratio), middle, OURS_COLOR, f"{row.server}: {row.ratio:.2f}", 7))
        parts.append(f'<text class="ours" x="{x(row.ratio)}" y="{middle - 10}" text-anchor="middle">{row.ratio:.2f}</text>')
    return parts


def is_ours(row: Row) -> bool:
    return row.server == row.scenario.servers[-1]


def ours_class(is_it: bool) -> str:
    return ' class="ours"' if is_it else ""


def rasterise(svg: pathlib.Path, png: pathlib.Path) -> bool:
    """Whether some tool made a PNG of it."""
    width, height = svg.read_text().split('viewBox="0 0 ')[1].split('"')[0].split(" ")
    with tempfile.TemporaryDirectory() as profile:
        for command in (
            ["rsvg-convert", "--zoom", "2", "--output", str(png), str(svg)],
            ["inkscape", "--export-dpi", "192", f"--export-filename={png}", str(svg)],
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
             "--force-device-scale-factor=2", f"--window-size={width},{height}", f"--screenshot={png}", svg.as_uri()],
        ):
            if shutil.which(command[0]) is None:
                continue
            try:
                done = subprocess.run(command, capture_output=True, timeout=60).returncode == 0
            except (OSError, subprocess.TimeoutExpired):
                done = False
            if done and png.exists():
                return True
    return False
