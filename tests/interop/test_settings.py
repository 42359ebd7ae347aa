# SPDX-License-Identifier: LGPL-2.1-or-later
"""`wg` at its edges; keepalives; a device that goes down; what no key may do."""

import pytest

from capture import Capture
from ends import PAIRS, End, command, make_ends
from lab import KeyPair, generate_psk, wait_for
from lab.confined import in_memory, spellings

# Curve25519's points of low order (https://cr.yp.to/ecdh.html), as netns.sh lists them.
LOW_ORDER = """
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=
X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=
7P///////////////////////////////////////38=
7f///////////////////////////////////////38=
7v///////////////////////////////////////38=
""".split()


@pytest.fixture
def alone(lab):
    """One end, configured with nothing, on a host of its own."""
    end = End(lab.add_host("alone"), "culvert", 1)
    end.create()
    return end


def secret(end, name, value):
    path = f"/run/lab/{name}"
    end.host.write(path, value + "\n", mode=0o600)
    return path


def setconf(end, lines):
    end.host.write("/run/lab/setconf", "\n".join(lines) + "\n")
    end.host.run("wg", "setconf", end.device, "/run/lab/setconf")


# ---- Many

@pytest.mark.row(20)
def test_tens_of_thousands_of_allowed_ips(alone):
    """130560 of them, in one request and in one answer."""
    lines = ["[Interface]", f"PrivateKey={alone.keys.private}",
             "[Peer]", f"PublicKey={KeyPair.generate().public}"]
    lines += [f"AllowedIPs={a}.{b}.0.0/16,{a:x}::{b:x}/128"
              for a in range(1, 256) for b in range(256)]
    setconf(alone, lines)
    (allowed,) = alone.show("allowed-ips").values()
    assert len(allowed.split()) == len(set(allowed.split())) == 255 * 256 * 2


@pytest.mark.row(20)
def test_many_peers_with_many_allowed_ips(alone):
    lines = ["[Interface]", f"PrivateKey={alone.keys.private}"]
    for a in range(1, 41):
        lines += ["[Peer]", f"PublicKey={KeyPair.generate().public}"]
        lines += [f"AllowedIPs={a}.{b}.0.0/16" for b in range(1, 53)]
    setconf(alone, lines)
    shown = alone.show("allowed-ips")
    assert [len(allowed.split()) for allowed in shown.values()] == [52] * 40
    lines = []
    for _ in range(29):
        lines += ["[Peer]", f"PublicKey={KeyPair.generate().public}"]
    lines += ["[Peer]", f"PublicKey={KeyPair.generate().public}",
              "AllowedIPs=255.2.3.4/32,abcd::255/128"]
    setconf(alone, lines)
    assert len(alone.show("allowed-ips")) == 30
    assert alone.host.output("wg", "showconf", alone.device).count("[Peer]") == 30


def test_no_allowed_ips_and_many(alone):
    few, many = KeyPair.generate().public, KeyPair.generate().public
    alone.add_peer(few)
    alone.add_peer(many, allowed=",".join(f"abcd::{i}" for i in range(1, 198)))
    shown = alone.show("allowed-ips")
    assert shown[few] == "(none)" and len(shown[many].split()) == 197


# ---- Keys

@pytest.mark.row(30)
def test_keys_shown_and_removed(alone):
    one, two, psk = KeyPair.generate(), KeyPair.generate(), generate_psk()
    alone.set_keys(one)
    alone.add_peer(two.public, psk=psk)
    assert alone.output("private-key") == one.private
    assert alone.show("preshared-keys") == {two.public: psk}
    alone.wg("private-key", "/dev/null", "peer", two.public, "preshared-key", "/dev/null")
    assert alone.output("private-key") == "(none)"
    assert alone.show("preshared-keys") == {two.public: "(none)"}
    # Who is ourselves is no peer, whichever came first.
    alone.set_keys(two)
    assert alone.output("public-key") == two.public and alone.output("peers") == ""
    alone.add_peer(two.public)
    assert alone.output("peers") == ""
    alone.set_keys(one)
    alone.add_peer(two.public)
    assert alone.output("peers") == two.public


@pytest.mark.row(30)
def test_private_key_is_clamped(alone):
    key = KeyPair.generate().private
    # '/' is 63, '+' is 62: the lowest bits of the first byte are cleared.
    alone.set_private_key("/" + key[1:])
    assert alone.output("private-key")[0] in "+" and alone.output("private-key")[2:] == key[2:]


@pytest.mark.row(20)
def test_allowed_ips_replaced(alone):
    peer = KeyPair.generate().public
    for allowed in ("0.0.0.0/0,10.0.0.0/8,100.0.0.0/10,172.16.0.0/12,192.168.0.0/16", "0.0.0.0/0",
                    "::/0,1700::/111,5000::/4,e000::/37,9000::/75", "::/0"):
        alone.add_peer(peer, allowed=allowed)
        assert set(alone.show("allowed-ips")[peer].split()) == set(allowed.split(","))
    alone.add_peer(peer, allowed="10.1.2.3/8")  # host bits
    assert alone.show("allowed-ips")[peer] == "10.0.0.0/8"
    other = KeyPair.generate().public
    alone.add_peer(other, allowed="10.0.0.0/8")
    assert alone.show("allowed-ips") == {peer: "(none)", other: "10.0.0.0/8"}
    alone.wg("peer", peer, "remove", "peer", other, "remove")
    assert alone.output("peers") == ""


@pytest.mark.row(4)
def test_low_order_keys_send_nothing(alone):
    """With such a peer every secret would be known to all: nothing leaves."""
    alone.set_private_key(alone.keys.private)
    for key in LOW_ORDER:
        alone.wg("peer", key, "persistent-keepalive", 1, "endpoint", "127.0.0.1:1111")
    assert len(alone.output("peers").splitlines()) == len(LOW_ORDER)
    capture = Capture(alone.host, "lo", "udp")
    alone.up()
    alone.host.run("sleep", 2)  # two keepalives each
    # What does leave is seen.
    alone.add_peer(KeyPair.generate().public, endpoint="127.0.0.1:1111", keepalive=1)
    capture.wait()
    assert {p.payload for p in capture.stop()} == {148}
    assert sum(int(counts.split()[1]) for key, counts in alone.show("transfer").items()
               if key in LOW_ORDER) == 0


# ---- Keepalives

@pytest.mark.row(16)
@pytest.mark.parametrize("last", ["up", "key", "keepalive", "endpoint"])
@pytest.mark.parametrize("other", ["culvert", "wireguard-go"])
def test_keepalive_starts_at_once(cable, last, other):
    """Whatever is set last, the session is made then, without any packet to carry. wireguard-go
    waits for a packet if that is the key, so that it is no a."""
    a, b = (End(host, program, number)
            for host, program, number in zip(cable, ("culvert", other), (1, 2)))
    b.start()
    b.add_peer(a)
    a.create()
    steps = {
        "key": lambda: a.set_private_key(a.keys.private),
        "endpoint": lambda: a.add_peer(b, endpoint="192.0.2.1:51820"),
        "keepalive": lambda: a.add_peer(b, keepalive=25),
        "up": a.up,
    }
    for name in ("keepalive", "endpoint", "key", "up"):
        if name != last:
            steps[name]()
    assert a.transfer(b) == (0, 0)
    steps[last]()
    wait_for(lambda: a.handshake(b) > 0, "the session", 2)
    wait_for(lambda: b.handshake(a) > 0, "its confirmation", 2)


@pytest.mark.row(15)
def test_persistent_keepalive_shown(alone):
    peer = KeyPair.generate().public
    for value, shown in (("25", "25"), ("off", "off"), ("65535", "65535"), ("0", "off")):
        alone.wg("peer", peer, "persistent-keepalive", value)
        assert alone.show("persistent-keepalive") == {peer: shown}


# ---- Down and up

@pytest.mark.row(31)
@pytest.mark.parametrize("programs", PAIRS[:2], ids="-".join)
def test_down_and_up(cable, programs):
    """wireguard-go is no a: its sockets stay open."""
    a, b = make_ends(cable, programs)
    assert a.ping(b.v4)
    a.down()
    wait_for(lambda: not a.listening(), "the socket to close")
    assert not b.ping(a.v4, deadline=1)
    a.up()
    assert a.ping(b.v4)
    assert b.ping(a.v4)
    assert a.transfer(b)[1] > 0  # the counters stay


# ---- What is left in memory

@pytest.mark.row(32)
def test_secrets_leave_memory(ends):
    """Keys that were taken away are nowhere: not as they are used, and not as they were told."""
    a, b = ends
    psk = generate_psk()
    for end, other in ((a, b), (b, a)):
        end.add_peer(other, psk=psk)
    assert a.ping(b.v4)
    needles = spellings("private", a.keys.private) | spellings("psk", psk)
    (pid,) = a.host.pids("culvert")
    assert in_memory(pid, needles) >= {"private", "psk"}
    assert a.output("private-key") == a.keys.private  # told once more
    a.wg("private-key", "/dev/null", "peer", b.public, "remove")
    wait_for(lambda: a.output("peers") == "", "the peer to go")
    assert in_memory(pid, needles) == set()


# ---- Two of them

def test_second_instance(alone):
    """It says so, and the first goes on."""
    result = alone.host.run(command("culvert"), "-f", alone.device, check=False)
    assert result.returncode != 0 and alone.device in result.stdout
    assert alone.host.succeeds("wg", "show", alone.device)
    assert not alone.host.succeeds("wg", "show", "doesnotexist")
