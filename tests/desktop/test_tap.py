# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ethernet: a TAP device that NetworkManager brings up, alone or as a port of a bridge, and a LAN
at the other end. The whole path again, as in test_connection.py, with frames."""

import contextlib
import itertools
import json
import os
import re

import pytest

from ethernet import GATEWAYS, LAN, OWN, VNI, VXLAN_OVERHEAD, add_site, inside
from lab import replaced, wait_for
from lab.recording import Recording
from lab.transfer import transfer

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
README = os.path.join(TESTS, "..", "README.md")
FRAMES = os.path.join(TESTS, "ethernet", "frames.py")
MEBIBYTE = 1 << 20
UPLINK_MTU = 1500
WIREGUARD_OVERHEAD = 80  # IPv6, UDP, and WireGuard's own; kept free over IPv4, too

TAP = {"tap_address": f"{OWN[4]}, {OWN[6]}"}


@pytest.fixture(scope="module")
def sites(started, stage_folder):
    return {name: add_site(started, stage_folder, name, 4 + i) for i, name in enumerate(GATEWAYS)}


@contextlib.contextmanager
def used(site):
    """The LAN's host knows nothing of earlier tests' stations, which had these addresses."""
    site.lan.run("ip", "neigh", "flush", "all")
    yield site
    site.gateway.forget()


@pytest.fixture(params=GATEWAYS)
def site(request, network, sites):
    """Each kind of gateway, with the tunnel's addresses of either family."""
    with used(sites[request.param]) as it:
        yield it


@pytest.fixture
def one(network, sites):
    """One of them, for what does not depend on it."""
    with used(sites["culvert"]) as it:
        yield it


def exists(network, device):
    return network.desktop.succeeds("ip", "link", "show", device)


def link(network, device="culvert0"):
    return network.desktop.output("ip", "-d", "link", "show", device)


def mac(network, device="culvert0"):
    return re.search(r"link/ether (\S+)", link(network, device))[1]


def mtu_of(host, device):
    return int(re.search(r" mtu (\d+) ", host.output("ip", "link", "show", device))[1])


def mtu(network, device="culvert0"):
    return mtu_of(network.desktop, device)


def addresses(network, device="culvert0"):
    """All but the link-local one, which each device of Ethernet has."""
    out = network.desktop.output("ip", "-o", "address", "show", "dev", device)
    found = re.findall(r"inet6? (\S+)", out)
    return [address for address in found if not address.startswith("fe80:")]


def routes(network, device):
    return network.desktop.sh(f"ip route show dev {device}; ip -6 route show dev {device}")


captures = itertools.count()


@contextlib.contextmanager
def listening(host, *command):
    """The command runs meanwhile, from when it listens: a function that returns what it prints."""
    name = f"capture-{next(captures)}"
    daemon = host.spawn(*command, log=name)
    wait_for(lambda: "listening" in host.log(name), f"{command[0]} to listen")
    try:
        yield lambda: host.log(name)
    finally:
        host.stop(daemon)


@contextlib.contextmanager
def capture(host, interface, *expression):
    """What passes meanwhile: a function that returns the lines that tcpdump has printed."""
    with listening(host, "tcpdump", "--immediate-mode", "-nnel", "-i", interface,
                   *expression) as text:
        yield lambda: [line for line in text().splitlines() if " > " in line]


def readme_section(title):
    with open(README, encoding="utf-8") as file:
        return file.read().split(f"\n## {title}\n")[1].split("\n## ")[0]


# ---- A device with addresses


def test_addresses(network, site):
    """ARP and neighbour discovery find the LAN's host; large transfers in both directions."""
    network.add(site.conf(network, **TAP))
    network.up()
    assert sorted(addresses(network)) == sorted([str(OWN[4]), str(OWN[6])])
    for version in (4, 6):
        assert network.ping(LAN[version].ip)
        neighbours = network.desktop.output("ip", f"-{version}", "neigh", "show", LAN[version].ip)
        assert site.lan_mac() in neighbours
        transfer(network.desktop, site.lan, str(LAN[version].ip), 5 * MEBIBYTE)
        transfer(site.lan, network.desktop, str(OWN[version].ip), 5 * MEBIBYTE)


def test_only_wireguard_on_the_uplink(network, site):
    network.add(site.conf(network, **TAP))
    # What goes to and from the gateway, and is no WireGuard; and whatever is of the LAN.
    with capture(network.desktop, "wan0", "ip", "and", "not", "udp port 51820") as other, \
            capture(network.desktop, "wan0", "udp port 51820") as wireguard:
        network.up()
        assert network.ping(LAN[4].ip, count=3)
        # A handshake, and three pings.
        wait_for(lambda: len(wireguard()) >= 2 + 2 * 3, "the datagrams to be seen")
        assert [line for line in other() if site.gateway_address in line] == []
        assert [line for line in other() if "192.168.77." in line] == []


def test_broadcast_and_multicast(network, site):
    network.add(site.conf(network, **TAP))
    network.up()
    with capture(site.lan, "eth0", "icmp", "or", "icmp6") as seen:
        network.desktop.run("ping", "-b", "-c1", "-w1", LAN[4].network.broadcast_address,
                            check=False)
        network.desktop.run("ping", "-c1", "-w1", "-I", "culvert0", "ff02::1:2:3", check=False)
        wait_for(lambda: any("192.168.77.255" in line for line in seen()), "the broadcast")
        wait_for(lambda: any("ff02::1:2:3" in line for line in seen()), "the multicast")


@contextlib.contextmanager
def frames(host, interface):
    """What arrives there meanwhile and is not IP's: a function that returns frames.py's lines."""
    with listening(host, "/usr/bin/python3", FRAMES, "listen", interface) as text:
        yield lambda: text().splitlines()[1:]


@pytest.mark.parametrize("kind", ["88b5", "8100000a88b5"], ids=["other-type", "vlan-10"])
def test_other_frames(network, site, kind):
    """A protocol that is not IP, and VLAN 10, whose tag arrives as it is."""
    network.add(site.conf(network, **TAP))
    network.up()
    ends = ((network.desktop, "culvert0", mac(network)), (site.lan, "eth0", site.lan_mac()))
    for (host, device, own), (other, other_device, to) in (ends, reversed(ends)):
        with frames(other, other_device) as arrived:
            frame = (to + own + kind).replace(":", "") + b"hello".hex()
            host.run("/usr/bin/python3", FRAMES, "send", device, frame, 1)
            wait_for(lambda: f"{to} {own} {kind} hello" in arrived(), "the frame")


def test_bridge_learns(network, site):
    """Behind which of its ports the desktop is, by the frames."""
    network.add(site.conf(network, **TAP))
    network.up()
    assert network.ping(LAN[4].ip)
    table = json.loads(site.gateway.output("bridge", "-json", "fdb", "show", "br", "br0"))
    ports = {entry["mac"]: entry["ifname"] for entry in table}
    assert ports[site.lan_mac()] == "lan0"
    assert ports[mac(network)] in (site.gateway.device, "vx2")


def test_the_tunnels_address_is_nobodys(network, one):
    """It is the codec's alone, and routes into the tunnel there are none."""
    network.add(one.conf(network, **TAP))
    network.up()
    assert str(inside(4, 2).ip) not in network.desktop.output("ip", "address")
    assert "10.77.0." not in network.desktop.output("ip", "route")
    assert f"VXLAN {VNI}" in network.journal()


def test_addresses_of_networkmanager(network, one):
    """ipv4.addresses does as well as tap-address, whatever the method."""
    network.add(one.conf(network))
    for method in ("auto", "manual"):
        network.desktop.nmcli("connection", "modify", "office", "ipv4.method", method,
                              "ipv4.addresses", OWN[4])
        network.up()
        assert addresses(network) == [str(OWN[4])]
        assert network.ping(LAN[4].ip)
        network.down()


def test_a_router_of_ones_own_choice(network, one):
    """Nothing but the profile makes the LAN's router the default one; the gateway stays outside."""
    network.add(one.conf(network, tap_address=OWN[4]))
    network.up()
    assert " dev wan0 " in network.route("203.0.113.9")
    network.down()
    network.desktop.nmcli("connection", "modify", "office", "ipv4.method", "manual",
                          "ipv4.addresses", OWN[4], "ipv4.gateway", LAN[4].ip)
    network.up()
    assert f"via {LAN[4].ip} dev culvert0 " in network.route("203.0.113.9")
    assert " dev wan0 " in network.route(one.gateway_address)
    assert network.ping(LAN[4].ip)


def test_name_servers(network, one):
    network.add(one.conf(network, tap_address=OWN[4], DNS=f"{LAN[4].ip}, lan.example"))
    network.up()
    assert network.desktop.get("office", "IP4.DNS") == str(LAN[4].ip)
    assert f"nameserver {LAN[4].ip}" in network.desktop.read("/etc/resolv.conf")


# ---- A device without


def test_no_addresses(network, site):
    """It is up, and that is all: a router on the LAN gives it nothing by itself."""
    before = routes(network, "wan0"), network.desktop.read("/etc/resolv.conf")
    network.add(site.conf(network))
    network.up()
    with capture(network.desktop, "culvert0", "icmp6") as heard:
        site.advertise_router()
        wait_for(lambda: any("router advertisement" in line for line in heard()),
                 "the router to be heard")
        assert network.desktop.active() == ["office"]
        assert ",UP," in link(network)
        assert addresses(network) == []
        assert "default" not in routes(network, "culvert0")
        # The gateway's own route has come, and nothing else.
        after = "\n".join(line for line in routes(network, "wan0").splitlines()
                          if site.gateway_address not in line
                          and "scope link metric 50" not in line)
        assert after == before[0]
        assert network.desktop.read("/etc/resolv.conf") == before[1]


# ---- A port of a bridge


@contextlib.contextmanager
def bridge(network, *settings):
    """A profile of the user's for a bridge, br0."""
    network.desktop.nmcli("connection", "add", "type", "bridge", "con-name", "lan", "ifname", "br0",
                          "bridge.stp", "no", *settings)
    wait_for(lambda: exists(network, "br0"), "the bridge")
    try:
        yield
    finally:
        network.desktop.nmcli("connection", "delete", "lan")


AUTOMATIC = ("ipv4.method", "auto", "ipv6.method", "disabled", "ipv4.never-default", "yes")


def test_lease_over_the_bridge(network, site):
    """DHCP's questions and answers pass, and then the LAN is reached through the bridge."""
    with bridge(network, *AUTOMATIC):
        network.add(site.conf(network, **{"# Culvert: Bridge": "br0"}))
        network.up()
        assert " master br0 " in link(network)
        wait_for(lambda: addresses(network, "br0"), "a lease", 30)
        (lease,) = addresses(network, "br0")
        assert lease.split("/")[0] in site.leases()
        assert addresses(network) == []
        assert network.ping(LAN[4].ip)
        assert site.lan.succeeds("ping", "-c1", "-w5", lease.split("/")[0])
        network.down()
        wait_for(lambda: not exists(network, "culvert0"), "the device to go")
        assert exists(network, "br0")


def test_default_route_over_the_bridge(network, site):
    """If that is wanted, the tunnel's own datagrams still go to the gateway outside."""
    with bridge(network, "ipv4.method", "auto", "ipv4.route-metric", "50",
                "ipv6.method", "disabled"):
        network.add(site.conf(network, **{"# Culvert: Bridge": "br0"}))
        network.up()
        wait_for(lambda: " dev br0 " in network.route("203.0.113.9"), "the route to come", 30)
        assert " dev wan0 " in network.route(site.gateway_address)
        assert network.ping(LAN[4].ip)
        with capture(site.lan, "eth0", "host 203.0.113.9") as seen:
            network.ping("203.0.113.9", deadline=1)
            wait_for(seen, "the LAN's router to be sent a packet")


@contextlib.contextmanager
def lan_of_the_usual_mtu(site):
    """The gateway's device takes a LAN's 1500 bytes meanwhile, as in README.md."""
    before = mtu_of(site.gateway, site.gateway.device)
    site.gateway.run("ip", "link", "set", site.gateway.device, "mtu", UPLINK_MTU)
    try:
        yield
    finally:
        site.gateway.run("ip", "link", "set", site.gateway.device, "mtu", before)


def test_bridge_with_a_port_of_its_own(network, one):
    """Whoever else is on the bridge here, a virtual machine say, is on the LAN, with an MTU of 1500
    if the tunnel's is as README.md has it."""
    (size,) = re.findall(r"`\+vpn\.data mtu=(\d+)`", readme_section("Ethernet"))
    with bridge(network, "ipv4.method", "disabled", "ipv6.method", "disabled"), \
            lan_of_the_usual_mtu(one):
        network.desktop.sh("ip netns add guest\n"
                           "ip link add guest0 master br0 type veth peer name eth0 netns guest\n"
                           "ip link set guest0 up; ip -n guest link set eth0 up\n"
                           f"ip -n guest address add {OWN[4]} dev eth0")
        try:
            network.add(one.conf(network, **{"# Culvert: Bridge": "br0"}))
            network.desktop.nmcli("connection", "modify", "office", "+vpn.data", f"mtu={size}")
            network.up()
            assert network.desktop.succeeds("ip", "netns", "exec", "guest", "ping", "-c1", "-w5",
                                            "-Mdo", "-s1472", LAN[4].ip)
            assert one.lan.succeeds("ping", "-c1", "-w5", "-Mdo", "-s1472", OWN[4].ip)
        finally:
            network.desktop.run("ip", "netns", "del", "guest")


def test_another_bridge_of_that_name(network, one):
    """NetworkManager removes its bridge when that goes down; the device joins the next one."""
    network.add(one.conf(network, **{"# Culvert: Bridge": "br0"}))
    with bridge(network, *AUTOMATIC):
        network.up()
        network.desktop.nmcli("connection", "down", "lan")
        wait_for(lambda: not exists(network, "br0"), "the bridge to go")
        assert network.desktop.active() == ["office"]
        network.desktop.nmcli("--wait", 30, "connection", "up", "lan")
        wait_for(lambda: " master br0 " in link(network), "the device to join it")
        wait_for(lambda: addresses(network, "br0"), "a lease", 30)
        assert network.ping(LAN[4].ip)


@pytest.mark.parametrize("name, reason", [
    ("br7", "there is no such interface; first bring up the connection that makes it"),
    ("wan0", "this interface is not a bridge")])
def test_no_such_bridge(network, one, name, reason):
    network.add(one.conf(network, **{"# Culvert: Bridge": name}))
    assert network.up(check=False).returncode != 0
    assert f"refused: bridge: “{name}”: {reason}" in network.journal()


def test_port_with_addresses_of_its_own(network, one):
    with bridge(network, *AUTOMATIC):
        network.add(one.conf(network, **{"# Culvert: Bridge": "br0"}))
        network.desktop.nmcli("connection", "modify", "office", "ipv4.addresses", OWN[4])
        assert network.up(check=False).returncode != 0
        assert "refused: ipv4.addresses: a port of a bridge has no address" in network.journal()


# ---- As README.md has it


def readme_commands(title="Ethernet", program="nmcli"):
    return re.findall(rf"^    ({program} .*)$", readme_section(title), re.M)


def add_as_for_packets(network, site):
    """A profile that says nothing of Ethernet but, as this network has another, its number."""
    conf = site.conf(network)
    for key in [key for key in conf.sections[0][1] if key.startswith("# Culvert: ")]:
        del conf.sections[0][1][key]
    network.add(conf)
    network.desktop.nmcli("connection", "modify", "office", "+vpn.data", f"vxlan-id={VNI}")


def test_readme(network, one):
    address, *port = readme_commands()
    assert "192.168.1.77/24" in address and len(port) == 3
    add_as_for_packets(network, one)
    network.desktop.sh(address.replace("192.168.1.77/24", str(OWN[4])))
    network.up()
    assert network.ping(LAN[4].ip)


def test_readme_bridge(network, one):
    """With the default route as it was."""
    _address, make_bridge, *port = readme_commands()
    add_as_for_packets(network, one)
    try:
        network.desktop.sh(make_bridge)
        wait_for(lambda: exists(network, "br0"), "the bridge")
        network.desktop.sh("\n".join(port))
        wait_for(lambda: addresses(network, "br0"), "a lease", 30)
        assert network.ping(LAN[4].ip)
        assert " dev wan0 " in network.route("203.0.113.9")
    finally:
        network.desktop.nmcli("connection", "delete", "lan")


def tcpdump(host, command):
    """As README.md calls it, but to show the bytes as text, too."""
    return listening(host, *command.split(), "-A", "-l", "--immediate-mode")


@pytest.mark.parametrize("kind", ["tun", "tap"])
def test_readme_look_at_the_traffic(network, one, kind):
    """In clear on the device, and outside WireGuard and nothing else."""
    commands = [command.removeprefix("sudo ").replace("eth0", "wan0")
                for command in readme_commands("Look at the traffic", "sudo tcpdump")]
    assert len(commands) == 2
    tap = kind == "tap"
    network.add(one.conf(network, **TAP) if tap else network.conf(network.office))
    gateway, target = (one.gateway, LAN[4].ip) if tap else \
        (network.office, network.office.tunnel[0].ip)
    with Recording(gateway, "wan0") as recording:
        network.up()
        with tcpdump(network.desktop, commands[0]) as inside_of_it, \
                tcpdump(network.desktop, commands[1]) as outside:
            count = replaced.ask(network.desktop, [target])
            wait_for(lambda: inside_of_it().count("ICMP echo") >= count, "the packets in clear")
            wait_for(lambda: outside().count("UDP, length") >= count, "WireGuard's datagrams")
            assert replaced.MARKER.decode() in inside_of_it()
            assert replaced.MARKER.decode() not in outside() and "ICMP" not in outside()
        assert not replaced.readable(recording.wait_for_wireguard(count))


# ---- The device


def test_name_and_hardware_address(network, one):
    """The name is the profile's; the MAC address stays, whatever the name."""
    network.add(one.conf(network, **TAP))
    network.up()
    first = mac(network)
    assert int(first[:2], 16) & 3 == 2  # one station, of local administration
    network.down()
    network.desktop.nmcli("connection", "modify", "office", "connection.interface-name", "lan7")
    network.up()
    assert mac(network, "lan7") == first
    assert network.ping(LAN[4].ip)


def test_another_profile_is_another_station(network, one):
    network.add(one.conf(network, **TAP))
    network.desktop.nmcli("connection", "clone", "office", "copy")
    network.up()
    first = mac(network)
    network.down()
    network.up("copy")
    assert mac(network) != first
    network.down("copy")


@pytest.mark.parametrize("user, group, shown", [
    ("daemon", "nogroup", "user daemon group nogroup"), ("1234", "5678", "user 1234 group 5678"),
    (None, "daemon", "group daemon")])
@pytest.mark.parametrize("kind", ["tun", "tap"])
def test_owner(network, one, kind, user, group, shown):
    owner = {"# Culvert: TunUser": user, "# Culvert: TunGroup": group}
    conf = one.conf(network, **TAP, **owner) if kind == "tap" \
        else network.conf(network.office, **owner)
    network.add(conf)
    network.up()
    assert f"tun type {kind} pi off vnet_hdr on" in link(network)
    assert shown in link(network)


@pytest.mark.parametrize("key, reason", [
    ("TunUser", "tun-user: there is no user “no-such-account” on this computer"),
    ("TunGroup", "tun-group: there is no group “no-such-account” on this computer")])
def test_unknown_owner(network, one, key, reason):
    network.add(one.conf(network, **TAP, **{f"# Culvert: {key}": "no-such-account"}))
    assert network.up(check=False).returncode != 0
    assert f"Connection “office” failed: {reason}" in network.journal()
    assert not exists(network, "culvert0")


@contextlib.contextmanager
def narrow_path(network, site, size):
    """Meanwhile the link between router and gateway carries that much, which the router says to
    whoever sends more; see tests/desktop/test_mtu.py."""
    ends = ((network.router, site.name), (site.gateway, "wan0"))
    for host, interface in ends:
        host.run("ip", "link", "set", interface, "mtu", size)
    try:
        yield
    finally:
        for host, interface in ends:
            host.run("ip", "link", "set", interface, "mtu", UPLINK_MTU)
        network.forget_paths()


def test_mtu(network, site):
    """As for packets, less what VXLAN adds; the largest packet passes whole, one more does not."""
    network.add(site.conf(network, **TAP))
    network.up()
    assert mtu(network) == UPLINK_MTU - WIREGUARD_OVERHEAD - VXLAN_OVERHEAD[site.gateway.version]
    size = mtu(network) - 28  # headers of IPv4 and ICMP
    assert network.desktop.succeeds("ping", "-c1", "-w5", "-Mdo", f"-s{size}", LAN[4].ip)
    assert not network.desktop.succeeds("ping", "-c1", "-w1", "-Mdo", f"-s{size + 1}", LAN[4].ip)


def test_mtu_of_the_path(network, site):
    """It follows what a router on the way says."""
    network.add(site.conf(network, **TAP))
    with narrow_path(network, site, 1450):
        network.up()
        expected = 1450 - WIREGUARD_OVERHEAD - VXLAN_OVERHEAD[site.gateway.version]
        wait_for(lambda: mtu(network) == expected, "the MTU to follow")
        assert network.desktop.succeeds("ping", "-c1", "-w5", "-Mdo", f"-s{expected - 28}",
                                        LAN[4].ip)


def test_mtu_of_the_bridge(network, one):
    """A LAN's 1500 bytes fit where the tunnel's datagrams may be cut."""
    network.add(one.conf(network, **TAP, MTU=UPLINK_MTU + VXLAN_OVERHEAD[4]))
    network.up()
    assert mtu(network) == UPLINK_MTU
    with lan_of_the_usual_mtu(one):
        assert network.desktop.succeeds("ping", "-c1", "-w5", "-Mdo", "-s1472", LAN[4].ip)


def test_kill_switch(network, one):
    """The LAN is reached, and nothing beside the tunnel."""
    network.add(one.conf(network, **TAP, **{"# Culvert: KillSwitch": "yes"}))
    network.up()
    assert network.ping(LAN[4].ip) and network.ping(LAN[6].ip)
    assert not network.ping("192.0.2.1", deadline=1)
    network.down()
    wait_for(lambda: network.ping("192.0.2.1", deadline=1), "the kill switch to go")


def test_kill_switch_that_allows_local(network, one):
    """But not to whoever here has the addresses of the network behind the tunnel."""
    network.add(one.conf(network, **TAP, **{"# Culvert: KillSwitch": "allow-local"}))
    network.desktop.nmcli("connection", "modify", "office", "+ipv4.addresses", "172.20.3.4/16")
    network.up()
    uuid = network.desktop.get("office", "connection.uuid")
    rules = network.desktop.output("nft", "list", "table", "inet", f"nm-culvert-{uuid}")
    refused = re.findall(r"daddr (\S+) counter .* reject", rules)
    assert refused == ["192.168.77.0/24", "fd77::/64", "172.20.0.0/16"]
    assert network.ping(LAN[4].ip) and network.ping("192.0.2.1", deadline=1) is False
    network.down()
    wait_for(lambda: network.ping("192.0.2.1", deadline=1), "the kill switch to go")


def test_nobody_nearby_reaches_the_addresses(network, one):
    """As of a device for packets (CVE-2019-14899); tests/desktop/test_leaks.py says more."""
    network.add(one.conf(network, **TAP))
    network.desktop.nmcli("connection", "modify", "office", "+ipv4.addresses", "192.168.77.10/24")
    network.up()
    inside_addresses = (OWN[4].ip, OWN[6].ip, "192.168.77.10")
    ways = ("192.0.2.2", "2001:db8:1::2", "192.0.2.2")
    for address, way in zip(inside_addresses, ways):
        network.router.run("ip", "route", "add", address, "via", way)
    try:
        for address, way in zip(inside_addresses, ways):
            assert network.router.succeeds("ping", "-c1", "-w5", way)
            assert not network.router.succeeds("ping", "-c1", "-w1", address)
            assert one.lan.succeeds("ping", "-c1", "-w5", address)
    finally:
        for address in inside_addresses:
            network.router.run("ip", "route", "del", address)


def test_leaves_nothing(network, one):
    network.add(one.conf(network, **TAP))
    before = network.state()
    for _round in range(3):
        network.up()
        assert network.ping(LAN[4].ip)
        network.down()
        network.wait_for_state(before)
