# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a figure is measured, of a tunnel that is made up."""

import contextlib

import pytest

import bench
import measure


class Load:
    """A stream that ends after so many seconds of a clock of its own, if nobody ends it before."""

    def __init__(self, monkeypatch, seconds=None):
        self.seconds = seconds
        self.clock = None   # while it runs
        monkeypatch.setattr(measure, "load", self.run)
        monkeypatch.setattr(measure, "wait_for_load", lambda _peer: None)
        monkeypatch.setattr(measure, "resident_mib", lambda _pids: self.clock)
        monkeypatch.setattr(measure.time, "sleep", self.sleep)

    @contextlib.contextmanager
    def run(self, _peer, seconds):
        self.seconds, self.clock = self.seconds or seconds, 0
        yield self
        self.clock = None

    def sleep(self, seconds):
        self.clock += seconds

    def poll(self):
        return None if self.clock < self.seconds else 0


class Tunnel:
    title = "a tunnel"

    @staticmethod
    def pids():
        return [1]


@pytest.mark.parametrize("plan, seconds", [(bench.FULL, 60), (bench.QUICK, 5)])
def test_memory_is_read_under_load(monkeypatch, plan, seconds):
    Load(monkeypatch)
    assert measure.memory(Tunnel, plan, None) == {"rss_mib": seconds}


def test_memory_needs_the_load_to_last(monkeypatch):
    Load(monkeypatch, seconds=59)
    with pytest.raises(AssertionError, match="a tunnel ended too early"):
        measure.memory(Tunnel, bench.FULL, None)


@pytest.mark.parametrize("mtu, figures", [
    (1420, {"udp_64_kpps": 5.0, "udp_1372_kpps": 5.0}),
    (1370, {"udp_64_kpps": 5.0}),
])
def test_datagrams_are_not_fragmented(monkeypatch, mtu, figures):
    monkeypatch.setattr(measure.search, "highest_rate", lambda _trial, _trials: 5000)
    tunnel = type("Narrow", (Tunnel,), {"mtu": mtu})
    assert measure.udp(tunnel, bench.QUICK, None) == figures
