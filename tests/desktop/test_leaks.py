# SPDX-License-Identifier: LGPL-2.1-or-later
"""What leaves the desktop beside the tunnel: nothing, with the kill switch, from the first datagram
to the gateway until somebody disconnects; and what reaches the tunnel's addresses: nothing but what
comes out of the tunnel. Programs on the desktop talk all the time, the router records."""

import contextlib
import os
import re
import signal
import time

import pytest

from conftest import INSIDE, UPLINKS
from lab import wait_for
from lab.leaks import chatter as talk
from lab.leaks import outgoing

DEFAULT = "0.0.0.0/0, ::/0"


def recording(network, *cables):
    return outgoing(network.desktop, network.router, *(cables or ["wan0"]))


def chatter(network, *addresses, devices=("wan0",)):
    """With none of `addresses`: to those inside, the router's, and the gateway's."""
    return talk(network.desktop, addresses or (*INSIDE.values(), "192.0.2.1", "2001:db8:1::1",
                                               network.endpoint(network.office)), devices)


def tables(network):
    """Our tables in nftables, with “UUID” for the UUIDs."""
    listing = network.desktop.output("nft", "list", "tables", "inet")
    return sorted(re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", name)
                  for name in re.findall(r"nm-culvert-\S+", listing))


SWITCH, TUNNEL = "nm-culvert-UUID", "nm-culvert-UUID-tunnel"


@pytest.fixture(autouse=True)
def no_table_left(network):
    yield
    for name in re.findall(r"nm-culvert-\S+", network.desktop.output("nft", "list", "tables")):
        network.desktop.run("nft", "delete", "table", "inet", name, check=False)


def add_switch(network, kill_switch="yes", persistent=True, name="office", **kwargs):
    network.add(network.conf(network.office, allowed_ips=DEFAULT, **kwargs), name)
    network.desktop.nmcli("connection", "modify", name, "+vpn.data", f"kill-switch={kill_switch}",
                          "vpn.persistent", "yes" if persistent else "no")


def kill_service(network):
    for pid in network.desktop.pids("nm-culvert-service"):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not network.desktop.active(), "NetworkManager to see that it is gone")


def roam(network, second_uplink, programs):
    """The desktop goes into another network, for a moment with both, and comes back with a moment
    of none."""
    uplink = "uplink-wan0"
    for verb, name in (("up", second_uplink), ("down", uplink)):
        network.desktop.nmcli("--wait", 20, "connection", verb, name)
        programs.go_on()
    assert network.ping(INSIDE[4], deadline=20)
    (endpoint,), = network.office.show("endpoints").values()
    assert endpoint.startswith(UPLINKS["wan1"] + ":")
    for verb, name in (("down", second_uplink), ("up", uplink)):
        network.desktop.nmcli("--wait", 20, "connection", verb, name)
        programs.go_on()
    assert network.ping(INSIDE[4], deadline=20)


def readdress(network, programs):
    """The desktop gets another address for a while."""
    uplink = "uplink-wan0"
    network.desktop.nmcli("connection", "modify", uplink, "ipv4.addresses", "192.0.2.9/24")
    try:
        network.desktop.nmcli("--wait", 20, "connection", "up", uplink)
        programs.go_on()
        assert network.ping(INSIDE[4], deadline=20)
        assert network.office.show("endpoints").popitem()[1][0].startswith("192.0.2.9:")
    finally:
        network.desktop.nmcli("connection", "modify", uplink, "ipv4.addresses", "192.0.2.2/24")
        network.desktop.nmcli("--wait", 20, "connection", "up", uplink)


def miss_the_gateway(network, programs):
    """It is away, and comes back."""
    network.office.stop_wireguard()
    programs.go_on()
    network.office.start()
    assert network.ping(INSIDE[4], deadline=40)


def replace_service(network, programs):
    """It is killed, and the next one takes over."""
    kill_service(network)
    assert "culvert0" not in network.desktop.interfaces()
    assert tables(network) == [SWITCH]
    programs.go_on()
    network.up()
    assert tables(network) == [SWITCH, TUNNEL]
    assert network.ping(INSIDE[4])
    programs.go_on()


def test_nothing_leaves_from_connect_to_disconnect(network, second_uplink):
    add_switch(network)
    with (recording(network, *UPLINKS) as record,
          chatter(network, devices=UPLINKS) as programs):
        programs.go_on()
        assert record.clear(), "nothing would be recorded"

        network.up()
        start = record.first_tunnelled()
        assert network.ping(INSIDE[4]) and network.ping(INSIDE[6])
        programs.go_on()
        assert record.clear(start) == []

        readdress(network, programs)
        assert network.desktop.active() == ["office"]
        assert record.clear(start) == []
        roam(network, second_uplink, programs)
        assert record.clear(start) == []
        miss_the_gateway(network, programs)
        assert record.clear(start) == []
        replace_service(network, programs)
        assert record.clear(start) == []

        network.down()
        wait_for(lambda: tables(network) == [], "the kill switch to go")
        programs.go_on()
        assert record.clear(start), "the desktop is cut off for good"


def test_nothing_leaves_by_itself_without_the_switch(network, second_uplink):
    """Programs that leave routes to the system: a connection that has the default route and is to
    persist has all that they say, also while the network changes, or the gateway is gone. If the
    service is killed NetworkManager takes the routes away: that is what the kill switch is for."""
    network.add(network.conf(network.office, allowed_ips=DEFAULT, DNS="10.8.0.1"))
    network.desktop.nmcli("connection", "modify", "office", "vpn.persistent", "yes")
    branch = (network.endpoint(network.branch), network.endpoint(network.branch, 6))
    with (recording(network, *UPLINKS) as record,
          chatter(network, *INSIDE.values(), *branch, devices=()) as programs):
        programs.go_on()
        assert record.clear(), "nothing would be recorded"
        network.up()

        start = time.time()
        assert network.ping(INSIDE[4]) and network.ping(INSIDE[6])
        programs.go_on()
        roam(network, second_uplink, programs)
        assert record.clear(start) == []

        miss_the_gateway(network, programs)
        assert network.desktop.active() == ["office"]
        assert record.clear(start) == []

        kill_service(network)
        programs.go_on()
        assert record.clear(start), "it would not be told if something leaked"

        network.up()
        start = time.time()
        programs.go_on()
        assert network.ping(INSIDE[4])
        assert record.clear(start) == []
        network.down()
        programs.go_on()
        assert record.clear(start), "the desktop is cut off for good"


def test_no_peer_is_looked_for_in_the_tunnel(network):
    """The tunnel is the default route, and NetworkManager keeps one address out of it; there are
    two gateways, at two."""
    network.add(network.conf_of_both(branch_version=6, allowed_ips=DEFAULT))
    network.up()
    for address in (INSIDE[4], INSIDE[6], "10.9.0.1", "fd09::1"):
        assert network.ping(address)
    # One of the two has no route of its own.
    routes = [network.route(network.endpoint(network.office)),
              network.route(network.endpoint(network.branch, 6))]
    assert len([route for route in routes if " dev culvert0 " in route]) == 1, routes
    # Nor do they get lost when they are at another port.
    for gateway, inside in ((network.office, INSIDE[4]), (network.branch, "10.9.0.1")):
        gateway.run("wg", "set", "wg0", "listen-port", 51999)
        try:
            assert gateway.succeeds("ping", "-c1", "-w10", "10.8.0.2")
            assert network.ping(inside)
        finally:
            gateway.run("wg", "set", "wg0", "listen-port", 51820)


def test_strangers_do_not_reach_the_tunnels_addresses(network):
    """CVE-2019-14899: whoever is on the desktop's network asks for the tunnel's addresses there,
    and learns from an answer that they exist, and what is connected."""
    network.add(network.conf(network.office, DNS="10.8.0.1"))
    network.desktop.nmcli("connection", "modify", "office", "+ipv4.addresses", "10.8.0.77/32")
    network.up()
    assert tables(network) == [TUNNEL]
    inside = {"10.8.0.2": "192.0.2.2", "10.8.0.77": "192.0.2.2", "fd08::2": "2001:db8:1::2"}
    for address, way in inside.items():
        network.router.run("ip", "route", "add", address, "via", way)
    try:
        for address, way in inside.items():
            assert network.router.succeeds("ping", "-c1", "-w5", way)
            assert not network.router.succeeds("ping", "-c1", "-w1", address)
            # From inside the tunnel, and from the desktop itself, they are there.
            assert network.desktop.succeeds("ping", "-c1", "-w5", address)
        for address in ("10.8.0.2", "fd08::2"):
            assert network.office.succeeds("ping", "-c1", "-w5", address)
    finally:
        for address in inside:
            network.router.run("ip", "route", "del", address)
    network.down()
    wait_for(lambda: tables(network) == [], "the table to go")


def test_rogue_route_pulls_nothing_out_of_the_tunnel(network):
    """TunnelVision, CVE-2024-3661: the network's DHCP server hands out a route that is better than
    the tunnel's. What takes it is blocked, not sent; the rest goes on."""
    add_switch(network)
    network.office.run("ip", "address", "add", "203.0.113.77/32", "dev", "lo")
    network.up()
    with recording(network) as record:
        assert network.ping(INSIDE[4]) and network.ping("203.0.113.77")
        network.desktop.run("ip", "route", "add", f"{INSIDE[4]}/32", "via", "192.0.2.1", "dev",
                            "wan0")
        try:
            assert " dev wan0 " in network.route(INSIDE[4])
            refused = network.desktop.run("ping", "-c1", "-w2", INSIDE[4], check=False)
            assert "Packet filtered" in refused.stdout  # told at once
            assert network.ping("203.0.113.77")
            assert record.clear() == []
        finally:
            network.desktop.run("ip", "route", "del", f"{INSIDE[4]}/32")
            network.office.run("ip", "address", "del", "203.0.113.77/32", "dev", "lo")


def test_gateways_address_is_for_the_tunnel_alone(network):
    """TunnelCrack, ServerIP, CVE-2023-36673: there has to be a route past the tunnel to the
    gateway, and other programs' packets would take it."""
    add_switch(network)
    network.up()
    with recording(network) as record:
        outside = network.endpoint(network.office)
        assert " dev wan0 " in network.route(outside)
        assert not network.ping(outside, deadline=2)
        network.desktop.sh(f"echo clear > /dev/udp/{outside}/51820 || true")
        assert network.ping(INSIDE[4])
        assert record.clear() == []


@pytest.fixture
def container(network):
    """A network namespace whose packets the desktop routes, out of its uplink by its own address.
    Yields how a command begins that runs there."""
    desktop = network.desktop
    name = f"container-{time.monotonic_ns()}"
    inside = desktop.spawn("unshare", "--net", "sh", "-c", "echo pid $$; exec sleep 1000", log=name)
    pid = wait_for(lambda: re.search(r"pid (\d+)\n", desktop.log(name)), "the container")[1]
    desktop.run("ip", "link", "add", "guest0", "type", "veth", "peer", "name", "eth0", "netns", pid)
    # Else NetworkManager takes its address away.
    wait_for(lambda: desktop.succeeds("nmcli", "device", "set", "guest0", "managed", "no"),
             "NetworkManager to see it")
    desktop.sh("ip address add 172.31.0.1/24 dev guest0 && ip link set guest0 up"
               " && sysctl -qw net.ipv4.ip_forward=1"
               " && nft add table ip guest && nft add chain ip guest nat"
               " '{ type nat hook postrouting priority srcnat; }'"
               " && nft add rule ip guest nat ip saddr 172.31.0.0/24 masquerade")
    there = ("nsenter", f"--net=/proc/{pid}/ns/net")
    desktop.run(*there, "sh", "-c", "ip address add 172.31.0.2/24 dev eth0 && ip link set eth0 up"
                " && ip route add default via 172.31.0.1")
    yield there
    desktop.sh("ip link del guest0; nft delete table ip guest; sysctl -qw net.ipv4.ip_forward=0")
    desktop.stop(inside)


def test_what_is_routed_for_others_is_kept_in_as_well(network, container):
    """A container's packets are not the desktop's own: it forwards them."""
    def reaches(address):
        return network.desktop.succeeds(*container, "ping", "-c1", "-w2", address)
    add_switch(network)
    with recording(network) as record:
        wait_for(lambda: reaches("198.51.3.2"), "the desktop to forward")
        assert record.clear(), "nothing would be recorded"
        network.up()
        start = record.first_tunnelled()
        assert network.ping(INSIDE[4]) and reaches(INSIDE[4])
        network.desktop.run("ip", "route", "add", "198.51.3.2/32", "via", "192.0.2.1", "dev",
                            "wan0")
        try:
            assert not reaches("198.51.3.2")
        finally:
            network.desktop.run("ip", "route", "del", "198.51.3.2/32")
        kill_service(network)
        assert not reaches(INSIDE[4])
        assert record.clear(start) == []


@pytest.mark.parametrize("kill_switch", ["yes", "allow-local"])
def test_local_network(network, kill_switch):
    """A printer with a private address, and one that the network claims, but that others own."""
    network.router.sh("ip address add 192.168.7.1/24 dev wan0")
    network.desktop.nmcli("connection", "modify", "uplink-wan0", "+ipv4.addresses",
                          "192.168.7.2/24")
    try:
        network.desktop.nmcli("--wait", 20, "connection", "up", "uplink-wan0")
        add_switch(network, kill_switch)
        network.up()
        assert network.ping("192.168.7.1", deadline=2) == (kill_switch == "allow-local")
        assert not network.ping("192.0.2.1", deadline=2)
        assert network.ping(INSIDE[4])
    finally:
        network.down()
        network.desktop.nmcli("connection", "modify", "uplink-wan0", "-ipv4.addresses",
                              "192.168.7.2/24")
        network.desktop.nmcli("--wait", 20, "connection", "up", "uplink-wan0")
        network.router.run("ip", "address", "del", "192.168.7.1/24", "dev", "wan0")


def test_private_network_behind_the_tunnel_is_not_the_local_one(network):
    """The service is killed, the routes are gone: 10.8.0.1 would be whoever has it here."""
    network.add(network.conf(network.office))
    network.desktop.nmcli("connection", "modify", "office", "+vpn.data", "kill-switch=allow-local")
    network.up()
    assert network.ping("10.8.0.1")
    with recording(network) as record:
        kill_service(network)
        assert " dev wan0 " in network.route("10.8.0.1")
        assert not network.ping("10.8.0.1", deadline=2)
        assert not network.ping("fd08::1", deadline=2)
        assert record.clear() == []
        assert not network.ping("10.77.0.1", deadline=1)
        assert len(record.clear()) >= 1  # no allowed IP: as local as any


def test_stale_kill_switch_goes_with_the_next_connection(network):
    add_switch(network)
    network.add(network.conf(network.branch), "branch")
    network.up()
    kill_service(network)
    assert tables(network) == [SWITCH]
    assert not network.ping("192.0.2.1", deadline=1)
    network.up("branch")
    assert tables(network) == [TUNNEL]
    assert network.ping("192.0.2.1") and network.ping("10.9.0.1")
    assert "left by another connection" in network.journal()


def test_kill_switch_of_a_connection_that_runs_is_not_stale(network):
    for gateway, name in ((network.office, "office"), (network.branch, "branch")):
        network.add(network.conf(gateway), name)
        network.desktop.nmcli("connection", "modify", name, "+vpn.data", "kill-switch=yes")
        network.up(name)
    assert tables(network) == [SWITCH, SWITCH, TUNNEL, TUNNEL]
    assert network.ping("10.8.0.1") and network.ping("10.9.0.1")
    network.down("branch")
    wait_for(lambda: tables(network) == [SWITCH, TUNNEL], "one kill switch to go")


def test_attempt_that_fails_leaves_things_as_they_were(network):
    add_switch(network)
    network.desktop.nmcli("connection", "modify", "office", "vpn.timeout", "5")
    network.office.forget_peers()
    network.up(check=False)
    assert network.desktop.active() == [] and tables(network) == []
    assert network.ping("192.0.2.1")


def test_attempt_that_fails_does_not_open_what_was_shut(network):
    add_switch(network)
    network.desktop.nmcli("connection", "modify", "office", "vpn.timeout", "5")
    network.up()
    network.office.forget_peers()
    kill_service(network)
    # Meanwhile the system may resolve the name.
    network.desktop.nmcli("connection", "modify", "office", "+vpn.data",
                          "endpoint=gateway.example:51820")
    network.up(check=False)
    assert "gateway.example" in network.journal()
    assert network.desktop.active() == [] and tables(network) == [SWITCH]
    assert "dport { 53" not in network.desktop.output("nft", "list", "ruleset")
    assert not network.ping("192.0.2.1", deadline=1)
    assert "The kill switch of “office” stays" in network.journal()


def test_uplink_that_goes_does_not_open_it(network):
    """Without vpn.persistent NetworkManager ends the VPN when its uplink goes."""
    add_switch(network, persistent=False)
    network.up()
    network.desktop.nmcli("--wait", 20, "connection", "down", "uplink-wan0")
    wait_for(lambda: not network.desktop.active(), "the VPN to end")
    wait_for(lambda: not network.desktop.pids("nm-culvert-service"), "the service to end", 20)
    with recording(network) as record:
        network.desktop.nmcli("--wait", 20, "connection", "up", "uplink-wan0")
        assert tables(network) == [SWITCH]
        assert not network.ping(INSIDE[4], deadline=1)
        assert not network.ping("192.0.2.1", deadline=1)
        assert record.clear() == []
    network.up()
    network.down()
    wait_for(lambda: tables(network) == [], "the kill switch to go")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_of_networkmanager_does_not_open_it(network, number):
    add_switch(network)
    network.up()
    with recording(network) as record:
        with network.desktop.without_manager(number):
            wait_for(lambda: not network.desktop.pids("nm-culvert-service"), "the service to end")
            assert tables(network) == [SWITCH]
            assert " dev wan0 " in network.route(INSIDE[4])
            assert not network.ping(INSIDE[4], deadline=1)
        assert not network.ping("192.0.2.1", deadline=1)
        assert record.clear() == []
    # The routes to the gateway, which nobody took away, go with the uplink.
    network.desktop.nmcli("--wait", 20, "connection", "up", "uplink-wan0")
    network.up()
    network.down()
    wait_for(lambda: tables(network) == [], "the kill switch to go")


def test_profile_that_is_deleted_opens_it(network):
    add_switch(network)
    network.up()
    network.desktop.nmcli("connection", "delete", "office")
    wait_for(lambda: tables(network) == [], "the kill switch to go")


# ---- Names
#
# With what NetworkManager does by itself, and with dnsmasq. Not with systemd-resolved: it wants a
# systemd that runs, which no host in a namespace has.


@contextlib.contextmanager
def resolving(network, how):
    """Meanwhile NetworkManager's `dns` is another one."""
    network.desktop.run("mkdir", "-p", "/etc/NetworkManager/conf.d")
    network.desktop.write("/etc/NetworkManager/conf.d/dns.conf", f"[main]\ndns={how}\n")
    network.desktop.nmcli("general", "reload", "conf")
    try:
        yield
    finally:
        network.down()
        network.desktop.run("rm", "/etc/NetworkManager/conf.d/dns.conf")
        network.desktop.nmcli("general", "reload", "conf")
        wait_for(lambda: "127.0.0.1" not in network.desktop.read("/etc/resolv.conf"),
                 "resolv.conf to be as before")


def look_up(network, name):
    return network.desktop.run("getent", "ahostsv4", name, check=False).stdout


@pytest.mark.parametrize("how", ["default", "dnsmasq"])
@pytest.mark.parametrize("domain", ["", ", office.example"])
def test_full_tunnel_asks_the_tunnels_servers_alone(network, how, domain):
    """Also for names that those do not know, and when those do not answer: without the kill switch,
    as queries to the uplink's server have a way."""
    network.add(network.conf(network.office, allowed_ips=DEFAULT, DNS="10.8.0.1" + domain))
    with resolving(network, how):
        network.up()
        wait_for(lambda: INSIDE[4] in look_up(network, "intranet.office.example"), "names", 20)
        with recording(network) as record:
            assert INSIDE[4] in look_up(network, "intranet.office.example")
            assert look_up(network, "gateway.example") == ""
            with network.router_drops("udp dport 51820"):
                assert look_up(network, "unheard.example") == ""
            assert record.clear() == []
    asked = network.office.log("dns")
    assert "gateway.example" in asked


def test_full_tunnel_that_shares_names_says_so(network):
    """As import does not make it, but an editor may."""
    network.add(network.conf(network.office, allowed_ips=DEFAULT, DNS="10.8.0.1"))
    network.up()
    assert "dns-priority" not in network.journal()
    network.down()
    network.desktop.nmcli("connection", "modify", "office", "ipv4.dns-priority", "0",
                          "ipv6.dns-priority", "0")
    network.up()
    assert "To have the tunnel's asked alone, set ipv4.dns-priority=-50 in" in network.journal()


def test_split_tunnel_asks_for_its_domains_alone(network):
    network.add(network.conf(network.office, DNS="10.8.0.1, ~office.example"))
    with resolving(network, "dnsmasq"):
        network.up()
        wait_for(lambda: INSIDE[4] in look_up(network, "intranet.office.example"), "names", 20)
        before = len(network.office.log("dns"))
        with recording(network) as record:
            assert INSIDE[4] in look_up(network, "intranet.office.example")
            assert look_up(network, "nothing.office.example") == ""
            assert record.clear() == []
            assert "198.51.2.2" in look_up(network, "gateway.example")
            assert record.clear() != []
        inside = network.office.log("dns")[before:]
        assert "nothing.office.example" in inside and "gateway.example" not in inside


def test_split_tunnel_without_a_resolver_asks_it_first(network):
    """With dns=default there is one list of servers, and no choice by domain: see the manual."""
    network.add(network.conf(network.office, DNS="10.8.0.1, ~office.example"))
    network.up()
    servers = re.findall(r"^nameserver (\S+)", network.desktop.read("/etc/resolv.conf"), re.M)
    assert servers[0] == "10.8.0.1" and "192.0.2.1" in servers
    assert INSIDE[4] in look_up(network, "intranet.office.example")


@pytest.mark.parametrize("how", ["default", "dnsmasq"])
def test_name_of_the_gateway_is_resolved_past_the_kill_switch(network, how):
    """What the system asks its own name server until a gateway answers, and nothing after that."""
    add_switch(network, endpoint="gateway.example:51820")
    with resolving(network, how):
        network.up()
        kill_service(network)
        with recording(network) as record:
            network.up()
            start = record.first_tunnelled()
            asked = record.clear()
            assert asked and all(" gateway.example" in line for _when, line in asked), asked
            with chatter(network, "127.0.0.1", "192.0.2.1", "2001:db8:1::1") as programs:
                programs.go_on()
            assert record.clear(start) == []
            assert network.ping(INSIDE[4])
