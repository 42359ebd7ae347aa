# SPDX-License-Identifier: LGPL-2.1-or-later
"""A picture of bars, as SVG: panels beside each other, one row a peer. Its colours suit a light
background, and a dark one where the viewer says that it has one."""

import dataclasses
import math
from xml.sax.saxutils import escape

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.bar { fill: #8c959f; }
.own { fill: #0969da; }
.axis { stroke: #8c959f; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .bar { fill: #7d8590; }
  .own { fill: #4493f8; }
  .axis { stroke: #7d8590; }
}
"""

LABELS = 190    # width of the labels' column; all in px
PANEL = 260     # of a panel
VALUE = 48      # of a value behind its bar
GAP = 24        # between panels
ROW = 26
BAR = 16
TOP = 34        # above the first row
BOTTOM = 12


@dataclasses.dataclass
class Panel:
    """`values`: one a row; None where there is nothing to show."""
    title: str
    values: list
    decimals: int = 1

    def longest(self):
        return max((value for value in self.values if shown(value)), default=0) or 1


def shown(value):
    return value is not None and math.isfinite(value)


def bars(title, labels, panels, own=()):
    """The picture. `title` is for those who cannot see it; the rows of `own` stand out."""
    width = LABELS + len(panels) * (PANEL + GAP)
    height = TOP + len(labels) * ROW + BOTTOM
    out = ['<?xml version="1.0" encoding="UTF-8"?>',
           "<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->",
           f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" role="img">',
           f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>"]
    for row, label in enumerate(labels):
        out.append(text(LABELS - 10, baseline(row), label, 'text-anchor="end"'))
    for number, panel in enumerate(panels):
        out += draw(panel, LABELS + number * (PANEL + GAP), len(labels), own)
    return "\n".join(out + ["</svg>", ""])


def draw(panel, left, rows, own):
    scale = (PANEL - VALUE) / panel.longest()
    yield text(left, TOP - 16, panel.title, 'class="title"')
    for row, value in enumerate(panel.values):
        if not shown(value):
            continue
        length = value * scale
        kind = "bar own" if row in own else "bar"
        yield (f'<rect class="{kind}" x="{left}" y="{TOP + row * ROW + (ROW - BAR) // 2}" '
               f'width="{length:.1f}" height="{BAR}"/>')
        yield text(f"{left + length + 6:.1f}", baseline(row), f"{value:.{panel.decimals}f}")
    yield (f'<line class="axis" x1="{left}" x2="{left}" y1="{TOP}" y2="{TOP + rows * ROW}"/>')


def baseline(row):
    return TOP + row * ROW + ROW // 2 + 5


def text(x, y, content, attributes=""):
    return f'<text x="{x}" y="{y}"{" " if attributes else ""}{attributes}>{escape(content)}</text>'
