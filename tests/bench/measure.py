# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured of a tunnel: each function takes a Peer that works and returns
{figure: value}. Units are in the figures' names."""

import contextlib
import json
import os
import re
import time

from lab import wait_for

import search

GB = 1e9
MIB = 1 << 20
CLOCK = os.sysconf("SC_CLK_TCK")
IPERF_PORT = 5201
FLOOD_PORT = 5300
TRIES = 3
LOAD_DEADLINE = 20   # seconds within which a stream is past its slow start
SIZES = (64, 1372)   # bytes of payload: a small packet, and one that nearly fills the MTU
UDP_HEADERS = 20 + 8  # over IPv4
IPERF_KINDS = {"tcp", "loaded", "memory"}   # what iperf3 makes the traffic for
SINK_KINDS = {"udp"}                        # and udp-flood.c


class Servers:
    """What waits at host b for as long as the lab lasts, whichever tunnel leads there: as much of it
    as `kinds`, of KINDS, want."""

    def __init__(self, cable, tools, kinds):
        self.far = cable[1]
        self.flood = tools.flood
        if IPERF_KINDS.intersection(kinds):
            self._start_iperf()
        if SINK_KINDS.intersection(kinds):
            self._start_sink()

    def _start_iperf(self):
        self.far.spawn("iperf3", "-s", "-p", IPERF_PORT, log="iperf3")
        wait_for(lambda: self.far.output("ss", "-Htln", f"sport = :{IPERF_PORT}"),
                 f"iperf3 to listen; see {self.far.log_path('iperf3')}")

    def _start_sink(self):
        self.far.spawn(self.flood, "sink", "0.0.0.0", FLOOD_PORT, log="sink")
        wait_for(lambda: "ready" in self.far.log("sink"), "the sink to listen")


# ---- Processes

def cpu_seconds(pids):
    """User and system time of the processes so far, all threads. The kernel charges work in
    softirqs to the process that it interrupts, mostly the one that caused it."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])  # proc(5): utime, stime
    return total / CLOCK


def resident_mib(pids):
    """That of the largest process."""
    sizes = []
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            sizes.append(int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) * 1024 / MIB)
    return max(sizes)


# ---- TCP

def iperf(peer, seconds, *argv):
    """One run of iperf3 from a to b: (bit/s without the warm-up, bytes with it). It may fail in a
    tunnel that loses much, when the end's figures do not get through: then another one counts."""
    for _ in range(TRIES):
        result = json.loads(peer.hosts[0].run(
            "iperf3", "-c", peer.addresses[1], "-p", IPERF_PORT, "-J", "-O", 1, "-t", seconds,
            *argv, check=False, timeout=seconds + 60).stdout)
        if "sum_received" in result["end"]:
            moved = sum(interval["sum"]["bytes"] for interval in result["intervals"])
            return result["end"]["sum_received"]["bits_per_second"], moved
        wait_for_iperf(peer)
    raise AssertionError(f"iperf3 through {peer.title}: {result.get('error', 'no result')}")


def wait_for_iperf(peer):
    """It takes one client at a time."""
    wait_for(lambda: not peer.hosts[1].output("ss", "-Htn", f"sport = :{IPERF_PORT}"),
             "iperf3 to be free again", 30)


def tcp(peer, plan, _servers):
    """Throughput in both directions and with four streams, and what it cost."""
    figures = {}
    for name, argv in (("forward", []), ("reverse", ["-R"]), ("four", ["-P", "4"])):
        pids = peer.pids()
        before = cpu_seconds(pids)
        rate, moved = iperf(peer, plan.tcp_seconds, *argv)
        figures[f"tcp_{name}_gbps"] = rate / 1e9
        if name == "forward" and pids:
            figures["cpu_s_per_gb"] = (cpu_seconds(pids) - before) / (moved / GB)
    return figures


# ---- UDP

def udp(peer, plan, servers):
    """Datagrams a second of which less than 1 % is lost."""
    figures = {}
    for size in SIZES:
        if size + UDP_HEADERS > peer.mtu:
            continue    # it would be about fragments

        def trial(rate, size=size):
            words = peer.hosts[0].output(servers.flood, "send", peer.addresses[1], FLOOD_PORT,
                                         size, int(rate), plan.udp_seconds).split()
            seconds, sent, arrived = float(words[0]), int(words[1]), int(words[2])
            return sent / seconds, arrived / seconds
        figures[f"udp_{size}_kpps"] = search.highest_rate(trial, plan.udp_trials) / 1e3
    return figures


# ---- Ping

def ping_us(peer, count, interval):
    """The round-trip times of those that came back, sorted, in µs."""
    text = peer.hosts[0].run("ping", "-n", "-i", interval, "-c", count, "-W", 1,
                             peer.addresses[1], check=False, timeout=60 + count * interval).stdout
    return sorted(float(ms) * 1000 for ms in re.findall(r"time=([\d.]+) ms", text))


def idle(peer, plan):
    """Ping with nothing else in the tunnel."""
    times = ping_us(peer, plan.pings, 0.005)
    assert times, f"no ping through {peer.title} came back"
    return times


def loaded(peer, plan, _servers):
    """Ping while one TCP stream fills the tunnel."""
    with load(peer, plan.loaded_pings * 0.01 + 3):
        wait_for_load(peer)
        times = ping_us(peer, plan.loaded_pings, 0.01)
    return {"loaded_ping_p99_us": search.quantile(times, 0.99)}


@contextlib.contextmanager
def load(peer, seconds):
    host = peer.hosts[0]
    stream = host.spawn("iperf3", "-c", peer.addresses[1], "-p", IPERF_PORT,
                        "-t", int(seconds) + 1, log="load")
    try:
        yield stream
    finally:
        host.stop(stream)
        wait_for_iperf(peer)


def wait_for_load(peer):
    """Until the stream is past its slow start."""
    at_least = 10 * MIB
    wait_for(lambda: sum(map(int, re.findall(
        r"bytes_acked:(\d+)", peer.hosts[0].output("ss", "-Htin", f"dport = :{IPERF_PORT}"))))
        > at_least, "the stream to run", LOAD_DEADLINE)


# ---- Memory

def memory(peer, plan, _servers):
    """When one TCP stream has filled the tunnel for that long, and still does."""
    pids = peer.pids()
    if not pids:
        return {}
    with load(peer, plan.memory_seconds + LOAD_DEADLINE) as stream:
        wait_for_load(peer)
        time.sleep(plan.memory_seconds)
        assert stream.poll() is None, f"the stream through {peer.title} ended too early"
        return {"rss_mib": resident_mib(pids)}


# In the order in which they are made. Memory is measured in the first round only.
KINDS = {"tcp": tcp, "loaded": loaded, "udp": udp, "memory": memory}
