# SPDX-License-Identifier: LGPL-2.1-or-later
"""The status of NetworkManager's connections, as people and programs read it: `wg show` and the
service's D-Bus interface, under the policy that is installed."""

import json
import time

import pytest

from lab import generate_psk, wait_for
from lab.transfer import transfer

SERVICE = "org.freedesktop.NetworkManager.culvert"
STATUS = SERVICE + ".Status"
STATUS_PATH = "/org/freedesktop/NetworkManager/culvert/Status"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def names(network):
    """The bus names of the services that run."""
    listed = network.desktop.output("busctl", "--acquired", "--json=short", "list")
    return [entry["name"] for entry in json.loads(listed) if entry["name"].startswith(SERVICE)]


def plain(value):
    """What busctl prints as {"type": …, "data": …}, without the types."""
    if isinstance(value, dict):
        return plain(value["data"]) if set(value) == {"type", "data"} else {
            key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def get_status(network, who=NOBODY, name=None):
    """The status and the peers, as an unprivileged user reads them."""
    name = name or names(network)[0]
    answer = network.desktop.output(*who, "busctl", "--system", "--json=short", "call", name,
                                    STATUS_PATH, STATUS, "GetStatus")
    return plain(json.loads(answer))


def test_wg_show_equals_the_status(network):
    network.add(network.conf(network.office, psk=generate_psk(), keepalive=25))
    network.up()
    transfer(network.desktop, network.office, "10.8.0.1", 1 << 20)
    # A late acknowledgement may come between the two: until they agree.
    wait_for(lambda: get_status(network)[1][0]["rx-bytes"] == int(shown(network)[5]),
             "the counters to stand still")
    status, (peer,) = get_status(network)
    public, psk, endpoint, allowed, handshake, received, sent, keepalive = shown(network)
    assert (status["state"], status["device"], status["id"]) == ("connected", "culvert0", "office")
    assert status["uuid"] == network.desktop.get("office", "connection.uuid")
    assert status["endpoint"] == peer["endpoint"] == endpoint == "198.51.2.2:51820"
    assert peer["public-key"] == public == network.office.keys.public
    assert ",".join(peer["allowed-ips"]) == allowed
    assert peer["persistent-keepalive"] == int(keepalive) == 25
    assert peer["last-handshake"] == int(handshake)
    assert abs(time.time() - int(handshake) - peer["last-handshake-age"]) <= 3
    assert (peer["rx-bytes"], peer["tx-bytes"]) == (int(received), int(sent))
    assert psk in network.secrets
    assert psk not in repr((status, peer))
    # What one end has received, the other one has sent; a datagram may have been lost.
    (received, sent), = network.office.show("transfer").values()
    assert 1 << 20 < int(received) <= peer["tx-bytes"]
    assert 0 < peer["rx-bytes"] <= int(sent)


def shown(network):
    """`wg show culvert0 dump`: the fields of the one peer."""
    return network.desktop.output("wg", "show", "culvert0", "dump").splitlines()[1].split("\t")


def test_while_connecting(network):
    network.add(network.conf(network.office, endpoint="198.51.2.2:9"))
    network.desktop.nmcli("--wait", 0, "connection", "up", "office")
    wait_for(lambda: names(network), "the service to start")
    wait_for(lambda: get_status(network)[0]["endpoint"], "an endpoint to be tried")
    status, (peer,) = get_status(network)
    assert (status["state"], status["endpoint"], status["device"]) == (
        "connecting", "198.51.2.2:9", "")
    assert peer["handshakes"] == 0 and "last-handshake" not in peer
    assert "culvert0" not in network.desktop.output("wg", "show", "interfaces")


def test_gateway_falls_silent(network):
    """15 seconds after a packet without an answer the handshakes begin, and 90 seconds later it is
    silent."""
    network.add(network.conf(network.office))
    network.up()
    assert network.ping("10.8.0.1")
    stopped = time.time()
    network.office.stop_wireguard()
    try:
        assert not network.ping("10.8.0.1", deadline=1)
        wait_for(lambda: get_status(network)[1][0]["initiations-unanswered"] > 0,
                 "the first initiation", 40)
        assert get_status(network)[0]["state"] == "connected"
        wait_for(lambda: get_status(network)[0]["state"] == "silent", "the silence", 120)
        status, (peer,) = get_status(network)
        assert peer["state"] == "silent" and peer["since"] == status["since"]
        assert 10 <= status["since"] - stopped <= 40
        assert peer["last-handshake-age"] >= 90
        assert peer["last-handshake"] == int(shown(network)[4])
    finally:
        network.office.start()
    assert network.ping("10.8.0.1", deadline=40)
    wait_for(lambda: get_status(network)[0]["state"] == "connected", "the session", 10)
    assert get_status(network)[0]["since"] >= stopped + 90


def test_two_connections(network):
    """Each has a name on the bus, a status and a socket of its own, which go with it."""
    network.add(network.conf(network.office), "office")
    network.add(network.conf(network.branch), "branch")
    network.up("office")
    network.up("branch")
    found = {status["id"]: status["device"] for status, _peers in
             (get_status(network, name=name) for name in names(network))}
    assert found == {"office": "culvert0", "branch": "culvert1"}
    shown_names = network.desktop.output("wg", "show", "interfaces").split()
    assert sorted(shown_names) == ["culvert0", "culvert1"]
    network.down("office")
    wait_for(lambda: network.desktop.output("wg", "show", "interfaces") == "culvert1",
             "the socket to go")
    wait_for(lambda: len(names(network)) == 1, "the name to go")
    network.down("branch")
    assert network.desktop.sh("ls -A /run/wireguard") == ""


def test_others_may_do_nothing_else(network):
    """With the policy as it is installed, NetworkManager's own connection stays up."""
    network.add(network.conf(network.office))
    network.up()
    name, = names(network)
    plugin = ("/org/freedesktop/NetworkManager/VPN/Plugin",
              "org.freedesktop.NetworkManager.VPN.Plugin")
    for call in (("call", name, *plugin, "Disconnect"),
                 ("call", name, *plugin, "SetConfig", "a{sv}", "0"),
                 ("call", name, *plugin, "Connect", "a{sa{sv}}", "0"),
                 ("get-property", name, *plugin, "State"),
                 ("set-property", name, STATUS_PATH, STATUS, "State", "s", "idle")):
        result = network.desktop.run(*NOBODY, "busctl", "--system", *call, check=False)
        assert result.returncode != 0 and "denied" in result.stdout.lower(), result.stdout
    assert network.ping("10.8.0.1")
    assert get_status(network, who=())[0]["state"] == "connected"
    assert not network.desktop.succeeds(*NOBODY, "wg", "show", "culvert0")


def test_environment_reaches_the_service(network):
    """So that CULVERT_UAPI can be set in NetworkManager's unit."""
    network.add(network.conf(network.office))
    network.up()
    service, = network.desktop.pids("nm-culvert-service")
    manager, = network.desktop.pids("NetworkManager")
    environments = []
    for pid in (manager, service):
        with open(f"/proc/{pid}/environ", "rb") as file:
            environments.append(set(file.read().split(b"\0")))
    assert b"LANG=C.UTF-8" in environments[0] and environments[0] <= environments[1]


@pytest.mark.parametrize("command", [
    "busctl --system introspect {name} " + STATUS_PATH,
    "gdbus call --system --dest {name} --object-path " + STATUS_PATH + " --method " + STATUS
    + ".GetStatus",
    "gdbus introspect --system --dest {name} --object-path " + STATUS_PATH])
def test_tools(network, command):
    """Those that the manual names, in anybody's hands."""
    network.add(network.conf(network.office))
    network.up()
    said = network.desktop.output(*NOBODY, *command.format(name=names(network)[0]).split())
    assert "198.51.2.2:51820" in said
