# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person meets when something is wrong: the activation fails in time, the log says what
was tried and what to do, and nothing stays behind."""

import contextlib
import os
import re
import signal
import time

import pytest

from lab import KeyPair, generate_psk, wait_for

# The bound for a gateway that does not answer.
FAILS_WITHIN = 20

# One try every five seconds; and one more if the network still changes, as it may on a desktop that
# has just started.
IN_VAIN = re.compile(r"198\.51\.2\.2:51820: tried [45] times, no answer")


def fails_to_come_up(network, name="office", within=FAILS_WITHIN):
    """`nmcli connection up` fails in time; returns what it printed."""
    start = time.monotonic()
    result = network.up(name, check=False)
    assert result.returncode != 0, result.stdout
    assert time.monotonic() - start < within
    assert network.desktop.interfaces() == ["lo", "wan0"]
    return result.stdout


def test_wrong_gateway_key(network):
    stranger = KeyPair.generate()
    network.add(network.conf(network.office, peer_key=stranger.public))
    fails_to_come_up(network)
    journal = network.journal()
    assert IN_VAIN.search(journal)
    assert "the public key in the profile is not the gateway's" in journal


def test_nmcli_tells_where_to_find_the_reason(network):
    """The journalctl command that nmcli recommends shows what the service has to say."""
    network.add_vpn("office", GOOD | {"mtu": "1", "public-key": network.office.keys.public},
                    {"private-key": KeyPair.generate().private})
    said = fails_to_come_up(network, within=5)
    uuid = re.search(r"journalctl -xe NM_CONNECTION=(\S+)", said)[1]
    assert "refused: mtu: “1” is not valid" in network.desktop.journal(connection=uuid)


def test_key_that_the_gateway_does_not_know(network):
    network.add(network.conf(network.office))
    network.office.forget_peers()
    fails_to_come_up(network)
    assert "does not know this computer's public key" in network.journal()


def test_wrong_preshared_key(network):
    conf = network.conf(network.office, psk=generate_psk())
    network.office.forget_peers()
    private = conf.sections[0][1]["PrivateKey"]
    network.office.add_peer(KeyPair.of(private).public, "10.8.0.2/32", generate_psk())
    network.add(conf)
    fails_to_come_up(network)
    assert "the preshared key is not the one the gateway has" in network.journal()


def test_silent_gateway(network):
    """A firewall on the way drops everything: not even an ICMP message comes back."""
    network.add(network.conf(network.office))
    with network.router_drops("udp dport 51820"):
        fails_to_come_up(network)
    assert IN_VAIN.search(network.journal())
    assert "a firewall drops UDP on the way" in network.journal()


def test_timeout_of_the_profile(network):
    """A vpn.timeout below our own deadline: there is a reason all the same."""
    network.add(network.conf(network.office, endpoint="198.51.2.2:9"))
    network.desktop.nmcli("connection", "modify", "office", "vpn.timeout", "5")
    fails_to_come_up(network, within=6)
    assert "no gateway answered within 3 seconds" in network.journal()
    assert "198.51.2.2:9: tried once, no answer" in network.journal()


def test_closed_port(network):
    network.add(network.conf(network.office, endpoint="198.51.2.2:51821"))
    fails_to_come_up(network)
    assert "198.51.2.2:51821: tried " in network.journal()


def test_name_that_does_not_resolve(network):
    network.add(network.conf(network.office, endpoint="vpn.no-such-name.example:51820"))
    fails_to_come_up(network)
    assert "“vpn.no-such-name.example:51820”: the name could not be resolved" in network.journal()


def test_name_of_a_gateway(network):
    network.add(network.conf(network.office, endpoint="gateway.example:51820"))
    network.up()
    assert network.ping("10.8.0.1")


@contextlib.contextmanager
def filtered(host, hook, rule):
    """Meanwhile the rule, of nft(8), is applied to what leaves (output) or reaches (input) the
    host."""
    host.sh("nft add table inet filtered\n"
            f"nft 'add chain inet filtered c {{ type filter hook {hook} priority 0; }}'\n"
            f"nft add rule inet filtered c {rule}")
    try:
        yield
    finally:
        host.run("nft", "delete", "table", "inet", "filtered")


def test_no_route_to_the_gateway(network):
    """Nothing leaves this computer: neither the gateway nor a key is blamed."""
    network.add(network.conf(network.office, endpoint="[2001:db8:2::2]:51820"))
    with filtered(network.desktop, "output",
                  "ip6 daddr 2001:db8:2::2 reject with icmpv6 type no-route"):
        fails_to_come_up(network)
    assert "could not be sent: " in network.journal()
    assert "the public key in the profile" not in network.journal()


def test_silent_dns_server(network):
    """A DNS server that says nothing: the log says that, and a second endpoint is tried."""
    network.add(network.conf(network.office, endpoint="vpn.example.org:51820"))
    with filtered(network.router, "input", "udp dport 53 drop"):
        fails_to_come_up(network)
        assert "“vpn.example.org:51820”: the name could not be resolved" in network.journal()
        assert "No DNS server answered within" in network.journal()
        network.desktop.nmcli("connection", "modify", "office", "+vpn.data",
                              "endpoint=vpn.example.org:51820;198.51.2.2:51820")
        network.up()
    assert network.ping("10.8.0.1")


def test_second_endpoint_is_tried(network):
    network.add(network.conf(network.office))
    network.desktop.nmcli("connection", "modify", "office", "+vpn.data",
                          "endpoint=198.51.2.2:9;gateway.example:51820")
    network.up()
    assert network.ping("10.8.0.1")


GOOD = {"address": "10.8.0.2/24", "endpoint": "198.51.2.2:51820", "allowed-ips": "10.8.0.0/24"}


@pytest.mark.parametrize("key, value, fault", [
    ("address", "10.8.0.2/33", "“10.8.0.2/33”"),
    ("address", "ten.eight", "“ten.eight”"),
    ("address", "10.8.0.2/0", "prefix length 0"),
    ("allowed-ips", "10.8.0.0/24;10.9.0.0/99", "“10.9.0.0/99”"),
    ("dns", "10.8.0.1;10.8.0.999", "“10.8.0.999”"),
    ("endpoint", "gateway.example", "no port"),
    ("endpoint", "gateway.example:0", "port from 1 to 65535"),
    ("endpoint", "[2001:db8::1:51820", "“[2001:db8::1:51820”"),
    ("listen-port", "70000", "65535"),
    ("mtu", "50", "“50”"),
    ("mtu", "many", "“many”"),
    ("persistent-keepalive", "70000", "65535"),
    ("public-key", "bm90IGEga2V5", "not a key"),
    ("peer2-endpoint", "198.51.3.2:51820", "peer2-public-key"),
    ("device-type", "tub", "“tub”"),
    ("kill-switch", "on", "“on”"),
    ("post-up", "/bin/sh", "post-up"),
    ("dns", "10.8.0.1\n10.8.0.2", "control characters"),
])
def test_bad_value_is_refused_by_name(network, key, value, fault):
    data = GOOD | {"public-key": network.office.keys.public} | {key: value}
    network.add_vpn("office", data, {"private-key": KeyPair.generate().private})
    fails_to_come_up(network, within=5)
    refusal, = (line for line in network.journal().splitlines() if "refused" in line)
    assert fault in refusal and (key in refusal or key.startswith("peer2"))
    # Nothing was created, not even for a moment.
    assert "Interface" not in network.journal() and "Trying" not in network.journal()


def test_bad_private_key_is_refused_without_being_shown(network):
    secret = "c2VjcmV0IGFuZCB0b28gc2hvcnQ="
    network.add_vpn("office", GOOD | {"public-key": network.office.keys.public},
                    {"private-key": secret})
    fails_to_come_up(network, within=5)
    assert "private-key" in network.journal()
    assert secret not in network.desktop.journal()


@pytest.mark.parametrize("flags", ["0", "1"])
def test_private_key_missing_and_nobody_to_ask(network, flags):
    network.add_vpn("office", GOOD | {"public-key": network.office.keys.public,
                                      "private-key-flags": flags})
    said = fails_to_come_up(network, within=10)
    assert "secrets" in said


def test_missing_private_key_can_be_stored(network):
    """As README.md and the log say."""
    private = network.conf(network.office).sections[0][1]["PrivateKey"]
    network.add_vpn("office", GOOD | {"public-key": network.office.keys.public})
    fails_to_come_up(network, within=10)
    wait_for(lambda: "nobody gave the secret “private-key”" in network.journal(), "the outcome")
    network.desktop.nmcli("connection", "edit", "office",
                          stdin=f"set vpn.secrets private-key={private}\nsave\nquit\n")
    network.up()
    assert network.ping("10.8.0.1")


def test_interface_name_that_is_taken(network):
    network.add(network.conf(network.office))
    network.desktop.nmcli("connection", "modify", "office", "connection.interface-name", "wan0")
    fails_to_come_up(network, within=5)
    assert "“wan0”: there is such an interface already" in network.journal()


def test_service_killed(network):
    """SIGKILL leaves no time to tidy up: the kernel and NetworkManager do it."""
    network.add(network.conf(network.office, allowed_ips="0.0.0.0/0, ::/0",
                             DNS="10.8.0.1, office.example"))
    before = network.state()
    network.up()
    assert network.ping("10.8.0.1")
    assert network.state() != before
    for pid in network.desktop.pids("nm-culvert-service"):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not network.desktop.active(), "NetworkManager to notice", 5)
    network.wait_for_state(before)


def test_connection_after_a_killed_service(network):
    network.add(network.conf(network.office))
    network.up()
    os.kill(network.desktop.pids("nm-culvert-service")[0], signal.SIGKILL)
    wait_for(lambda: not network.desktop.active(), "NetworkManager to notice", 5)
    network.up()
    assert network.ping("10.8.0.1")


def test_one_of_two_services_killed(network):
    network.add(network.conf(network.office), "office")
    network.up("office")
    killed, = network.desktop.pids("nm-culvert-service")
    network.add(network.conf(network.branch), "branch")
    network.up("branch")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: network.desktop.active() == ["branch"], "NetworkManager to notice", 5)
    assert network.ping("10.9.0.1")


def test_no_secret_leaves_the_service(network):
    """Neither its command line nor its environment nor the log holds a key; the log names peers
    by the beginning of their public keys."""
    psk = generate_psk()
    conf = network.conf(network.office, psk=psk)
    network.add(conf)
    network.up()
    pid, = network.desktop.pids("nm-culvert-service")
    for place in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{place}", "rb") as file:
            content = file.read().decode(errors="replace")
        assert not [secret for secret in network.secrets if secret in content]
    network.down()
    journal = network.desktop.journal()
    assert len(network.secrets) == 2
    assert not [secret for secret in network.secrets if secret in journal]
    assert network.office.keys.public[:8] in network.journal()


def test_only_root_may_talk_to_the_service(network):
    """Who could call it would hand it keys, or end somebody's connection."""
    network.add(network.conf(network.office))
    network.up()
    names = network.desktop.output(
        "gdbus", "call", "--system", "--dest", "org.freedesktop.DBus",
        "--object-path", "/org/freedesktop/DBus", "--method", "org.freedesktop.DBus.ListNames")
    name, = re.findall(r"'(org\.freedesktop\.NetworkManager\.culvert[^']*)'", names)
    disconnect = ["gdbus", "call", "--system", "--dest", name,
                  "--object-path", "/org/freedesktop/NetworkManager/VPN/Plugin",
                  "--method", "org.freedesktop.NetworkManager.VPN.Plugin.Disconnect"]
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    refused = network.desktop.run(*nobody, *disconnect, check=False)
    assert refused.returncode != 0 and "AccessDenied" in refused.stdout
    assert network.ping("10.8.0.1")
    network.desktop.run(*disconnect)
    wait_for(lambda: not network.desktop.active(), "the connection to end", 5)
