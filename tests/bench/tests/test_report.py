# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tables, verdicts, the picture, and what is published, of results that are made up."""

import argparse
import json
import math
import xml.etree.ElementTree

import pytest

import bench
import publish
import report
import svg

RESULTS = {
    "veth": {"tcp_forward_gbps": [40.0, 42.0, 10.0]},
    "forwarder": {"tcp_forward_gbps": [15.0, 16.0, 2.0], "ping_us": [50]},
    "culvert": {"tcp_forward_gbps": [9.0, 7.0, 8.0], "ping_us": [66], "cpu_s_per_gb": [1.4],
                "rss_mib": [24.1]},
}
TITLES = {name: name.upper() for name in RESULTS}
SVG = "{http://www.w3.org/2000/svg}"


def verdict(peer, figure, base, results=None):
    found = [(value, met) for target, value, met in report.verdicts(results or RESULTS)
             if (target.peer, target.figure, target.base) == (peer, figure, base)]
    return found[0] if found else None


def test_the_median_counts():
    assert report.medians(RESULTS)["veth"]["tcp_forward_gbps"] == 40


def test_verdicts():
    assert verdict("culvert", "tcp_forward_gbps", "forwarder") == (8 / 15, True)
    assert verdict("culvert", "ping_us", "forwarder") == (66 / 50, False)
    assert verdict("culvert", "cpu_s_per_gb", None) == (1.4, True)
    assert verdict("culvert", "rss_mib", None) == (24.1, False)


@pytest.mark.parametrize("figure", ["tcp_forward_gbps", "tcp_reverse_gbps", "tcp_four_gbps"])
def test_ethernet_is_compared_with_ip(figure):
    for measured, met in ((7.0, True), (6.9, False)):
        results = {"culvert": {figure: [10.0]}, "culvert-tap": {figure: [measured]}}
        assert verdict("culvert-tap", figure, "culvert", results) == (measured / 10, met)


def test_nothing_is_said_of_what_was_not_measured():
    assert verdict("culvert", "tcp_forward_gbps", "openvpn") is None
    assert verdict("culvert", "tcp_reverse_gbps", "forwarder") is None


def test_below_is_not_the_same():
    target = report.Target("culvert", "loaded_ping_p99_us", "wireguard-go", 1, strict=True)
    assert not target.met(1.0) and target.met(0.99)
    assert not target.met(math.nan)


def test_columns_line_up():
    table = report.figures_table(RESULTS, TITLES)
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip() for cell in lines[-1].split("|")][1:5] == ["CULVERT", "8.00", "1.40", "66"]
    assert "| VETH" in table and " - |" in table


def test_spread():
    assert "7.00..9.00" in report.spread_table(RESULTS, TITLES)


def test_one_round_has_no_spread():
    once = {"culvert": {"ping_us": [100.0]}}
    assert report.spread_table(once, TITLES) == ""
    where = {"date": "2020-01-01", "cpus": 2, "cpu": "Z80", "kernel": "6", "rounds": 1,
             "quick": True, "load_before": 0.0}
    text = publish.section(once, TITLES, where)
    assert "min..max" not in text and ", 1 round, quick," in text
    assert ", 3 rounds, load" in publish.section(RESULTS, TITLES,
                                                 where | {"rounds": 3, "quick": False})


@pytest.mark.parametrize("options, where, reason", [
    ({}, {}, None),
    ({}, {"quick": True}, "--quick"),
    ({}, {"rounds": 2}, "3 rounds at least"),
    ({}, {"load_before": 0.8}, "a load of 0.8"),
    ({"force": True}, {"quick": True, "rounds": 1, "load_before": 9}, None),
    ({"publish": False}, {"rounds": 1}, None),
])
def test_what_is_rough_is_not_published(options, where, reason):
    options = argparse.Namespace(**{"publish": True, "force": False} | options)
    where = {"quick": False, "rounds": 3, "load_before": 0.1} | where
    why = bench.why_not_published(options, where)
    assert why is None if reason is None else reason in why


def test_json():
    read = json.loads(json.dumps(report.as_json(RESULTS, {"cpus": 2})))
    assert read["medians"]["culvert"]["tcp_forward_gbps"] == 8
    assert read["rounds"]["culvert"]["tcp_forward_gbps"] == [9, 7, 8]
    assert {"peer": "culvert", "figure": "rss_mib", "base": None, "target": "≤ 24",
            "measured": 24.1, "pass": False} in read["targets"]


def test_bars_are_as_long_as_their_values():
    tree = xml.etree.ElementTree.fromstring(
        svg.bars("a <title>", ["one & only", "other", "none"],
                 [svg.Panel("Gbit/s", [10.0, 2.5, None])], own=[1]).encode())
    widths = [float(bar.get("width")) for bar in tree.iter(SVG + "rect")]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01) and len(widths) == 2
    assert [bar.get("class") for bar in tree.iter(SVG + "rect")] == ["bar", "bar own"]
    assert tree.find(SVG + "title").text == "a <title>"
    assert {"one & only", "10.0", "2.5"} <= {text.text for text in tree.iter(SVG + "text")}


def test_bars_stay_in_the_picture():
    tree = xml.etree.ElementTree.fromstring(publish.picture(RESULTS, TITLES).encode())
    right = max(float(bar.get("x")) + float(bar.get("width")) for bar in tree.iter(SVG + "rect"))
    assert right + svg.VALUE <= float(tree.get("width"))
    bottom = max(float(text.get("y")) for text in tree.iter(SVG + "text"))
    assert bottom < float(tree.get("height"))
    assert "VETH" not in {text.text for text in tree.iter(SVG + "text")}


def test_published_between_the_marks(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Before\n" + publish.BEGIN + "old\n" + publish.END + "after\n")
    where = {"date": "2020-01-01", "cpus": 2, "cpu": "Z80", "kernel": "6", "rounds": 3,
             "quick": False, "load_before": 0.0}
    for _ in range(2):  # a second time it is the same
        publish.publish(RESULTS, TITLES, where, str(tmp_path))
        text = readme.read_text()
        assert text.startswith("# Before\n" + publish.BEGIN) and text.endswith(
            publish.END + "after\n")
        assert "old" not in text and text.count("CULVERT") == 2 and "Z80" in text
    assert (tmp_path / publish.PICTURE).read_text().startswith("<?xml")


def test_no_marks_no_publication():
    with pytest.raises(ValueError, match="no <!-- measured"):
        publish.into("text", "measured")
