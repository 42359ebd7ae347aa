# SPDX-License-Identifier: LGPL-2.1-or-later
"""wg-quick(8) with culvert as its user-space implementation: a gateway and a client from ordinary
.conf files."""

import os

import pytest

from conftest import end_of
from lab import Conf, KeyPair, generate_psk, wait_for

PROGRAM = os.environ.get("CULVERT", "culvert")
NAME = os.path.basename(PROGRAM)
QUICK = {"WG_QUICK_USERSPACE_IMPLEMENTATION": PROGRAM}


def quick(host, *argv, **kwargs):
    return host.run("wg-quick", *argv, env=QUICK, **kwargs)


def state(host):
    """What wg-quick may change on a host."""
    return host.sh("ip -o link | cut -d: -f2; ip -o -4 address; ip route show table all;"
                   "ip -6 route show table all; ip rule; ip -6 rule; nft list ruleset;"
                   "ls -A /run/wireguard 2>/dev/null || true")


def write(host, conf, name="gw0"):
    path = f"/run/lab/{name}.conf"
    host.write(path, str(conf), 0o600)
    return path


@pytest.fixture
def hosts(lab):
    made = lab.add_host("client"), lab.add_host("office")
    lab.link(*made, "192.0.2.0/24", "2001:db8::/64")
    yield made
    for host in made:
        assert not host.pids(NAME)
        lab.hosts.remove(host)
        host.close()


@pytest.fixture
def confs(hosts):
    """A gateway's .conf and a client's, as README.md has them."""
    office, client, psk = KeyPair.generate(), KeyPair.generate(), generate_psk()
    gateway_conf = Conf(PrivateKey=office.private, Address="10.8.0.1/24, fd08::1/64",
                        ListenPort="51820", MTU="1380",
                        PostUp="ip address show dev %i > /run/lab/post-up",
                        PostDown="echo %i > /run/lab/post-down")
    gateway_conf.peer(PublicKey=client.public, PresharedKey=psk,
                      AllowedIPs="10.8.0.2/32, fd08::2/128")
    client_conf = Conf(PrivateKey=client.private, Address="10.8.0.2/24, fd08::2/64")
    client_conf.peer(PublicKey=office.public, PresharedKey=psk, Endpoint="192.0.2.1:51820",
                     AllowedIPs="10.8.0.0/24, fd08::/64", PersistentKeepalive="25")
    return client_conf, gateway_conf


def down(host, name="gw0"):
    pids = host.pids(NAME)
    quick(host, "down", f"/run/lab/{name}.conf")
    for pid in pids:
        end_of(pid)


def test_up_traffic_down(hosts, confs):
    client, office = hosts
    before = [state(host) for host in hosts]
    # The gateway first: a client whose first initiation nobody hears waits 5 s for its next.
    for host, conf in reversed(list(zip(hosts, confs))):
        output = quick(host, "up", write(host, conf)).stdout
        assert f"{PROGRAM} gw0" in output
    for address in ("10.8.0.1", "fd08::1"):
        assert client.succeeds("ping", "-c3", "-i0.01", "-w5", address)
    assert " mtu 1380 " in office.output("ip", "link", "show", "gw0")
    assert "10.8.0.1/24" in office.read("/run/lab/post-up")
    assert "latest handshake" in office.output("wg", "show", "gw0")
    for host in hosts:
        down(host)
    assert office.read("/run/lab/post-down") == "gw0\n"
    assert [state(host) for host in hosts] == before


def test_default_route(hosts, confs):
    """AllowedIPs of everything: wg-quick's own rules by firewall mark."""
    client, office = hosts
    office.run("ip", "address", "add", "203.0.113.1/32", "dev", "lo")
    before = state(client)
    confs[0].sections[1][1]["AllowedIPs"] = "0.0.0.0/0, ::/0"
    quick(office, "up", write(office, confs[1]))
    quick(client, "up", write(client, confs[0]))
    assert "fwmark: 0xca6c" in client.output("wg", "show", "gw0")
    assert " dev gw0 " in client.output("ip", "route", "get", "203.0.113.1")
    assert client.succeeds("ping", "-c3", "-i0.01", "-w5", "203.0.113.1")
    assert client.succeeds("ping", "-c1", "-w5", "fd08::1")
    received = office.output("wg", "show", "gw0", "transfer").split()[1]
    assert int(received) > 148 + 4 * 128, "through the tunnel"
    for host in hosts:
        down(host)
    assert state(client) == before


def test_strip_and_syncconf(hosts, confs):
    """How a running gateway gets a further peer."""
    _client, office = hosts
    quick(office, "up", write(office, confs[1]))
    further = KeyPair.generate().public
    confs[1].peer(PublicKey=further, AllowedIPs="10.8.0.3/32")
    write(office, confs[1])
    office.run("bash", "-c", "wg syncconf gw0 <(wg-quick strip /run/lab/gw0.conf)")
    assert set(office.output("wg", "show", "gw0", "peers").split()) == {
        confs[1].sections[1][1]["PublicKey"], further}
    down(office)


def test_save(hosts, confs):
    _client, office = hosts
    path = write(office, confs[1])
    quick(office, "up", path)
    office.run("wg", "set", "gw0", "listen-port", "5000", "fwmark", "7")
    quick(office, "save", path)
    saved = office.read(path)
    assert "ListenPort = 5000" in saved and "FwMark = 0x7" in saved and "MTU = 1380" in saved
    down(office)


@pytest.mark.parametrize("line", ["PublicKey = short", "AllowedIPs = 10.0.0.0/33", "What = 1"])
def test_a_fault_in_the_file_leaves_nothing(hosts, confs, line):
    _client, office = hosts
    before = state(office)
    path = write(office, str(confs[1]) + line + "\n")
    result = quick(office, "up", path, check=False)
    assert result.returncode != 0
    wait_for(lambda: not office.pids(NAME), "culvert to end")
    assert state(office) == before


def test_up_twice(hosts, confs):
    _client, office = hosts
    path = write(office, confs[1])
    quick(office, "up", path)
    result = quick(office, "up", path, check=False)
    assert result.returncode != 0 and "already exists" in result.stdout
    assert "listening port: 51820" in office.output("wg", "show", "gw0")
    down(office)


def test_two_gateways_on_one_host(hosts, confs):
    _client, office = hosts
    quick(office, "up", write(office, confs[1]))
    second = Conf(PrivateKey=KeyPair.generate().private, Address="10.9.0.1/24", ListenPort="51821")
    quick(office, "up", write(office, second, "gw1"))
    assert len(office.pids(NAME)) == 2
    assert set(office.output("wg", "show", "interfaces").split()) == {"gw0", "gw1"}
    quick(office, "down", "/run/lab/gw1.conf")
    assert office.output("wg", "show", "interfaces") == "gw0"
    down(office)


def test_ethernet(hosts):
    """As culvert(8) has it under ETHERNET: the addresses are those of the Ethernet."""
    keys = [KeyPair.generate() for _ in hosts]
    for number, (host, own, other) in enumerate(zip(hosts, keys, reversed(keys))):
        conf = Conf(PrivateKey=own.private, Address=f"10.9.0.{number + 1}/24", ListenPort="51820",
                    MTU="1370", Table="off")
        conf.peer(PublicKey=other.public, AllowedIPs=f"10.8.0.{2 - number}/32",
                  Endpoint=f"192.0.2.{number + 1}:51820")
        write(host, conf, "tap0")
    before = [state(host) for host in hosts]
    for number, host in enumerate(hosts, 1):
        host.run("wg-quick", "up", "/run/lab/tap0.conf",
                 env=QUICK | {"CULVERT_VTEP": f"10.8.0.{number}"})
        assert "mtu 1370" in host.output("ip", "link", "show", "tap0")
        assert "10.8.0." not in host.output("ip", "route", "show", "table", "all")
    wait_for(lambda: hosts[0].succeeds("ping", "-c1", "-w1", "10.9.0.2"), "the other end")
    for host in hosts:
        down(host, "tap0")
    assert [state(host) for host in hosts] == before
