# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network of the desktop tests:

    desktop ---- router ---- office    a gateway; behind it the addresses INSIDE
                      \\----- branch    another one

All of it is started once for all tests, which takes a second; each test makes its own keys and
connections, and leaves none.

Environment: CULVERT_BUILD, a finished build configured with --prefix=/usr; CULVERT_LOGS, a folder
for the logs."""

import contextlib
import dataclasses
import os

import pytest

from lab import Conf, Desktop, Gateway, Host, KeyPair, Lab, stage, wait_for
from lab.needs import skip_without_root

# The router's name server, at an address that is not of the desktop's own network.
NAMES = "198.51.100.53"

# What is reached through the office's tunnel only: hosts of "the internet" behind it.
INSIDE = {4: "203.0.113.1", 6: "2001:db8:ffff::1"}


# The desktop's addresses outside; it has the second one in tests that ask for second_uplink.
UPLINKS = {"wan0": "192.0.2.2", "wan1": "192.0.3.2"}


@dataclasses.dataclass
class Network:
    lab: Lab
    desktop: Desktop
    router: Host
    office: Gateway
    branch: Gateway
    folder: str
    counter: int = 0
    secrets: list = dataclasses.field(default_factory=list)

    def endpoint(self, gateway, version=4):
        """The gateway's address outside the tunnel."""
        net = {self.office: 2, self.branch: 3}[gateway]
        return f"198.51.{net}.2" if version == 4 else f"2001:db8:{net}::2"

    def conf(self, gateway, version=4, psk=None, allowed_ips=None, endpoint=None,
             keepalive=None, peer_key=None, **interface):
        """A .conf for the gateway, which knows its key. `version` is the family outside."""
        keys = KeyPair.generate()
        number = 4 if gateway is self.branch else 2
        networks = [str(address.network) for address in gateway.tunnel]
        addresses = [f"{a.network[number]}/{a.network.prefixlen}" for a in gateway.tunnel]
        gateway.add_peer(keys.public, ", ".join(a.split("/")[0] for a in addresses), psk)
        outside = self.endpoint(gateway, version)
        self.secrets += [keys.private] + ([psk] if psk else [])
        interface = {"PrivateKey": keys.private, "Address": ", ".join(addresses)} | interface
        return Conf(**interface).peer(
            PublicKey=peer_key or gateway.keys.public, PresharedKey=psk,
            Endpoint=endpoint or (f"[{outside}]:51820" if version == 6 else f"{outside}:51820"),
            AllowedIPs=allowed_ips or ", ".join(networks), PersistentKeepalive=keepalive)

    def conf_of_both(self, branch_version=4, **office):
        """A .conf with both gateways as peers, which both know its key and addresses.
        `branch_version` is the family outside of the way to the branch; `office`: as for conf()."""
        conf = self.conf(self.office, Address="10.8.0.2/32, fd08::2/128", **office)
        other = self.conf(self.branch, branch_version)
        keys = KeyPair.of(conf.sections[0][1]["PrivateKey"])
        self.branch.forget_peers()
        self.branch.add_peer(keys.public, "10.8.0.2/32, fd08::2/128")
        self.branch.sh("ip route replace 10.8.0.0/24 dev wg0; ip route replace fd08::/64 dev wg0")
        return conf.peer(**other.sections[1][1])

    def add(self, conf, name="office"):
        """Imports the .conf as a user does; returns what nmcli said."""
        return self.desktop.nmcli("connection", "import", "type", "culvert",
                                  "file", self.save(conf, name)).stdout

    def save(self, conf, name):
        return conf.save(os.path.join(self.folder, f"{name}.conf"))

    def up(self, name="office", **kwargs):
        return self.desktop.nmcli("--wait", 30, "connection", "up", name, **kwargs)

    def down(self, name="office"):
        return self.desktop.nmcli("connection", "down", name)

    def add_vpn(self, name="office", data=None, secrets=None):
        """Makes a profile of vpn.data as it is, without asking Culvert."""
        settings = []
        for setting, values in (("vpn.data", data), ("vpn.secrets", secrets)):
            for key, value in (values or {}).items():
                settings += ["+" + setting, f"{key}={value}"]
        self.desktop.nmcli("connection", "add", "type", "vpn", "con-name", name,
                           "vpn-type", "culvert", "--", *settings)

    def ping(self, address, count=1, deadline=5):
        return self.desktop.succeeds("ping", "-c", count, "-w", deadline, address)

    def route(self, address):
        return self.desktop.output("ip", "route", "get", address)

    def journal(self):
        """What the service has logged since the test began."""
        return self.desktop.journal("nm-culvert-service")[self.counter:]

    @contextlib.contextmanager
    def router_drops(self, *rules):
        """Meanwhile the router drops what matches one of the rules, expressions of nft(8)."""
        self.router.sh("nft add table inet lab\n"
                       "nft 'add chain inet lab f { type filter hook forward priority 0; }'\n"
                       + "\n".join(f"nft add rule inet lab f {rule} drop" for rule in rules))
        try:
            yield
        finally:
            self.router.run("nft", "delete", "table", "inet", "lab")

    def forget_paths(self):
        """What a router has said is remembered for ten minutes, or as long as the route."""
        self.desktop.nmcli("connection", "down", "uplink-wan0")
        self.desktop.nmcli("connection", "up", "uplink-wan0")

    # ---- Before and after each test

    def state(self):
        """Everything a VPN might leave on the desktop."""
        return self.desktop.sh("ip -o link | cut -d: -f2; ip -o -4 address | cut -c1-50;"
                               "ip route; ip -6 route show proto static; ip rule; ip -6 rule;"
                               "cat /etc/resolv.conf; nmcli -g NAME connection show | sort")

    def wait_for_state(self, before):
        try:
            wait_for(lambda: self.state() == before, "the desktop to be as before", 5)
        except AssertionError:
            assert self.state() == before

    def mark(self):
        self.counter = len(self.desktop.journal("nm-culvert-service"))
        self.secrets.clear()

    def clear(self):
        lines = self.desktop.nmcli("-g", "UUID,TYPE", "connection").stdout.splitlines()
        for uuid in (line.split(":")[0] for line in lines if line.endswith(":vpn")):
            self.desktop.nmcli("connection", "delete", uuid)
        self.office.forget_peers()
        self.branch.forget_peers()


def pytest_collection_modifyitems(items):
    skip_without_root(items, "CULVERT_BUILD")


@pytest.fixture(scope="session")
def stage_folder(tmp_path_factory):
    """Culvert, installed as DESTDIR=... meson install does it."""
    folder = tmp_path_factory.mktemp("stage")
    return stage.install(os.environ["CULVERT_BUILD"], str(folder))


@pytest.fixture(scope="session")
def started(stage_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    with Lab(os.environ.get("CULVERT_LOGS", tmp_path_factory.mktemp("logs"))) as lab:
        router = lab.add_host("router")
        router.forward()
        desktop = lab.add_desktop("desktop", stage_folder)
        office = lab.add_gateway("office")
        branch = lab.add_gateway("branch", tunnel=("10.9.0.1/24", "fd09::1/64"))
        lab.link(desktop, router, "192.0.2.0/24", "2001:db8:1::/64")
        lab.link(office, router, "198.51.2.0/24", "2001:db8:2::/64", names=("wan0", "office"))
        lab.link(branch, router, "198.51.3.0/24", "2001:db8:3::/64", names=("wan0", "branch"))
        for gateway in (office, branch):
            gateway.start()
        for address in INSIDE.values():
            office.run("ip", "address", "add", address, "dev", "lo")
        office.serve_names({INSIDE[4]: "intranet.office.example"}, office.address(4),
                           office.address(6))
        router.run("ip", "address", "add", NAMES, "dev", "lo")
        router.serve_names({"198.51.2.2": "gateway.example", "2001:db8:2::2": "gateway.example"},
                           "192.0.2.1", "2001:db8:1::1", NAMES)
        desktop.start()
        yield Network(lab, desktop, router, office, branch, str(folder))


@pytest.fixture
def network(started):
    """The network, and afterwards the proof that the test's connections left nothing on the
    desktop, and no secret in the log."""
    started.mark()
    before = started.state()
    yield started
    started.clear()
    wait_for(lambda: not started.desktop.pids("nm-culvert-service"), "every service to end")
    started.wait_for_state(before)
    assert not [secret for secret in started.secrets if secret in started.desktop.journal()]


@pytest.fixture
def second_uplink(network):
    """Another cable of the desktop to the router, in another network; down."""
    network.lab.link(network.desktop, network.router, "192.0.3.0/24", "2001:db8:4::/64",
                     names=("wan1", "wan1"))
    network.desktop.nmcli("connection", "down", "uplink-wan1")
    yield "uplink-wan1"
    network.clear()
    network.desktop.nmcli("connection", "delete", "uplink-wan1")
    network.desktop.run("ip", "link", "delete", "wan1")
    network.desktop.forget_uplink("wan1")
    # Its routes have the first metric again then.
    network.desktop.nmcli("connection", "up", "uplink-wan0")


@pytest.fixture
def account(network):
    """The settings of a profile without its private key, and that key."""
    keys = KeyPair.generate()
    network.office.add_peer(keys.public, "10.8.0.2/32")
    network.secrets.append(keys.private)
    data = {"address": "10.8.0.2/24", "endpoint": "198.51.2.2:51820",
            "allowed-ips": "10.8.0.0/24", "public-key": network.office.keys.public}
    return data, keys


@pytest.fixture(autouse=True)
def logs_of_a_failure(request):
    """Shows what the service said when a test fails."""
    yield
    if "network" in request.fixturenames:
        print(request.getfixturevalue("started").journal())
