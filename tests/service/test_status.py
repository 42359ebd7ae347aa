# SPDX-License-Identifier: LGPL-2.1-or-later
"""The status: on D-Bus for everybody, through the configuration socket for root's `wg`."""

import os
import re
import signal
import time

import pytest

from gi.repository import Gio, GLib

from lab import generate_psk
from manager import PROGRAM, STARTED, STOPPED, Refused, connection, iterate
from status import PROPERTIES, STATUS, STATUS_PATH, call, get_status, properties
from test_connect import up

SOCKET = "/run/wireguard/{}.sock"

DROPS = {"first-mac", "handshake", "rate-limited", "malformed", "no-session", "unauthentic",
         "no-peer", "no-endpoint", "not-sent", "not-delivered", "looped"}
ETHERNET_DROPS = {"not-ethernet", "frame-malformed", "frame-reserved", "station-moved", "flooded",
                  "frame-not-sent"}
PEER_DROPS = {"not-allowed", "replayed", "malformed", "waited-in-vain"}


def changes(service):
    """All changes of properties from now on, as a growing list of dictionaries."""
    found = []
    service.bus.signal_subscribe(
        None, PROPERTIES, "PropertiesChanged", STATUS_PATH, None, Gio.DBusSignalFlags.NONE,
        lambda _bus, _sender, _path, _interface, _name, args: found.append(args.unpack()[1]))
    return found


def wg(world, what, ifname="culvert0"):
    return world.computer.output("wg", "show", ifname, what)


def exists(world, path):
    return world.computer.succeeds("test", "-S", path)


IDLE = {"Id": "", "Uuid": "", "State": "idle", "Since": 0, "Device": "", "PublicKey": "",
        "Endpoint": "", "Trying": "", "UnansweredSince": 0, "Peers": []}


def test_idle(world):
    """Already there when the name appears on the bus."""
    service = world.service()
    assert properties(service) == IDLE
    status, peers = get_status(service)
    assert status == {"id": "", "uuid": "", "state": "idle", "since": 0, "device": "",
                      "public-key": "", "endpoint": "", "trying": "", "unanswered-since": 0}
    assert peers == []


def test_ethernet(world):
    """What arrives and is no frame is counted."""
    me = world.account()
    service = world.service()
    service.connect(me.connection(device_type="tap", allowed_ips="10.8.0.1/32"))
    service.wait_state(STARTED)
    world.gateway.run("ping", "-c1", "-W1", f"10.8.0.{me.number}", check=False)
    status, _peers = get_status(service)
    assert set(status["drops"]) == DROPS | ETHERNET_DROPS
    assert status["drops"]["not-ethernet"] == 1


def test_connecting(world):
    """Which endpoint is tried, while it is; no device, no handshake yet."""
    me = world.account(known=False, endpoint="192.0.2.1:9; 192.0.2.1:10")
    service = world.service()
    seen = changes(service)
    before = int(time.time())
    service.connect(me.connection())
    iterate(lambda: [c for c in seen if c.get("Endpoint") == "192.0.2.1:10"], "the second endpoint")
    assert [c["Endpoint"] for c in seen if c.get("Endpoint")] == ["192.0.2.1:9", "192.0.2.1:10"]
    assert seen[0]["State"] == "connecting"
    assert seen[0]["Id"] == "office"
    status, (peer,) = get_status(service)
    assert status["state"] == peer["state"] == "connecting"
    assert before <= status["since"] <= time.time()
    assert before <= peer["since"] <= time.time()
    assert status["endpoint"] == peer["endpoint"] == peer["endpoint-name"] == "192.0.2.1:10"
    assert status["trying"] == peer["trying"] == "192.0.2.1:10"
    assert before <= status["unanswered-since"] == peer["unanswered-since"] <= time.time()
    assert status["device"] == ""
    assert status["public-key"] == me.keys.public
    assert peer["initiations-unanswered"] >= 2 and peer["handshakes"] == 0
    assert "last-handshake" not in peer and "last-handshake-age" not in peer
    assert not exists(world, SOCKET.format("culvert0"))


def test_name_that_is_not_found(world):
    """The name that is looked for is shown, an endpoint there is none."""
    service = world.service()
    service.connect(world.account(endpoint="gateway.example:51820").connection())
    service.wait_log("could not be resolved")
    status, (peer,) = get_status(service)
    assert (status["endpoint"], peer["endpoint"]) == ("", "")
    assert peer["endpoint-name"] == status["trying"] == "gateway.example:51820"


def test_connected(world):
    me = world.account(endpoint="192.0.2.1:9; 192.0.2.1:51820")
    service = world.service()
    seen = changes(service)
    before = int(time.time())
    service.connect(me.connection(persistent_keepalive="25",
                                  allowed_ips="10.8.0.0/24, fd08::/64, 203.0.113.7"))
    service.wait_state(STARTED)
    iterate(lambda: [c for c in seen if c.get("State") == "connected"], "the change of state")
    now = properties(service)
    uuid = now.pop("Uuid")
    since = now.pop("Since")
    peer_since = now["Peers"][0].pop("since")
    assert len(uuid) == 36 and before <= since <= time.time() and peer_since == since
    allowed = now["Peers"][0].pop("allowed-ips")
    assert sorted(allowed) == ["10.8.0.0/24", "203.0.113.7/32", "fd08::/64"]
    assert now == {
        "Id": "office", "State": "connected", "Device": "culvert0", "PublicKey": me.keys.public,
        "Endpoint": "192.0.2.1:51820", "Trying": "", "UnansweredSince": 0,
        "Peers": [{"public-key": world.gateway.keys.public, "state": "connected",
                   "endpoint": "192.0.2.1:51820", "endpoint-name": "192.0.2.1:51820",
                   "trying": "", "unanswered-since": 0, "persistent-keepalive": 25}]}
    # What PropertiesChanged has said is what Get says.
    heard = {"UnansweredSince": 0}  # so it was before, and is said only if it changes
    for change in seen:
        heard |= change
    assert heard == properties(service)

    up(world, service, "culvert0")
    world.computer.run("ping", "-c", 3, "-i", 0.2, "-W", 2, "10.8.0.1")
    status, (peer,) = get_status(service)
    assert (status["state"], status["device"]) == ("connected", "culvert0")
    assert status["listen-port"] == int(wg(world, "listen-port"))
    assert status["rx-packets"] >= 3 and status["tx-packets"] >= 3
    assert set(status["drops"]) == DROPS and set(peer["drops"]) == PEER_DROPS
    assert peer["handshakes"] == 1 and peer["initiations-unanswered"] == 0
    assert before <= peer["last-handshake"] <= time.time()
    assert abs(time.time() - peer["last-handshake"] - peer["last-handshake-age"]) < 3
    assert status["rx-bytes"] == peer["rx-bytes"] >= 3 * 128
    assert status["tx-bytes"] == peer["tx-bytes"] >= 3 * 128


def test_drops_are_counted_by_reason(world):
    """A packet for nobody, and a stranger's handshake message."""
    me = world.account()
    service = world.service()
    service.connect(me.connection())
    service.wait_state(STARTED)
    up(world, service, "culvert0")
    world.computer.run("ip", "route", "add", "10.99.0.0/24", "dev", "culvert0")
    world.computer.succeeds("ping", "-c", 1, "-W", 1, "10.99.0.1")
    port = get_status(service)[0]["listen-port"]
    world.gateway.run("/usr/bin/python3", "-c",
                      "import socket\n"
                      "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                      f"s.sendto(bytes([1, 0, 0, 0]) + bytes(144), ('192.0.2.2', {port}))")
    iterate(lambda: get_status(service)[0]["drops"]["first-mac"] == 1, "the stranger's message")
    drops = get_status(service)[0]["drops"]
    assert drops["no-peer"] >= 1
    assert sum(drops.values()) == drops["no-peer"] + 1


def test_idle_again(world):
    service = world.service("--persist")
    seen = changes(service)
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    service.disconnect()
    service.wait_state(STOPPED)
    iterate(lambda: seen[-1].get("State") == "idle", "the change of state")
    assert properties(service) == IDLE
    assert get_status(service)[1] == []


def test_refused_connection_shows_nothing(world):
    service = world.service("--persist")
    with pytest.raises(Refused):
        service.connect(world.account().connection(mtu="1"))
    assert properties(service) == IDLE


def test_last_words(world):
    """The change to idle leaves the process before it ends."""
    service = world.service()
    seen = changes(service)
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    os.kill(service.pid, signal.SIGTERM)
    assert service.wait_exit() == 0
    iterate(lambda: seen[-1].get("State") == "idle", "the change of state")


def test_nothing_is_written(world):
    service = world.service()
    for name, value in (("State", GLib.Variant("s", "connected")), ("Peers", None)):
        value = value or GLib.Variant("aa{sv}", [])
        with pytest.raises(GLib.Error):
            call(service, PROPERTIES, "Set", GLib.Variant("(ssv)", (STATUS, name, value)))
    assert properties(service) == IDLE


def test_no_secret(world):
    me = world.account(known=False)
    psk = generate_psk()
    world.admit(me, psk)
    service = world.service()
    seen = changes(service)
    service.connect(connection(me.data(), me.secrets(preshared_key=psk)))
    service.wait_state(STARTED)
    iterate(lambda: [c for c in seen if c.get("State") == "connected"], "the change of state")
    told = repr((properties(service), get_status(service), seen))
    assert me.keys.public in told
    assert me.keys.private not in told and psk not in told


def test_manual_has_everything(world):
    """nm-culvert-service(8) names each member of the interface, each key, and each option."""
    with open(os.environ["CULVERT_MANUAL"], encoding="utf-8") as file:
        # A name stands at the end of a bold or italic part, with its type behind it or none.
        manual = set(re.split(r'[\s",()\[\]]+', file.read().replace(r"\-", "-")))
    service = world.service()
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    status, (peer,) = get_status(service)
    node = Gio.DBusNodeInfo.new_for_xml(call(
        service, "org.freedesktop.DBus.Introspectable", "Introspect")[0])
    interface = node.lookup_interface(STATUS)
    names = {member.name for member in interface.properties + interface.methods}
    names |= {argument.name for argument in interface.methods[0].out_args}
    names |= set(status) | set(peer) | set(status["drops"]) | set(peer["drops"])
    names |= set(re.findall(r"--[a-z-]+", world.computer.output(PROGRAM, "--help")))
    assert names - manual == set()


# ---- wg show


def test_wg_show(world):
    me = world.account()
    service = world.service()
    service.connect(me.connection(persistent_keepalive="25"))
    service.wait_state(STARTED)
    up(world, service, "culvert0")
    world.computer.run("ping", "-c", 2, "-i", 0.2, "-W", 2, "10.8.0.1")
    status, (peer,) = get_status(service)
    (private, public, port, mark), shown = (line.split("\t") for line in
                                            wg(world, "dump").splitlines())
    assert (private, public, port, mark) == (me.keys.private, me.keys.public,
                                             str(status["listen-port"]), "off")
    assert shown == [peer["public-key"], "(none)", peer["endpoint"],
                     ",".join(peer["allowed-ips"]), str(peer["last-handshake"]),
                     str(peer["rx-bytes"]), str(peer["tx-bytes"]), "25"]
    assert world.computer.output("wg", "show", "interfaces") == "culvert0"
    # It shows the private key: to root alone.
    assert world.computer.sh("stat -c '%a %u' /run/wireguard/culvert0.sock") == "700 0"


def test_socket_is_read_only(world):
    service = world.service()
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    before = wg(world, "dump")
    for change in (["listen-port", "4444"], ["fwmark", "1"],
                   ["peer", world.gateway.keys.public, "remove"]):
        assert "not permitted" in world.computer.run("wg", "set", "culvert0", *change,
                                                     check=False).stdout
    assert wg(world, "dump") == before


def test_socket_told_to_be_writable(world):
    me = world.account()
    service = world.service(env={"CULVERT_UAPI": "read-write"})
    service.connect(me.connection())
    service.wait_state(STARTED)
    world.computer.run("wg", "set", "culvert0", "peer", world.gateway.keys.public,
                       "allowed-ips", "10.8.0.0/24,10.9.0.0/24")
    assert get_status(service)[1][0]["allowed-ips"] == wg(world, "allowed-ips").split("\t")[1].split()
    world.computer.run("wg", "set", "culvert0", "peer", world.gateway.keys.public, "remove")
    assert get_status(service)[1] == []
    assert properties(service)["Peers"] == []


def test_no_socket(world):
    service = world.service(env={"CULVERT_UAPI": "off"})
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    assert not exists(world, SOCKET.format("culvert0"))
    assert properties(service)["State"] == "connected"


def test_unknown_word(world):
    service = world.service(env={"CULVERT_UAPI": "perhaps"})
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    assert "CULVERT_UAPI is “perhaps”" in service.log()
    assert not world.computer.succeeds("wg", "set", "culvert0", "fwmark", "1")
    assert world.computer.succeeds("wg", "show", "culvert0")


@pytest.mark.parametrize("setting, says", [
    ("AEAD=evp", "Packets are encrypted by evp"),
    ("AEAD=perhaps", "Ignoring CULVERT_AEAD=perhaps"),
    ("OFFLOAD=no", "Doing without the kernel's offloads"),
    ("OFFLOAD=perhaps", "Ignoring CULVERT_OFFLOAD=perhaps"),
    ("OFFLOAD=yes", "joined by the device: TCP yes"),
    ("--no-offload", "joined by the device: TCP no"),
    ("QUEUES=2", "Data path: 2 queue(s)"),
])
def test_data_path(world, setting, says):
    name, _, value = setting.partition("=")
    switches, env = ([name], {}) if name.startswith("--") else ([], {f"CULVERT_{name}": value})
    service = world.service("--debug", *switches, env=env)
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    assert says in service.log()


@pytest.mark.parametrize("end", ["disconnect", "signal", "failure"])
def test_socket_goes_with_the_connection(world, end):
    service = world.service("--persist")
    service.connect(world.account().connection(ifname="office0"))
    service.wait_state(STARTED)
    assert exists(world, SOCKET.format("office0"))
    if end == "disconnect":
        service.disconnect()
        service.wait_state(STOPPED)
    elif end == "signal":
        os.kill(service.pid, signal.SIGTERM)
        service.wait_exit()
    else:
        world.computer.run("ip", "link", "delete", "office0")
        service.wait_state(STOPPED)
    assert world.computer.sh("ls -A /run/wireguard") == ""


def test_socket_of_a_killed_service_is_replaced(world):
    me = world.account()
    killed = world.service()
    killed.connect(me.connection())
    killed.wait_state(STARTED)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait_exit()
    assert exists(world, SOCKET.format("culvert0"))
    service = world.service()
    service.connect(me.connection())
    service.wait_state(STARTED)
    assert wg(world, "peers") == world.gateway.keys.public


def test_socket_that_cannot_be_had(world):
    """A connection does without, and the log says so."""
    world.computer.sh("rm -rf /run/wireguard; mkdir -m 755 /run/wireguard;"
                      "mount -t tmpfs -o ro tmpfs /run/wireguard")
    try:
        service = world.service()
        service.connect(world.account().connection())
        service.wait_state(STARTED)
        assert "“wg show culvert0” will not work, all else will: " in service.log()
        assert properties(service)["State"] == "connected"
        service.close()
    finally:
        world.computer.sh("umount /run/wireguard")
