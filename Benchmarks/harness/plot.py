"""The plot: horizontal bars, one group for each row of the table, as multiples of the row's reference. SVG by hand."""

from __future__ import annotations

import html

from .report import Row
from .scenarios import CEILINGS

WIDTH = 860
LABEL_WIDTH = 380
BAR_HEIGHT = 18
GROUP_GAP = 14
TOP = 56
BOTTOM = 34
COLORS = {"signalbox": "#d9480f", "signalbox-2": "#e8791f"}
OTHER_COLOR = "#495057"
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #212529; }
  .title { font-size: 16px; font-weight: 600; }
  .quiet { fill: #6c757d; font-size: 12px; }
  .aim { stroke: #2b8a3e; stroke-width: 2; }
  .one { stroke: #adb5bd; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) { text { fill: #e9ecef; } .quiet { fill: #adb5bd; } .paper { fill: #16191d; } }
"""


def bars(rows: list[Row]) -> str:
    """Only rows that are compared with a ceiling: the others have nothing to be a multiple of."""
    shown = [row for row in rows if row.ratio is not None and row.server not in CEILINGS and row.scenario.reference in CEILINGS]
    groups: dict[str, list[Row]] = {}
    for row in shown:
        groups.setdefault(row.scenario.title, []).append(row)
    scale_end = max([1.5, *(row.ratio_highest for row in shown)]) * 1.05
    per_unit = (WIDTH - LABEL_WIDTH - 90) / scale_end
    height = TOP + sum(len(group) * BAR_HEIGHT + GROUP_GAP for group in groups.values()) + BOTTOM

    def x(ratio: float) -> float:
        return round(LABEL_WIDTH + ratio * per_unit, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text class="title" x="12" y="26">Cost relative to the ceiling (1 = a C loop that does nothing else)</text>',
        f'<line class="one" x1="{x(1)}" x2="{x(1)}" y1="{TOP - 12}" y2="{height - BOTTOM + 4}"/>',
        f'<text class="quiet" x="{x(1)}" y="{height - BOTTOM + 20}" text-anchor="middle">1.0</text>',
        f'<text class="quiet" x="12" y="{height - BOTTOM + 20}">green: the aim · thin: lowest to highest repetition</text>',
    ]
    y = TOP
    for title, group in groups.items():
        for index, row in enumerate(group):
            middle = y + BAR_HEIGHT / 2
            if index == 0:
                parts.append(f'<text x="12" y="{middle + 4}">{html.escape(title)}</text>')
            color = COLORS.get(row.server, OTHER_COLOR)
            parts.append(
                f'<rect x="{x(0)}" y="{y + 2}" width="{round(row.ratio * per_unit, 1)}" height="{BAR_HEIGHT - 4}" fill="{color}">'
                f"<title>{html.escape(row.server)}: {row.ratio:.2f}</title></rect>")
            parts.append(
                f'<line x1="{x(row.ratio_lowest)}" x2="{x(row.ratio_highest)}" y1="{middle}" y2="{middle}" stroke="#868e96"/>')
            if row.scenario.aim is not None:
                parts.append(f'<line class="aim" x1="{x(row.scenario.aim)}" x2="{x(row.scenario.aim)}" y1="{y}" y2="{y + BAR_HEIGHT}"/>')
            name = "" if row.server == "signalbox" else f" {html.escape(row.server)}"
            parts.append(f'<text x="{x(row.ratio_highest) + 6}" y="{middle + 4}">{row.ratio:.2f}{name}</text>')
            y += BAR_HEIGHT
        y += GROUP_GAP
    return "\n".join([*parts, "</svg>", ""])
