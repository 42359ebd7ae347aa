# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lines with faults: TCP through the tunnel ends with the right bytes, in both directions; and what
the line did to the datagrams is counted, so that a test on a good line does not pass as one."""

import json
import math
import os
import re
import signal
import time

import pytest

from ends import PAIRS, make_ends, running
from lab import wait_for
from lab.clock import Clock
from lab.streams import Stream

RELAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relay.py")
PIECES = 4  # of 64 KiB


def passes(a, b, count=PIECES, size=65536, patience=120):
    """A stream each way. TCP waits longer after each loss in a row."""
    assert a.flows("tcp", b, count=count, size=size, patience=patience) == count
    assert b.flows("tcp", a, count=count, size=size, patience=patience) == count


# Which of so many datagrams are dropped: evenly, so that no test waits for the luck of a handshake.
# But of 30 % by chance: what TCP and the tunnel send in turn on such a line can come in step with
# any pattern, and then the same is dropped for ever.
LOSSES = {1: ("inc", 100, "0"), 10: ("inc", 10, "0"), 30: ("random", 10, "0, 1, 2")}


def try_for_long(host):
    """TCP waits twice as long each time, up to two minutes, and gives up after a few times: if that
    is left to chance no test ends. Bounds of the network namespace; the first is there since Linux
    6.15 (ip-sysctl.rst)."""
    host.run("sysctl", "-qw", "net.ipv4.tcp_rto_max_ms=1000", check=False)
    host.run("sysctl", "-qw", "net.ipv4.tcp_orphan_retries=60", "net.ipv4.tcp_retries2=60",
             "net.ipv4.tcp_syn_retries=60", "net.ipv4.tcp_synack_retries=60")


def lossy(host, percent):
    """So many of the tunnel's datagrams that arrive at the host are dropped."""
    how, every, which = LOSSES[percent]
    host.sh("nft add table inet loss; nft add chain inet loss in"
            " '{ type filter hook input priority 0; }';"
            " nft add counter inet loss lost; nft add counter inet loss arrived;"
            " nft add rule inet loss in udp dport 51820 counter name arrived;"
            f" nft add rule inet loss in udp dport 51820 numgen {how} mod {every} {{ {which} }}"
            " counter name lost drop")


def counted(host, name):
    return int(re.search(r"packets (\d+)", host.output("nft", "list", "counter", "inet", "loss",
                                                       name))[1])


@pytest.mark.slow
@pytest.mark.parametrize("programs, percent",
                         [(pair, percent) for pair in PAIRS for percent in (1, 10)]
                         + [(PAIRS[0], 30)])
def test_loss(cable, programs, percent):
    """Also of handshakes. At 30 % TCP itself hardly gets on: less is sent, in more time."""
    a, b = both = make_ends(cable, programs)
    by_chance = percent == 30
    for end in both:
        lossy(end.host, percent)
        if by_chance:
            try_for_long(end.host)
    # The first handshake may need several tries, of five seconds each.
    assert a.ping(b.v4, deadline=60)
    passes(a, b, {1: 64, 10: 4, 30: 4}[percent], {1: 65536, 10: 65536, 30: 4096}[percent],
           patience=300 if by_chance else 120)
    lost, every = (sum(counted(end.host, name) for end in both) for name in ("lost", "arrived"))
    print(f"{lost} of {every} datagrams lost, {100 * lost / every:.1f} %")
    assert lost > 0
    # Four standard deviations of what is dropped by chance.
    chance = 4 * math.sqrt(every * 0.3 * 0.7) if by_chance else 0
    assert abs(lost - every * percent / 100) < 10 + chance


@pytest.fixture
def relayed(cable):
    """culvert on both, with relay.py on the way."""
    a, b = make_ends(cable, ("culvert", "culvert"))

    def begin(faults, seed=1):
        relay = a.host.spawn("/usr/bin/python3", RELAY, "127.0.0.1:4000", "192.0.2.1:51820",
                             faults, seed, log="relay")
        wait_for(lambda: "listening" in a.host.log("relay"), "the relay to listen")
        a.add_peer(b, endpoint="127.0.0.1:4000")

        def end():
            a.host.stop(relay)
            return json.loads(a.host.log("relay").splitlines()[-1])
        return a, b, end
    return begin


@pytest.mark.slow
@pytest.mark.parametrize("faults", ["loss=10", "double=20", "late=10", "damage=5", "cut=5",
                                    "loss=2,double=5,late=5,damage=2,cut=2"])
def test_relay(relayed, faults):
    a, b, end = relayed(faults)
    assert a.ping(b.v4, deadline=60)
    passes(a, b)
    counts = end()
    print(counts)
    for direction in counts.values():
        assert all(count > 0 for count in direction.values()), counts


def test_nothing_arrives_twice(relayed):
    """Of each packet that is doubled on the line, one arrives; of one that is damaged, none."""
    a, b, end = relayed("double=100")
    assert a.ping(b.v4)
    ping = a.host.run("ping", "-c", 200, "-i", "0.01", "-W", 2, b.v4).stdout
    assert "DUP" not in ping
    assert re.search(r"200 received", ping)
    assert end()["out"]["double"] >= 200


def test_damage_is_dropped_not_delivered(relayed):
    a, b, end = relayed("damage=30")
    assert a.ping(b.v4, deadline=60)
    ping = a.host.run("ping", "-c", 200, "-i", "0.01", "-W", 2, b.v4, check=False).stdout
    received = int(re.search(r"(\d+) received", ping)[1])
    counts = end()
    damaged = counts["out"]["damage"] + counts["back"]["damage"]
    print(received, "of 200 answered,", damaged, "datagrams damaged")
    assert "wrong data byte" not in ping and "DUP" not in ping
    assert damaged > 20
    assert 200 - damaged <= received < 200


def acknowledged(host):
    """Bytes of the stream."""
    return int((re.search(r"bytes_acked:(\d+)", host.output("ss", "-Htin", "dport = :7001"))
                or [0, 0])[1])


@pytest.mark.slow
def test_gateway_killed_under_load(cable):
    """SIGKILL while a stream flows; it starts anew with the same keys, and knows nobody's address.
    Packets are lost meanwhile; the tunnel is there again when the client has asked anew, and the
    stream goes on and is complete."""
    a, b = make_ends(cable, ("culvert", "culvert"))
    assert a.ping(b.v4)
    pings = a.host.spawn("ping", "-O", "-i", "0.05", b.v4, log="pings")
    stream = Stream(a.host, b.host, b.v4, 7001, 40)
    wait_for(lambda: a.host.log("pings").count("bytes from") > 5, "traffic")
    wait_for(lambda: acknowledged(a.host) > 1 << 20, "the stream to flow")
    for pid in b.host.pids("culvert"):
        os.kill(pid, signal.SIGKILL)
    b.process.wait()
    died = time.monotonic()
    running.remove(b)
    b.start()
    b.add_peer(a)
    before = a.host.log("pings").count("bytes from")
    flowed = acknowledged(a.host)
    # 15 seconds after data without an answer the client asks, and 5 later again.
    wait_for(lambda: a.host.log("pings").count("bytes from") > before, "answers again", 30)
    away = time.monotonic() - died
    # TCP tries again after twice the time each time, so it is away twice as long at most.
    wait_for(lambda: acknowledged(a.host) > flowed + (1 << 20), "the stream to go on", away + 10)
    a.host.stop(pings)
    size = stream.end()
    log = a.host.log("pings")
    sent = max(int(n) for n in re.findall(r"icmp_seq=(\d+)", log))
    lost = sent - log.count("bytes from")
    print(f"away for {away:.1f} s, {lost} of {sent} packets lost, {size} bytes streamed")
    assert 0 < lost <= 20 * (away + 1)
    assert b.transfer(a)[0] > 1 << 20  # of the stream, through the new gateway
    passes(a, b)


@pytest.fixture
def clocks(cable):
    return [Clock(host, os.environ["CULVERT_CLOCK"]) for host in cable]


WHO = {"client": [0], "gateway": [1], "both": [0, 1]}


@pytest.mark.skipif("CULVERT_CLOCK" not in os.environ, reason="needs clock.c, in CULVERT_CLOCK")
@pytest.mark.parametrize("years", [-1, 1])
@pytest.mark.parametrize("who", WHO.values(), ids=WHO.keys())
def test_clock_set(cable, clocks, who, years):
    """The wall clock is set by a year: sessions stay, and new ones are agreed on. The gateway takes
    no initiation with an older time stamp than the last one, so ours never goes back."""
    a, b = make_ends(cable, ("culvert", "culvert"), environment=clocks[0].environment)
    assert a.ping(b.v4, count=5)
    first, sessions = a.handshake(b), a.log().count("session with")
    for number in who:
        clocks[number].set(years * 365 * 86400)
    assert a.ping(b.v4, count=5)
    assert a.log().count("session with") == sessions
    # A new session: the client has forgotten the old one.
    a.down()
    a.up()
    assert a.ping(b.v4, count=5)
    assert a.log().count("session with") > sessions
    assert abs(a.handshake(b) - first - (years * 365 * 86400 if 0 in who else 0)) < 60


@pytest.mark.slow
@pytest.mark.skipif("CULVERT_CLOCK" not in os.environ, reason="needs clock.c, in CULVERT_CLOCK")
@pytest.mark.parametrize("who", WHO.values(), ids=WHO.keys())
def test_asleep_for_an_hour(cable, clocks, who):
    """Keys do not outlive it. If it was the gateway, the client hears nothing for 15 seconds, and
    asks anew."""
    ends = a, b = make_ends(cable, ("culvert", "culvert"), environment=clocks[0].environment)
    assert a.ping(b.v4, count=5)
    before = a.log().count("session with")
    for number in who:
        clocks[number].sleep(3600)
    assert a.ping(b.v4, deadline=30)
    assert a.log().count("session with") > before
    for number, end in enumerate(ends):
        assert ("The machine was asleep: all sessions start anew" in end.log()) == (number in who)
    if who == WHO["client"]:
        # Its timers go on, too: it asks anew within 15 seconds, not in another hour.
        b.down()
        b.up()
        assert a.ping(b.v4, deadline=30)
