# SPDX-License-Identifier: LGPL-2.1-or-later
"""Results as a table for people and as JSON for programs, and how they compare with the targets.

A result is {peer: {figure: [value of each round]}}."""

import dataclasses
import math

import search

# figure: heading, decimals
FIGURES = {
    "tcp_forward_gbps": ("TCP Gbit/s", 2),
    "tcp_reverse_gbps": ("back", 2),
    "tcp_four_gbps": ("4 streams", 2),
    "cpu_s_per_gb": ("CPU s/GB", 2),
    "udp_64_kpps": ("64 B kpps", 0),
    "udp_1372_kpps": ("1372 B kpps", 0),
    "ping_us": ("ping µs", 0),
    "loaded_ping_p99_us": ("loaded p99 µs", 0),
    "rss_mib": ("RSS MiB", 1),
    "activation_ms": ("up ms", 0),
}


@dataclasses.dataclass(frozen=True)
class Target:
    """`peer`'s figure, as a multiple of `base`'s (None: by itself), is at least or at most."""
    peer: str
    figure: str
    base: str | None
    bound: float
    at_least: bool = False
    strict: bool = False

    def value(self, medians):
        """None if it was not measured."""
        own = medians.get(self.peer, {}).get(self.figure)
        other = medians.get(self.base, {}).get(self.figure) if self.base else 1.0
        return own / other if own is not None and other else None

    def met(self, value):
        if math.isnan(value):
            return False
        if self.strict:
            return value < self.bound
        return value >= self.bound if self.at_least else value <= self.bound

    def text(self):
        sign = "<" if self.strict else ("≥" if self.at_least else "≤")
        return f"{sign} {self.bound:g}" + (f" × {self.base}" if self.base else "")


def targets():
    tcp = [name for name in FIGURES if name.startswith("tcp_")]
    udp = [name for name in FIGURES if name.startswith("udp_")]
    rows = [Target(peer, figure, base, bound, at_least=True)
            for peer, base, bound in (("culvert", "forwarder", 0.50),
                                      ("culvert-evp", "forwarder", 0.38),
                                      ("culvert-tap", "culvert", 0.7),
                                      ("culvert", "wireguard-go", 10), ("culvert", "openvpn", 8))
            for figure in tcp]
    rows += [Target("culvert", "cpu_s_per_gb", None, 1.4),
             Target("culvert", "cpu_s_per_gb", "wireguard-go", 0.1)]
    rows += [Target("culvert", figure, base, 2.5, at_least=True)
             for figure in udp for base in ("wireguard-go", "openvpn")]
    rows += [Target("culvert", "ping_us", "forwarder", 1.3),
             Target("culvert", "loaded_ping_p99_us", "wireguard-go", 1, strict=True),
             Target("culvert", "rss_mib", None, 24),
             Target("culvert", "activation_ms", None, 400),
             Target("culvert", "activation_ms", "openvpn", 1.5)]
    return rows


def medians(results):
    return {peer: {figure: search.median(values) for figure, values in figures.items()}
            for peer, figures in results.items()}


def number(value, decimals):
    return "-" if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def grid(rows):
    """Rows of cells as a Markdown table whose columns line up, the first row being the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row):
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        return "| " + " | ".join(cells) + " |"
    rule = [":" + "-" * (widths[0] - 1)] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return "\n".join([line(rows[0]), line(rule), *map(line, rows[1:])]) + "\n"


def measured(results):
    """The figures that any peer has."""
    return [figure for figure in FIGURES if any(figure in got for got in results.values())]


def figures_table(results, titles):
    figures, middle = measured(results), medians(results)
    rows = [["peer", *(FIGURES[figure][0] for figure in figures)]]
    rows += [[titles[peer], *(number(middle[peer].get(figure), FIGURES[figure][1])
                              for figure in figures)] for peer in results]
    return grid(rows)


def spread_table(results, titles):
    """The least and the greatest of the rounds; "" if there was one only."""
    if not any(len(values) > 1 for got in results.values() for values in got.values()):
        return ""
    figures = measured(results)
    rows = [["min..max", *(FIGURES[figure][0] for figure in figures)]]
    for peer, got in results.items():
        row = [titles[peer]]
        for figure in figures:
            values = got.get(figure)
            row.append("..".join(number(value, FIGURES[figure][1])
                                 for value in (min(values), max(values))) if values else "-")
        rows.append(row)
    return grid(rows)


def verdicts(results):
    """[(target, value, met)] of those targets of which everything was measured."""
    middle = medians(results)
    values = [(target, target.value(middle)) for target in targets()]
    return [(target, value, target.met(value)) for target, value in values if value is not None]


def targets_table(results):
    rows = [["peer", "figure", "target", "measured", ""]]
    rows += [[target.peer, FIGURES[target.figure][0], target.text(), f"{value:.3g}",
              "pass" if met else "MISS"] for target, value, met in verdicts(results)]
    return grid(rows) if len(rows) > 1 else ""


def tables(results, titles):
    """Those that have something in them."""
    return [table for table in (figures_table(results, titles), spread_table(results, titles),
                                targets_table(results)) if table]


def as_json(results, about):
    return {
        "about": about,
        "rounds": results,
        "medians": medians(results),
        "targets": [{"peer": target.peer, "figure": target.figure, "base": target.base,
                     "target": target.text(), "measured": value, "pass": met}
                    for target, value, met in verdicts(results)],
    }
