# SPDX-License-Identifier: LGPL-2.1-or-later
"""culvert as a switch for three stations, one of which has the kernel's VXLAN."""

import itertools
import os
import sys
import time

import pytest

from ends import check_log, running
from lab import Lab, wait_for
from lab.clock import Clock
from stations import BROADCAST, TYPE, Station, send_frames

GROUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "group.py")

RESERVED = "01:80:c2:00:00:{:02x}"
AGEING = 300  # seconds
LEAVING = 10
COPIES = 10000  # a second

# Of stations that are not there.
MACS = [f"02:00:00:00:01:{number:02x}" for number in range(16)]


class Star:
    """`hub`, and the stations `spokes` around it, each of which knows it alone."""

    def __init__(self, lab, environment=None, version=4):
        self.hub = Station(lab.add_host("hub"), "culvert", 1, environment=environment)
        self.hub.start()
        self.spokes = []
        for number, program in enumerate(("culvert", "culvert", "wireguard-go"), 2):
            host = lab.add_host(f"spoke{number}")
            lab.link(host, self.hub.host, f"192.0.{number}.0/24", f"2001:db8:{number}::/64",
                     names=("wan0", f"wan{number}"))
            spoke = Station(host, program, number, environment=environment)
            spoke.start()
            self.hub.add_peer(spoke)
            spoke.add_peer(self.hub, endpoint=f"192.0.{number}.1:51820" if version == 4
                           else f"[2001:db8:{number}::1]:51820")
            self.spokes.append(spoke)
        self.meet()

    @property
    def stations(self):
        return [self.hub, *self.spokes]

    def meet(self):
        """Everyone has a session with the hub, which knows where everyone is."""
        for spoke in self.spokes:
            wait_for(lambda spoke=spoke: spoke.ping(self.hub.v4), f"{spoke.host.name} to be heard",
                     deadline=30)

    def listen(self):
        return [station.listen() for station in self.stations]


def send_and_wait(sender, to, payload, listeners, source=None):
    """Sends it, and then to all something that comes behind it everywhere: (payloads at each)."""
    mark = f"mark-{time.monotonic_ns()}"
    sender.send(to, payload, source=source)
    sender.send(BROADCAST, mark)
    for listener in listeners:
        if listener.host is not sender.host:
            listener.wait(mark)
    return [[got for got in listener.payloads() if got == payload] for listener in listeners]


@pytest.fixture(scope="module")
def star(lab):
    return Star(lab)


@pytest.fixture
def listeners(star):
    made = star.listen()
    yield made
    for listener in made:
        listener.stop()


def test_everyone_reaches_everyone(star):
    for one in star.stations:
        for other in star.stations:
            if one is not other:
                assert one.ping(other.v4, count=10) and one.ping(other.v6, count=10)


def test_stream_from_peer_to_peer(star):
    """Through the switch, over culvert and the kernel's VXLAN."""
    a, b, kernel = star.spokes
    for one, other in ((a, b), (b, a), (a, kernel), (kernel, a)):
        for version in (4, 6):
            assert one.flows("tcp", other, version, count=64) == 64
        assert one.flows("udp", other, size=1300, count=160) == 160


def test_frames_go_to_their_station_alone(star, listeners):
    a, b, _kernel = star.spokes
    assert a.ping(b.v4)
    got = send_and_wait(a, b.mac, "for b", listeners)
    assert got == [[], [], ["for b"], []]
    got = send_and_wait(a, star.hub.mac, "for the hub", listeners)
    assert got == [["for the hub"], [], [], []]


@pytest.mark.parametrize("to", [BROADCAST, "01:00:5e:00:00:07", MACS[15]],
                         ids=["broadcast", "multicast", "unknown"])
def test_flooding(star, listeners, to):
    """Once to everyone but where it came from."""
    for number, sender in enumerate(star.stations):
        payload = f"from {number}"
        got = send_and_wait(sender, to, payload, listeners)
        assert got == [[] if other == number else [payload] for other in range(4)]


def test_nothing_goes_back(star):
    """Not even to be dropped there."""
    kernel = star.spokes[2]
    before = [star.hub.transfer(spoke)[1] for spoke in star.spokes]
    kernel.send(BROADCAST, "x" * 1000, count=50)
    wait_for(lambda: all(star.hub.transfer(spoke)[1] > sent + 50000
                         for spoke, sent in zip(star.spokes[:2], before)),
             "the frames at the others")
    assert star.hub.transfer(kernel)[1] < before[2] + 20000


def test_large_frame_for_several(star):
    """What the kernel hands over as one frame, and is cut for each of those to whom it goes."""
    names = []
    for number, spoke in enumerate(star.spokes):
        names.append(f"group-{number}")
        spoke.host.spawn("/usr/bin/python3", GROUP, "listen", spoke.v4, 10, log=names[-1])
        wait_for(lambda spoke=spoke: "listening" in spoke.host.log(names[-1]), "it to listen")
    star.hub.host.run("/usr/bin/python3", GROUP, "send", star.hub.v4)
    for spoke, name in zip(star.spokes, names):
        wait_for(lambda spoke=spoke, name=name: "arrived" in spoke.host.log(name), "the group",
                 deadline=15)
        assert "40 arrived" in spoke.host.log(name)


def test_links_own_protocols_stay(star, listeners):
    """Spanning tree, LACP, pause and the like are for one link."""
    for sender in star.stations:
        if not sender.is_culvert:
            continue  # the kernel's does send them; the switch has to drop them
        for last in (0, 2, 3, 0xe):
            got = send_and_wait(sender, RESERVED.format(last), "for this link", listeners)
            assert got == [[]] * 4
    kernel = star.spokes[2]
    got = send_and_wait(kernel, RESERVED.format(0), "for this link", listeners)
    assert got == [[]] * 4
    # The next one is no longer reserved.
    got = send_and_wait(kernel, RESERVED.format(16), "for all", listeners)
    assert got == [["for all"]] * 3 + [[]]


def test_no_station_is_taken_over(star, listeners):
    """A peer that claims another's address, or that of a station at the hub, is not believed."""
    a, b, kernel = star.spokes
    for victim in (b, star.hub):
        assert a.ping(victim.v4)
        mac = victim.mac
        got = send_and_wait(kernel, BROADCAST, "I am another", listeners, source=mac)
        assert got == [[]] * 4
        payload = f"still {victim.host.name}"
        wanted = [[payload] if station is victim else [] for station in star.stations]
        assert send_and_wait(a, mac, payload, listeners) == wanted


def test_bridge_is_not_taken_over(star, listeners):
    """No peer speaks in the name of the bridge that the hub's interface is a port of. It is down,
    and so has never said anything."""
    a = star.spokes[0]
    ip = star.hub.ip
    ip("link", "add", "br9", "address", MACS[10], "type", "bridge")
    tries = itertools.count()

    def is_dropped():
        return send_and_wait(a, BROADCAST, f"bridge {next(tries)}", listeners[2:3],
                             source=MACS[10]) == [[]]
    assert not is_dropped()
    ip("link", "set", star.hub.ethernet, "master", "br9")
    wait_for(is_dropped, "the hub to hear of its bridge")
    ip("link", "set", "br9", "address", MACS[11])
    wait_for(lambda: not is_dropped(), "the hub to hear of the bridge's other address")
    ip("link", "delete", "br9")
    wait_for(lambda: a.ping(star.hub.v4), "the hub without a bridge")


def test_groups_do_not_send(star, listeners):
    a = star.spokes[0]
    assert send_and_wait(a, BROADCAST, "we", listeners, source="01:00:5e:00:00:07") == [[]] * 4


def test_storm(star, listeners):
    """Of a peer's broadcasts so many copies are made in a second: each goes to two others."""
    a = star.spokes[0]
    before = star.hub.transfer(star.spokes[1])[1]
    frame = (BROADCAST + MACS[0] + TYPE).replace(":", "") + b"storm".hex().ljust(2000, "0")
    start = time.monotonic()
    send_frames(a.host, a.ethernet, frame, 30000)
    wait_for(lambda: listeners[0].payloads().count("storm") > 1000, "the storm")
    seconds = time.monotonic() - start
    frames = (star.hub.transfer(star.spokes[1])[1] - before) / 1000
    assert 500 < frames < COPIES / 3 * (seconds + 1.2)
    # The hub's own stations get no more of it.
    assert listeners[0].payloads().count("storm") < COPIES / 3 * (seconds + 1.2)
    # Who is known is reached meanwhile.
    assert a.ping(star.spokes[1].v4)


def test_peers_come_and_go(star, listeners):
    """As `wg set` says: an address that is no more a peer's is no end any more."""
    a, b, _kernel = star.spokes
    assert a.ping(b.v4)
    star.hub.wg("peer", b.public, "allowed-ips", "10.99.0.0/24")
    assert send_and_wait(a, b.mac, "to nobody", listeners[:2] + listeners[3:]) == [
        ["to nobody"], [], ["to nobody"]]  # nobody knows where b is
    assert not a.ping(b.v4, deadline=1)
    star.hub.wg("peer", b.public, "allowed-ips", "10.99.0.0/24," + f"{b.end}/32")
    wait_for(lambda: a.ping(b.v4), "b to be back")


def test_other_network(star, lab):
    """Who is in another VXLAN is not heard, and does not hear."""
    host = lab.add_host("other")
    lab.link(host, star.hub.host, "192.0.9.0/24", names=("wan0", "wan9"))
    other = Station(host, "culvert", 9, vxlan=7)
    other.start()
    star.hub.add_peer(other)
    other.add_peer(star.hub, endpoint="192.0.9.1:51820")
    listener = star.hub.listen()
    silent = other.listen()
    for _ in range(2):
        other.send(BROADCAST, "another network")
    wait_for(lambda: star.hub.transfer(other)[0] > 200, "the other network's frames")
    star.hub.send(BROADCAST, "this network")
    wait_for(lambda: other.transfer(star.hub)[0] > 200, "this network's frames")
    star.spokes[0].send(BROADCAST, "the end")
    listener.wait("the end")
    assert "another network" not in listener.stop()
    assert silent.stop() == []
    star.hub.wg("peer", other.public, "remove")


@pytest.mark.parametrize("tag", ["8100000a", "88a80014"], ids=["802.1q", "802.1ad"])
def test_same_address_in_two_vlans(star, tag):
    """Is that of two stations, which can be behind two peers."""
    a, b, _kernel = star.spokes
    listener = star.hub.listen()
    a.send(BROADCAST, "untagged", source=MACS[9])
    listener.wait("untagged")
    b.send(BROADCAST, "tagged", source=MACS[9], kind=tag + TYPE)
    listener.wait("tagged")
    listener.stop()
    behind_a, behind_b = a.listen(), b.listen()
    for kind, payload in ((TYPE, "to a"), (tag + TYPE, "to b")):
        star.hub.send(MACS[9], payload, kind=kind)
    behind_a.wait("to a")
    behind_b.wait("to b")
    assert "to b" not in behind_a.stop() and "to a" not in behind_b.stop()


def test_stations_invented(star, listeners):
    """A peer that invents stations harms itself alone: the others' stay known."""
    a, b, kernel = star.spokes
    assert kernel.ping(b.v4)
    head = star.hub.mac.replace(":", "")
    script = f"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("{a.ethernet}", 0))
for n in range(20000):
    s.send(bytes.fromhex("{head}") + bytes([2, 7]) + n.to_bytes(4, "big")
           + bytes.fromhex("{TYPE}") + bytes(46))
"""
    a.host.run("/usr/bin/python3", "-c", script)
    assert send_and_wait(kernel, b.mac, "still there", listeners) == [[], [], ["still there"], []]


# ---- Ageing

@pytest.fixture
def fresh_lab(request):
    """For a test that needs another star."""
    folder = os.environ.get("CULVERT_LOGS")
    before = len(running)
    with Lab(os.path.join(folder, request.node.name) if folder else None) as made:
        yield made
        while len(running) > before:
            running[-1].stop()
        for host in made.hosts:
            check_log(host)


@pytest.mark.skipif("CULVERT_ALLOCATIONS" not in os.environ,
                    reason="needs allocations.c, in CULVERT_ALLOCATIONS")
def test_nothing_is_allocated(fresh_lab, tmp_path):
    """The threads that move frames ask for memory for handshakes alone, and the first time."""
    counter = tmp_path / "allocations"
    counter.write_bytes(bytes(8))
    star = Star(fresh_lab, {"LD_PRELOAD": os.environ["CULVERT_ALLOCATIONS"],
                            "LAB_ALLOCATIONS": str(counter)})
    a, b, _kernel = star.spokes

    def allocations():
        return int.from_bytes(counter.read_bytes(), sys.byteorder)

    def traffic(pings, pieces):
        for other in (star.hub, b):
            assert a.ping(other.v4, count=pings, deadline=30)
            assert a.flows("tcp", other, count=pieces) == pieces
        a.send(BROADCAST, "to all", source=MACS[7], count=pings)
    traffic(100, 16)
    before = allocations()
    assert before > 0  # it counts
    traffic(1000, 128)
    assert allocations() == before


@pytest.fixture
def clock(tmp_path):
    """Of all stations."""
    return Clock(None, os.environ["CULVERT_CLOCK"], shared=str(tmp_path / "shift"))


@pytest.mark.skipif("CULVERT_CLOCK" not in os.environ, reason="needs clock.c, in CULVERT_CLOCK")
def test_ageing(fresh_lab, clock):
    """A station that is not heard of for five minutes is forgotten: its frames go to all again,
    and it may be somewhere else. The clocks are moved; culvert takes that for a sleep, after which
    there are new sessions."""
    star = Star(fresh_lab, clock.environment)
    a, b, kernel = star.spokes
    listeners = star.listen()
    mac = MACS[3]
    a.send(BROADCAST, "here I am", source=mac)
    for listener in (listeners[0], *listeners[2:]):
        listener.wait("here I am")
    assert send_and_wait(b, mac, "first", listeners) == [[], ["first"], [], []]
    assert send_and_wait(kernel, BROADCAST, "mine", listeners, source=mac) == [[]] * 4

    clock.sleep(AGEING - 100)
    star.meet()
    assert send_and_wait(b, mac, "second", listeners) == [[], ["second"], [], []]
    clock.sleep(100)
    star.meet()
    assert send_and_wait(b, mac, "third", listeners) == [["third"], ["third"], [], ["third"]]
    assert send_and_wait(kernel, BROADCAST, "mine now", listeners, source=mac) == [
        ["mine now"], ["mine now"], ["mine now"], []]
    assert send_and_wait(b, mac, "fourth", listeners) == [[], [], [], ["fourth"]]


@pytest.mark.skipif("CULVERT_CLOCK" not in os.environ, reason="needs clock.c, in CULVERT_CLOCK")
def test_carried_away(fresh_lab, clock):
    """From the hub's side to a peer's: it is heard there after ten seconds of silence here."""
    star = Star(fresh_lab, clock.environment)
    a, b, _kernel = star.spokes
    listeners = star.listen()
    mac = MACS[3]
    star.hub.send(BROADCAST, "here I am", source=mac)
    for listener in listeners[1:]:
        listener.wait("here I am")
    clock.sleep(LEAVING)
    star.meet()
    assert send_and_wait(a, BROADCAST, "now here", listeners, source=mac) == [
        ["now here"], [], ["now here"], ["now here"]]
    assert send_and_wait(b, mac, "to it", listeners) == [[], ["to it"], [], []]


# ---- Its own address

def test_hub_is_not_taken_over(fresh_lab):
    """Also by an address that it has just got, and has said nothing with."""
    star = Star(fresh_lab)
    hub, a = star.hub, star.spokes[0]
    hub.host.run("sysctl", "-qw", f"net.ipv6.conf.{hub.ethernet}.disable_ipv6=1")
    hub.ip("link", "set", hub.ethernet, "arp", "off")
    hub.ip("link", "set", hub.ethernet, "address", MACS[12])
    listener = star.spokes[1].listen()
    tries = itertools.count()
    wait_for(lambda: send_and_wait(a, BROADCAST, f"hub {next(tries)}", [listener],
                                   source=MACS[12]) == [[]], "the hub to hear of its address")


# ---- Narrow paths

def segment(mac):
    """A full-size one of TCP, from nowhere, behind its Ethernet addresses; in hex."""
    ip = bytes([0x45, 0, *(1340).to_bytes(2, "big"), 0, 1, 0, 0, 64, 6, 0, 0,
                10, 9, 0, 1, 10, 9, 0, 99])
    tcp = bytes([0x80, 0, 0, 80, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0])
    head = (MACS[15] + mac + "0800").replace(":", "")
    return head + (ip + tcp).hex().ljust(2 * 1340, "0")


def test_copies_are_no_repetition(fresh_lab):
    """A segment that goes to all, as nobody knows its receiver, is sent once to each: nobody's
    path is taken for narrow, and asked for. Repeated, it is."""
    star = Star(fresh_lab, version=6)
    hub = star.hub

    def handshakes():
        return hub.host.log("culvert-tap0").count(": session with")
    before = handshakes()
    send_frames(hub.host, hub.ethernet, segment(hub.mac))
    for spoke in star.spokes:
        assert hub.ping(spoke.v4, count=10)
    assert handshakes() == before
    send_frames(hub.host, hub.ethernet, segment(hub.mac), 3)
    wait_for(lambda: handshakes() > before, "the path to be asked for")


if "CULVERT_SANITIZED" in os.environ:
    # A sanitizer wants to be loaded first, and its memory is not the program's.
    del test_nothing_is_allocated, test_ageing, test_carried_away
