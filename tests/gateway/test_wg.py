# SPDX-License-Identifier: LGPL-2.1-or-later
"""`wg` against culvert: what is set is what is shown, and what may not be set changes nothing."""

import base64
import socket
import time

import pytest

from conftest import Key, public_keys
from lab import KeyPair, generate_psk, wait_for

PEER_A, PEER_B, PEER_C = public_keys(3)
NOTHING = ["(none)", "(none)", "(none)", "0", "0", "0", "off"]


def hexed(key):
    return base64.b64decode(key).hex()


def test_show_of_a_new_one(host, culvert):
    culvert.set("private-key", "/dev/null")
    assert culvert.wg("show").stdout == "interface: gw0\n"
    assert culvert.wg("show", "interfaces").stdout == "gw0\n"
    assert culvert.dump() == (["(none)", "(none)", "0", "off"], {})
    assert culvert.wg("show", "all", "dump").stdout == "gw0\t(none)\t(none)\t0\toff\n"
    assert culvert.wg("showconf", "gw0").stdout == "[Interface]\n\n"


def test_everything_set_is_shown(culvert):
    psk = generate_psk()
    culvert.set("listen-port", "51820", "fwmark", "0xca6c",
                "peer", PEER_A, "preshared-key", Key(psk), "endpoint", "192.0.2.1:51821",
                "persistent-keepalive", "25", "allowed-ips", "10.0.0.0/8,fd00::/8",
                "peer", PEER_B, "endpoint", "[2001:db8::1]:1", "allowed-ips", "10.1.2.3")
    interface, peers = culvert.dump()
    assert interface == [culvert.keys.private, culvert.keys.public, "51820", "0xca6c"]
    assert peers == {
        PEER_A: [psk, "192.0.2.1:51821", "10.0.0.0/8,fd00::/8", "0", "0", "0", "25"],
        PEER_B: ["(none)", "[2001:db8::1]:1", "10.1.2.3/32", "0", "0", "0", "off"],
    }
    shown = culvert.wg("show", "gw0").stdout
    assert f"peer: {PEER_A}\n  preshared key: (hidden)\n  endpoint: 192.0.2.1:51821\n" in shown
    assert "persistent keepalive: every 25 seconds" in shown


def test_showconf_can_be_set(culvert):
    culvert.set("listen-port", "7", "fwmark", "3",
                "peer", PEER_A, "preshared-key", Key(generate_psk()), "endpoint", "[::1]:9",
                "persistent-keepalive", "1", "allowed-ips", "0.0.0.0/0,::/0",
                "peer", PEER_B, "allowed-ips", "10.0.0.0/24")
    before = culvert.dump()
    conf = culvert.wg("showconf", "gw0").stdout
    culvert.set("listen-port", "8", "peer", PEER_A, "remove", "peer", PEER_B, "remove")
    culvert.conf("setconf", conf)
    assert culvert.dump() == before


def test_setconf_replaces_all(culvert):
    culvert.set("listen-port", "7", "fwmark", "3", "peer", PEER_A, "allowed-ips", "10.0.0.0/8")
    culvert.conf("setconf", f"[Interface]\n[Peer]\nPublicKey = {PEER_B}\n")
    interface, peers = culvert.dump()
    assert interface[0] == "(none)" and interface[3] == "off"
    assert peers == {PEER_B: NOTHING}


def test_addconf_adds(culvert):
    culvert.set("listen-port", "7", "peer", PEER_A, "allowed-ips", "10.0.0.0/8")
    culvert.conf("addconf", f"[Peer]\nPublicKey = {PEER_B}\nAllowedIPs = 10.1.0.0/16\n"
                            f"[Peer]\nPublicKey = {PEER_A}\nAllowedIPs = 10.2.0.0/16\n")
    interface, peers = culvert.dump()
    assert interface == [culvert.keys.private, culvert.keys.public, "7", "off"]
    # `wg addconf` replaces the allowed IPs of a peer that the file names.
    assert peers[PEER_A][2] == "10.2.0.0/16" and peers[PEER_B][2] == "10.1.0.0/16"


def test_syncconf_keeps_sessions(pair):
    assert pair.ping()
    other = pair.right.keys.public
    handshake = pair.left.dump()[1][other][3]
    pair.left.set("peer", PEER_A, "allowed-ips", "10.9.0.0/16")
    conf = pair.left.wg("showconf", "gw0").stdout
    conf = conf[:conf.index("[Peer]")] + (
        f"[Peer]\nPublicKey = {other}\nAllowedIPs = 10.8.0.2/32\nPersistentKeepalive = 5\n"
        f"[Peer]\nPublicKey = {PEER_B}\nAllowedIPs = 10.9.0.0/16\n")
    initiations = 148
    received = int(pair.right.dump()[1][pair.left.keys.public][4])
    pair.left.conf("syncconf", conf)
    _interface, peers = pair.left.dump()
    assert set(peers) == {other, PEER_B}
    assert peers[other][3] == handshake and peers[other][6] == "5"
    assert peers[PEER_B][2] == "10.9.0.0/16"
    assert pair.ping()
    assert pair.left.dump()[1][other][3] == handshake
    grown = int(pair.right.dump()[1][pair.left.keys.public][4]) - received
    assert 128 <= grown < 128 + initiations, "no second handshake"


# ---- Allowed IPs

def test_allowed_ips_are_masked(culvert):
    culvert.set("peer", PEER_A, "allowed-ips", "10.1.2.3/8,fd00::1/64,192.168.4.5/30")
    assert culvert.dump()[1][PEER_A][2] == "10.0.0.0/8,192.168.4.4/30,fd00::/64"


def test_allowed_ips_can_be_none(culvert):
    culvert.set("peer", PEER_A, "allowed-ips", "10.0.0.0/8,fd00::/8")
    culvert.set("peer", PEER_A, "allowed-ips", "")
    assert culvert.dump()[1][PEER_A] == NOTHING


def test_a_prefix_moves_to_the_last_who_got_it(culvert):
    culvert.set("peer", PEER_A, "allowed-ips", "10.0.0.0/8,10.1.0.0/16")
    culvert.set("peer", PEER_B, "allowed-ips", "10.0.0.0/8")
    _interface, peers = culvert.dump()
    assert peers[PEER_A][2] == "10.1.0.0/16" and peers[PEER_B][2] == "10.0.0.0/8"


def test_one_prefix_taken_away(culvert):
    """Newer `wg` than this system's send it; see also the raw requests in test_socket.py."""
    culvert.set("peer", PEER_A, "allowed-ips", "10.0.0.0/8,10.1.0.0/16")
    key = hexed(PEER_A)
    assert culvert.request(f"set=1\npublic_key={key}\nallowed_ip=-10.0.0.0/8\n"
                           "allowed_ip=-10.2.0.0/16\n\n") == "errno=0\n\n"
    assert culvert.dump()[1][PEER_A][2] == "10.1.0.0/16"


# ---- Peers

def test_remove_peer(culvert):
    culvert.set("peer", PEER_A, "allowed-ips", "10.0.0.0/8", "peer", PEER_B)
    culvert.set("peer", PEER_A, "remove")
    culvert.set("peer", PEER_C, "remove")  # one that is not there
    assert culvert.dump()[1] == {PEER_B: NOTHING}
    culvert.set("peer", PEER_B, "allowed-ips", "10.0.0.0/8")
    assert culvert.dump()[1][PEER_B][2] == "10.0.0.0/8"


def test_update_only(culvert):
    assert culvert.request(f"set=1\npublic_key={hexed(PEER_A)}\nupdate_only=true\n"
                           "allowed_ip=10.0.0.0/8\n\n") == "errno=0\n\n"
    assert culvert.dump()[1] == {}


def test_own_key_is_no_peer(culvert):
    culvert.set("peer", culvert.keys.public, "allowed-ips", "10.0.0.0/8", "peer", PEER_A)
    assert culvert.dump()[1] == {PEER_A: NOTHING}
    later = KeyPair.generate()
    culvert.set("peer", later.public, "allowed-ips", "10.0.0.0/8")
    culvert.set("private-key", Key(later.private))
    assert culvert.dump()[1] == {PEER_A: NOTHING}


def test_preshared_key_set_and_removed(culvert):
    psk = generate_psk()
    culvert.set("peer", PEER_A, "preshared-key", Key(psk))
    assert culvert.dump()[1][PEER_A][0] == psk
    culvert.set("peer", PEER_A, "persistent-keepalive", "3")
    assert culvert.dump()[1][PEER_A][0] == psk
    culvert.set("peer", PEER_A, "preshared-key", "/dev/null")
    assert culvert.dump()[1][PEER_A][0] == "(none)"


def test_preshared_key_is_used(pair):
    psk = generate_psk()
    pair.left.set("peer", pair.right.keys.public, "preshared-key", Key(psk))
    assert not pair.ping(deadline=1)
    pair.right.set("peer", pair.left.keys.public, "preshared-key", Key(psk))
    assert pair.ping(deadline=10)


def test_private_key_is_clamped_as_the_kernel_does(culvert):
    """netns.sh: a key of ones."""
    culvert.set("private-key", Key("/" * 42 + "8="))
    assert culvert.dump()[0][0] == "+P" + "/" * 39 + "38="


def test_endpoint_with_scope(host, culvert):
    culvert.set("peer", PEER_A, "endpoint", "[fe80::1%lo]:7")
    assert culvert.dump()[1][PEER_A][1] == "[fe80::1%lo]:7"
    culvert.set("peer", PEER_A, "endpoint", "192.0.2.1:8")
    assert culvert.dump()[1][PEER_A][1] == "192.0.2.1:8"


@pytest.mark.parametrize("mark", ["0", "off", "0x1", "4294967295"])
def test_fwmark(culvert, mark):
    culvert.set("fwmark", "7")
    culvert.set("fwmark", mark)
    number = 0 if mark == "off" else int(mark, 0)
    assert culvert.dump()[0][3] == (f"0x{number:x}" if number else "off")


def test_fwmark_is_on_the_packets(pair):
    """While up, too: what is marked takes another route, which leads nowhere."""
    assert pair.ping()
    pair.left.host.run("ip", "rule", "add", "fwmark", "7", "blackhole")
    pair.left.set("fwmark", "7")
    assert not pair.ping(deadline=1)
    pair.left.set("fwmark", "0")
    assert pair.ping()


# ---- The port

def ports(host):
    """The UDP ports that are listened on, each once for IPv4 and once for IPv6."""
    return sorted(int(line.split()[3].rsplit(":", 1)[1])
                  for line in host.output("ss", "-Hlun").splitlines())


def test_port_changes_while_traffic_flows(pair):
    """The other end hears from the new port and follows: no ping is lost but what was under way."""
    assert pair.ping()
    ping = pair.left.host.spawn("ping", "-i", 0.01, "-c", "200", "10.8.0.2", log="ping")
    for port in (1000, 2000, 51820, 3000):
        wait_for(lambda: ping.poll() is not None
                 or pair.left.host.log("ping").count("bytes from") > 10, "some pings")
        pair.left.set("listen-port", port)
        assert ports(pair.left.host) == [port, port]
        wait_for(lambda p=port: pair.right.dump()[1][pair.left.keys.public][1]
                 == f"192.0.2.2:{p}", "the other end to follow")
    ping.wait(20)
    received = int(pair.left.host.log("ping").split(" received")[0].split()[-1])
    assert received >= 190, pair.left.host.log("ping")[-300:]


def test_port_zero_is_any(pair):
    pair.left.set("listen-port", "0")
    first = ports(pair.left.host)
    assert len(first) == 2 and first[0] == first[1] >= 1024
    assert pair.left.dump()[0][2] == str(first[0])
    assert pair.ping()


HOLDER = """
import socket, sys, time
family = int(sys.argv[1])
holder = socket.socket(family, socket.SOCK_DGRAM)
if family == socket.AF_INET6:
    holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
holder.bind((sys.argv[2], 4000))
print("bound", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_port_in_use(pair, family):
    """The whole request is refused, whatever else is in it, and the tunnel goes on."""
    assert pair.ping()
    address = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}[family]
    pair.left.host.spawn("/usr/bin/python3", "-c", HOLDER, int(family), address, log=f"holder-{address}")
    wait_for(lambda: "bound" in pair.left.host.log(f"holder-{address}"), "the port to be taken")
    before = pair.left.dump()
    result = pair.left.set("listen-port", "4000", "fwmark", "9", "private-key",
                           Key(KeyPair.generate().private), "peer", PEER_A, "allowed-ips", "::/0",
                           check=False)
    assert result.returncode == 1 and "Address already in use" in result.stdout
    after = pair.left.dump()
    assert after[0] == before[0] and set(after[1]) == set(before[1])
    assert pair.ping()


# ---- Showing

def test_latest_handshake_and_transfer(pair):
    start = int(time.time())
    assert pair.ping(count=10)
    line = pair.left.dump()[1][pair.right.keys.public]
    assert start <= int(line[3]) <= time.time()
    assert int(line[4]) >= 92 + 10 * 128 and int(line[5]) >= 148 + 10 * 128
    assert "latest handshake: " in pair.left.wg("show").stdout
