# SPDX-License-Identifier: LGPL-2.1-or-later
"""The profiles of README.md's table “Tunnels it replaces”: each is a .conf that nmcli imports, word
for word, and then the connection does what the row says, with WireGuard alone on the way. Their
other end is the row's gateway, culvert. tests/gateway/test_replaces.py has the kernel's own."""

import os

import pytest

from lab import KeyPair, Lab, culvert, replaced, wait_for
from lab.recording import Recording

V4, V6 = "192.0.2.0/24", "2001:db8::/64"
ROWS = replaced.rows()

# The names of a profile's settings, see README.md's table of these.
NAMES = {"Address": "address", "AllowedIPs": "allowed-ips", "Endpoint": "endpoint",
         "PersistentKeepalive": "persistent-keepalive", "# Culvert: DeviceType": "device-type"}


class World:
    """The profile's computer, a desktop, and the gateway, with a cable between them."""

    def __init__(self, lab, stage, folder):
        self.lab = lab
        self.folder = folder
        self.desktop = lab.add_desktop("desktop", stage)
        self.gateway = lab.add_host("gateway")
        self.program = culvert(stage)
        lab.link(self.desktop, self.gateway, V4, V6)
        self.desktop.start()
        self.keys = {host: KeyPair.generate() for host in (self.desktop, self.gateway)}

    def start_gateway(self, row):
        gateway = self.gateway
        gateway.spawn(*self.program, *row.command[1:-1], "gw0", log="culvert")
        wait_for(lambda: gateway.succeeds("wg", "show", "gw0"), "culvert to make gw0")
        gateway.write("/run/lab/gw0.conf", replaced.conf(
            row.gateway | {"ListenPort": replaced.PORT}, self.keys[gateway].private,
            self.keys[self.desktop].public), 0o600)
        gateway.sh("wg-quick strip /run/lab/gw0.conf > /run/lab/gw0; wg setconf gw0 /run/lab/gw0")
        if row.command:     # Ethernet has no routes
            gateway.run("ip", "link", "set", "gw0", "up")
        else:
            replaced.configure(gateway, "gw0", row.gateway)

    def add_profile(self, row):
        path = os.path.join(self.folder, "replaced.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(replaced.conf(row.profile, self.keys[self.desktop].private,
                                     self.keys[self.gateway].public))
        return self.desktop.nmcli("connection", "import", "type", "culvert", "file", path).stdout

    def profile(self):
        items = self.desktop.get("replaced", "vpn.data").split(", ")
        return dict(item.split(" = ", 1) for item in items)

    def preparation(self, row):
        """Makes what a row has beside its two ends; returns what begins its conversation."""
        if row.title == "Any EtherType":
            return lambda: replaced.ask_in_frames(self.desktop, "culvert0", self.gateway, "gw0")
        if row.title == "Site to site":
            asks, targets = self.add_sites()
        elif row.title == "Namespaces of one machine":
            asks, targets = self.add_namespace()
        else:
            asks = self.desktop
            targets = [address.split("/")[0] for address in replaced.addresses(row.gateway)]
        return lambda: replaced.ask(asks, targets)

    def add_sites(self):
        """A host in each of the two networks; both ends forward. The one behind the desktop asks
        the one behind the gateway."""
        hosts = [self.lab.add_host(f"site{number}") for number in (1, 2)]
        devices = ("lan0", "wan1")  # the desktop's is one that NetworkManager has
        for host, router, networks, name in zip(hosts, (self.gateway, self.desktop),
                                                replaced.SITES, devices):
            router.forward()
            self.lab.link(host, router, *networks, names=("wan0", name))
        return hosts[1], replaced.SITES[0].values()

    def add_namespace(self):
        """One more of the hub's namespaces, which is asked for by the desktop, another of them."""
        gateway, keys = self.gateway, KeyPair.generate()
        gateway.forward()
        gateway.run("ip", "netns", "add", "blue")
        gateway.spawn(*self.program, "blue", log="blue")
        wait_for(lambda: gateway.succeeds("wg", "show", "blue"), "culvert to make blue")
        gateway.write("/run/lab/blue.key", keys.private + "\n", 0o600)
        gateway.sh(f"wg set blue private-key /run/lab/blue.key peer {self.keys[gateway].public}"
                   f" allowed-ips 10.8.0.0/24 endpoint 192.0.2.1:{replaced.PORT}"
                   " persistent-keepalive 25\n"
                   f"wg set gw0 peer {keys.public} allowed-ips 10.8.0.3/32\n"
                   "ip link set blue netns blue; ip -n blue address add 10.8.0.3/24 dev blue\n"
                   "ip -n blue link set blue up")
        wait_for(lambda: "\t0" not in gateway.output("wg", "show", "gw0", "latest-handshakes"),
                 "the namespace to tell the hub where it is")
        return self.desktop, ("10.8.0.3",)


@pytest.fixture
def world(stage_folder, tmp_path):
    with Lab(os.environ.get("CULVERT_LOGS", tmp_path / "logs")) as lab:
        yield World(lab, stage_folder, str(tmp_path))


def words(text):
    return [word.strip() for word in text.replace(";", ",").split(",")]


@pytest.mark.parametrize("title", ROWS)
def test_profile(world, title):
    row = ROWS[title]
    world.start_gateway(row)
    assert "replaced" in world.add_profile(row)
    profile = world.profile()
    assert {NAMES[key]: words(value) for key, value in row.profile.items()} == {
        name: words(value) for name, value in profile.items() if name in NAMES.values()}
    world.desktop.nmcli("--wait", 30, "connection", "up", "replaced")

    ask = world.preparation(row)
    with Recording(world.gateway, "wan0") as recording:
        packets = recording.wait_for_wireguard(ask())
    assert not replaced.readable(packets)
