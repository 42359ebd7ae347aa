# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts what was measured where people read it: the table into this folder's README.md, and the
picture beside it, which the project's README.md shows."""

import os

import report
import svg

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURE = "tunnels.svg"
BEGIN, END = "<!-- measured -->\n", "<!-- end of what was measured -->\n"
OWN = ("culvert", "culvert-tap", "culvert-evp")


def picture(results, titles):
    """The tunnels' throughput and cost. The cable alone is none, and would dwarf them."""
    middle = report.medians(results)
    names = [name for name in results if name != "veth"]

    def column(figure):
        return [middle[name].get(figure) for name in names]
    return svg.bars(
        "TCP throughput and CPU cost of tunnels: " + "; ".join(
            f"{titles[name]} {report.number(middle[name].get('tcp_forward_gbps'), 2)} Gbit/s, "
            f"{report.number(middle[name].get('cpu_s_per_gb'), 2)} CPU-seconds per GB"
            for name in names),
        [titles[name] for name in names],
        [svg.Panel("TCP, one stream, Gbit/s", column("tcp_forward_gbps"), 2),
         svg.Panel("CPU-seconds per GB, both ends", column("cpu_s_per_gb"), 2)],
        own=[row for row, name in enumerate(names) if name in OWN])


def into(text, measured):
    """`text` with what is between the marks replaced."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no {(BEGIN if not begin else END).strip()}")
    return before + begin + measured + end + after


def section(results, titles, where):
    rounds = "1 round" if where["rounds"] == 1 else f"{where['rounds']} rounds"
    return (f"Measured on {where['date']}: {where['cpus']} × {where['cpu']}, Linux "
            f"{where['kernel']}, {rounds}{', quick' if where['quick'] else ''}, "
            f"load {where['load_before']:.1f} before.\n\n"
            + "\n".join(report.tables(results, titles)) + "\n")


def publish(results, titles, where, folder=HERE):
    path = os.path.join(folder, "README.md")
    with open(path, encoding="utf-8") as file:
        text = into(file.read(), "\n" + section(results, titles, where))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(folder, PICTURE), "w", encoding="utf-8") as file:
        file.write(picture(results, titles))
