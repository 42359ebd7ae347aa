# SPDX-License-Identifier: LGPL-2.1-or-later
"""README.md's table “Tunnels it replaces”, row by row: the same conversation first through the
kernel's own tunnels, which anybody on the way can read, then through culvert, configured as the row
says, with nothing but WireGuard on the way.

Where this kernel lacks the module of a tunnel, as those for small virtual machines do, only
culvert's side is there to run; nothing of Culvert is left out by that."""

import contextlib
import dataclasses
import os
import re

import pytest

from conftest import Culvert
from lab import KeyPair, Lab, replaced, wait_for
from lab.recording import UDP, Recording
from lab.replaced import ask, ask_in_frames, configure, readable, version

V4, V6 = "192.0.2.0/24", "2001:db8::/64"
NEAR = {4: "192.0.2.2", 6: "2001:db8::2"}
FAR = {4: "192.0.2.1", 6: "2001:db8::1"}

# What only a module that is not there makes of `ip link add`.
NO_MODULE = re.compile(r"Unknown device type|Operation not supported")

HANDSHAKE = 4   # the field of a peer in `wg show dump`
ESP = 50    # IANA's protocol number, as those below


@dataclasses.dataclass(frozen=True)
class Kind:
    """A tunnel of the kernel: what `ip link add` is told, its protocol on the way, and which
    families it carries, over which."""
    arguments: str
    protocol: int
    inside: tuple
    outside: int = 4


# Without its limit of encapsulations, which has a header of its own, ip6tnl's protocol comes first.
KINDS = {
    "ipip": Kind("ipip local {local} remote {remote}", 4, (4,)),
    "sit": Kind("sit local {local} remote {remote}", 41, (6,)),
    "isatap": Kind("sit local {local} isatap", 41, (6,)),
    "gre": Kind("gre local {local} remote {remote}", 47, (4, 6)),
    "vti": Kind("vti local {local} remote {remote} key 8", ESP, (4,)),
    "ipip6": Kind("ip6tnl mode ipip6 local {local} remote {remote} encaplimit none", 4, (4,), 6),
    "ip6ip6": Kind("ip6tnl mode ip6ip6 local {local} remote {remote} encaplimit none", 41, (6,), 6),
    "ip6gre": Kind("ip6gre local {local} remote {remote} encaplimit none", 47, (4, 6), 6),
    "gretap": Kind("gretap local {local} remote {remote}", 47, ()),
    "vxlan": Kind("vxlan id 1 local {local} remote {remote} dstport 4789", UDP, ()),
}


def add_kernel_tunnel(host, device, kind, local, remote):
    """Whether this kernel has that."""
    words = KINDS[kind].arguments.format(local=local, remote=remote).split()
    result = host.run("ip", "link", "add", device, "type", *words, check=False)
    assert result.returncode == 0 or NO_MODULE.search(result.stdout), result.stdout
    if result.returncode == 0 and kind == "vti":
        add_ipsec(host, local, remote)
    return result.returncode == 0


def add_ipsec(host, local, remote):
    """What an IKE daemon would negotiate for a vti with the key 8. The keys are no secret."""
    esp = f"proto esp spi 8 mode tunnel aead rfc4106(gcm(aes)) 0x{'11' * 20} 128"
    for source, destination in ((local, remote), (remote, local)):
        host.run("ip", "xfrm", "state", "add", "src", source, "dst", destination, *esp.split())
    for direction, source, destination in (("out", local, remote), ("in", remote, local),
                                           ("fwd", remote, local)):
        host.run("ip", "xfrm", "policy", "add", "dir", direction, "mark", "8", "tmpl",
                 "src", source, "dst", destination, "proto", "esp", "mode", "tunnel")


def remove_kernel_tunnel(host, device, namespace=None):
    host.run("ip", *(["-n", namespace] if namespace else []), "link", "delete", device)
    host.sh("ip xfrm policy flush 2>/dev/null || true; ip xfrm state flush 2>/dev/null || true")


# ---- The scenes

class Cable:
    """The profile's computer and the gateway, with a cable between them on which nothing is
    secret. The computer asks, the gateway answers."""

    where = ()  # the command that speaks from somewhere else on the host `speaker`

    def __init__(self, lab, row):
        self.row = row
        self.near, self.far = lab.add_host("near"), lab.add_host("far")
        lab.link(self.near, self.far, V4, V6)
        self.way = (self.far, "wan0")
        self.speaker = self.near
        self.targets = [address.split("/")[0] for address in replaced.addresses(row.gateway)]

    def talk(self, versions=(4, 6), rename=str):
        """One conversation a family; how many packets it takes at least."""
        return ask(self.speaker, [rename(target) for target in self.targets
                                  if version(target) in versions], self.where)

    @contextlib.contextmanager
    def kernel(self, name):
        """Yields whether this kernel has such a tunnel; if so, it is there."""
        kind = KINDS[name]
        ends = ((self.near, NEAR, FAR, self.row.profile), (self.far, FAR, NEAR, self.row.gateway))
        if not all([add_kernel_tunnel(host, "t0", name, local[kind.outside], remote[kind.outside])
                    for host, local, remote, _chosen in ends]):
            yield False
            return
        for host, _local, _remote, chosen in ends:
            self.configure(host, "t0", self.inside(name, chosen), kind.inside)
        yield True
        for host, _local, _remote, _chosen in ends:
            remove_kernel_tunnel(host, "t0")

    def configure(self, *argv):
        configure(*argv)

    def programs(self):
        return [Culvert(self.near), Culvert(self.far)]

    @staticmethod
    def inside(name, chosen):
        return {key: rename(name)(value) for key, value in chosen.items()}

    @contextlib.contextmanager
    def culvert(self):
        keys = [KeyPair.generate() for _ in range(2)]
        ends = self.programs()
        gateway = self.row.gateway | {"ListenPort": replaced.PORT}
        for end, chosen, own, other in ((ends[0], self.row.profile, *keys),
                                        (ends[1], gateway, *reversed(keys))):
            load(end, replaced.conf(chosen, own.private, other.public))
            self.configure(end.host, end.name, chosen)
        yield
        for end in ends:
            end.stop()


class Ethernet(Cable):
    """They speak in frames that are not IP's. Addresses are for the tunnel alone: no interface has
    one."""

    def talk(self, versions=(4, 6), rename=str):
        return ask_in_frames(self.near, self.device, self.far, self.device)

    def configure(self, host, device, chosen, versions=(4, 6)):
        self.device = device
        host.run("ip", "link", "set", device, "up")

    def programs(self):
        (address,) = replaced.addresses(self.row.profile)
        options = ("--tap", "--vtep", address.split("/")[0])
        assert self.row.command[:-2] == ("culvert", *options[:-1])
        return [Culvert(self.near, options=options),
                Culvert(self.far, self.row.command[-1], options=self.row.command[1:-1])]


class Sites(Cable):
    """A network behind each of the two, whose hosts talk; both forward."""

    def __init__(self, lab, row):
        super().__init__(lab, row)
        hosts = []
        for number, (router, networks) in enumerate(zip((self.far, self.near), replaced.SITES)):
            router.forward()
            hosts.append(lab.add_host(f"site{number}"))
            lab.link(hosts[-1], router, *networks, names=("wan0", "lan0"))
        self.targets = replaced.SITES[0].values()
        self.speaker = hosts[1]


class Namespaces(Cable):
    """A machine with a hub, and two namespaces on it, which talk. All that they have beside their
    loopback interface is the tunnel."""

    names = {"red": 2, "blue": 3}   # and the last digit of their addresses

    def __init__(self, lab, row):
        self.row = row
        self.machine = lab.add_host("machine")
        self.machine.forward()
        self.machine.run("ip", "address", "add", f"{FAR[4]}/32", "dev", "lo")
        for name in self.names:
            self.machine.run("ip", "netns", "add", name)
        self.way = (self.machine, "lo")
        self.speaker, self.where = self.machine, ("ip", "netns", "exec", "red")
        self.targets = [self.of("blue", address.split("/")[0])
                        for address in replaced.addresses(row.profile)]

    def talk(self, versions=(4, 6), rename=str):
        return 2 * super().talk(versions, rename)   # to the hub, and from it

    def of(self, name, text):
        """What the row says of its one namespace, for this one."""
        return re.sub(r"^10\.8\.0\.2\b", f"10.8.0.{self.names[name]}", text)

    def chosen(self, name):
        """(the namespace's, the hub's for it)"""
        return [{key: self.of(name, value) for key, value in chosen.items()}
                for chosen in (self.row.profile, self.row.gateway)]

    def move(self, name, chosen):
        self.machine.run("ip", "link", "set", name, "netns", name)
        configure(self.machine, name, chosen, namespace=name)

    @contextlib.contextmanager
    def kernel(self, name):
        found = []
        for space, number in self.names.items():
            own, hub = self.chosen(space)
            here, there = "127.0.0.1", f"127.0.0.{number}"
            found.append(add_kernel_tunnel(self.machine, space, name, there, here)
                         and add_kernel_tunnel(self.machine, f"to-{space}", name, here, there))
            if found[-1]:
                self.move(space, own)
                configure(self.machine, f"to-{space}", hub)
        yield all(found)
        for space in self.names if all(found) else ():
            remove_kernel_tunnel(self.machine, space, space)
            remove_kernel_tunnel(self.machine, f"to-{space}")

    @contextlib.contextmanager
    def culvert(self):
        hub, hub_keys = Culvert(self.machine), KeyPair.generate()
        ends = []
        hub.conf("setconf", f"[Interface]\nPrivateKey = {hub_keys.private}\n"
                            f"ListenPort = {replaced.PORT}\n")
        configure(self.machine, hub.name, self.row.gateway)
        for space in self.names:
            keys = KeyPair.generate()
            own, of_hub = self.chosen(space)
            hub.conf("addconf", f"[Peer]\nPublicKey = {keys.public}\n"
                                f"AllowedIPs = {of_hub['AllowedIPs']}\n")
            ends.append(Culvert(self.machine, space))
            load(ends[-1], replaced.conf(own, keys.private, hub_keys.public))
            self.move(space, own)
        wait_for(lambda: all(peer[HANDSHAKE] != "0" for peer in hub.dump()[1].values()),
                 "every namespace to tell the hub where it is")
        yield
        for end in (*ends, hub):
            end.stop()


def load(end, conf):
    """As culvert(8) has it under WITHOUT WG-QUICK."""
    end.host.write(f"/run/lab/{end.name}.conf", conf, 0o600)
    stripped = end.host.run("wg-quick", "strip", f"/run/lab/{end.name}.conf").stdout
    end.conf("setconf", stripped)


def rename(kind):
    """isatap has the outer address in the inner one."""
    if kind != "isatap":
        return str
    return lambda text: re.sub(r"\bfd08::(\d)\b", r"fd08::5efe:192.0.2.\1", text)


SCENES = {
    "IPv4 in IPv4": Cable,
    "IPv6 in IPv4": Cable,
    "IPv4 in IPv6": Cable,
    "IPv6 in IPv6": Cable,
    "Any EtherType": Ethernet,
    "Site to site": Sites,
    "Namespaces of one machine": Namespaces,
}


# ---- The tests

def test_table():
    """README.md and this file know the same."""
    rows = replaced.rows()
    assert list(rows) == list(SCENES)
    assert {kind for row in rows.values() for kind in row.kernel} == set(KINDS)


@pytest.fixture
def scene(title, request):
    folder = os.environ.get("CULVERT_LOGS")
    with Lab(os.path.join(folder, request.node.name.replace(" ", "-")) if folder else None) as lab:
        yield SCENES[title](lab, replaced.rows()[title])


@pytest.mark.parametrize("title", SCENES)
def test_row(scene):
    for name in scene.row.kernel:
        with scene.kernel(name) as there:
            if there:
                in_clear(scene, name)
    with scene.culvert():
        encrypted(scene)


def in_clear(scene, name):
    kind = KINDS[name]
    with Recording(*scene.way) as recording:
        count = scene.talk(kind.inside, rename(name))
        packets = recording.wait(lambda packet: packet.protocol == kind.protocol, count, name)
    assert {packet.protocol for packet in packets} == {kind.protocol}, name
    count = 0 if kind.protocol == ESP else count
    assert readable(packets) >= count if count else not readable(packets), name


def encrypted(scene):
    with Recording(*scene.way) as recording:
        packets = recording.wait_for_wireguard(scene.talk())
    assert not readable(packets)
