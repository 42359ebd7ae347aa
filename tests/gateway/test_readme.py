# SPDX-License-Identifier: LGPL-2.1-or-later
"""README.md's “Run a gateway”, word for word: its commands and files, on a gateway and a laptop
with an internet behind it; and “Connect two networks by Ethernet”. And culvert(8). Left out are apt
and systemctl, since no systemd runs here: the commands of its unit are run with the environment of
the drop-in instead."""

import os
import re

import pytest

from conftest import end_of
from lab import wait_for

PROGRAM = os.environ.get("CULVERT", "culvert")
NAME = os.path.basename(PROGRAM)
MANUAL = os.environ.get("CULVERT_MANUAL", "")
README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
UNIT = "/lib/systemd/system/wg-quick@.service"

# culvert as if it were installed.
PATH = {"PATH": f"{os.path.dirname(PROGRAM)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                "/sbin:/bin"}


def section(name):
    with open(README, encoding="utf-8") as file:
        return re.search(rf"\n## {name}\n(.*?)\n## ", file.read(), re.S)[1]


def blocks(text):
    """The indented blocks of a section, in their order."""
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, re.M)
    return [re.sub(r"^ {4}", "", block.strip("\n"), flags=re.M) + "\n" for block in found]


def commands(block, *left_out):
    lines = block.splitlines()
    assert all(any(line.startswith(word) for line in lines) for word in left_out)
    return "\n".join(line for line in lines if not line.startswith(left_out))


def fill(conf, **values):
    for words, value in values.items():
        conf, count = re.subn(rf"\({words.replace('_', '.')}\)", value, conf)
        assert count == 1, words
    return conf


@pytest.fixture
def machines(lab):
    """A laptop, a gateway, and a host in the internet, which knows no way to the laptop. Each of
    the first two has an /etc of its own for what the README writes there."""
    laptop, office, internet = made = [lab.add_host(name)
                                       for name in ("laptop", "office", "internet")]
    lab.link(laptop, office, "192.0.2.0/24", names=("wan0", "lan0"))
    lab.link(office, internet, "203.0.113.0/24", "2001:db8:1::/64", names=("wan0", "wan0"))
    for host in (laptop, office):
        for folder in ("/etc/wireguard", "/etc/systemd/system"):
            host.run("mkdir", "-p", folder)
            host.run("mount", "-t", "tmpfs", "tmpfs", folder)
    yield made
    for host in made:
        assert not host.pids(NAME)
        lab.hosts.remove(host)
        host.close()


def make_key(host, block):
    """(private, public)"""
    public = host.sh(commands(block, "apt install"))
    return host.read("/etc/wireguard/gw0.key").strip(), public


def unit(host, what):
    """Runs a line of wg-quick's systemd unit as systemd would, with the README's drop-in."""
    with open(UNIT, encoding="ascii") as file:
        line = re.search(rf"^{what}=(.*)$", file.read(), re.M)[1].replace("%i", "gw0")
    drop_in = host.read("/etc/systemd/system/wg-quick@gw0.service.d/culvert.conf")
    section, environment = drop_in.splitlines()
    assert section == "[Service]"
    name, value = environment.removeprefix("Environment=").split("=")
    return host.run(*line.split(" "), env=PATH | {name: value}).stdout


def test_run_a_gateway(machines):
    laptop, office, internet = machines
    keys, gateway_conf, systemd, laptop_conf = blocks(section("Run a gateway"))
    gateway_private, gateway_public = make_key(office, keys)
    laptop_private, laptop_public = make_key(laptop, keys)
    office.write("/etc/wireguard/gw0.conf",
                 fill(gateway_conf, what_is_in_gw0_key=gateway_private,
                      the_laptop_s_public_key=laptop_public), 0o600)
    laptop.write("/etc/wireguard/gw0.conf",
                 fill(laptop_conf, the_laptop_s=laptop_private,
                      the_gateway_s_public_key=gateway_public)
                 .replace("gateway.example.com", "192.0.2.1"), 0o600)
    before = office.output("nft", "list", "ruleset")

    office.sh(commands(systemd, "systemctl"))
    assert "culvert gw0" in unit(office, "ExecStart")
    laptop.run("wg-quick", "up", "gw0",
               env=PATH | {"WG_QUICK_USERSPACE_IMPLEMENTATION": "culvert"})
    for address in ("10.8.0.1", "fd08::1", "203.0.113.1", "2001:db8:1::1"):
        assert laptop.succeeds("ping", "-c2", "-i0.01", "-w8", address), address
    assert "latest handshake" in office.output("wg", "show", "gw0")
    # It was the gateway that asked, as far as the internet knows.
    assert not internet.succeeds("ping", "-c1", "-w1", "10.8.0.2")

    pids = {host: host.pids(NAME) for host in (laptop, office)}
    laptop.run("wg-quick", "down", "gw0", env=PATH)
    unit(office, "ExecStop")
    for host, (pid,) in pids.items():
        end_of(pid)
    assert office.output("nft", "list", "ruleset") == before
    assert office.sh("ls -A /run/wireguard") == ""


# ---- Ethernet

ETHERNET = section("Connect two networks by Ethernet")

PORT = "192.0.2.1:51820"


def swapped(text):
    """What the one end does, as the other does it."""
    return text.replace("10.8.0.1", "10.8.0.*").replace("10.8.0.2", "10.8.0.1").replace(
        "10.8.0.*", "10.8.0.2")


@pytest.fixture
def sites(lab):
    """Two gateways, each with a host at its eth1, which know nothing of each other's network."""
    office, home, *hosts = made = [lab.add_host(name)
                                   for name in ("office", "home", "desk", "sofa")]
    lab.link(home, office, "192.0.2.0/24", names=("wan0", "wan0"))
    for number, (gateway, host) in enumerate(zip((office, home), hosts), 1):
        gateway.run("mkdir", "-p", "/etc/wireguard")
        gateway.run("mount", "-t", "tmpfs", "tmpfs", "/etc/wireguard")
        lab.link(host, gateway, names=("eth0", "eth1"))
        host.run("ip", "address", "add", f"10.9.0.{number}/24", "dev", "eth0")
        host.run("ip", "address", "add", f"fd09::{number}/64", "dev", "eth0", "nodad")
    yield made
    for host in made:
        lab.hosts.remove(host)
        host.close()


def make_tap_key(gateway):
    (command,) = (" ".join(code.split()) for code in re.findall(r"`([^`]*)`", ETHERNET)
                  if "genkey" in code)
    return gateway.sh(f"umask 077; {command}")


def start_tap(gateway, conf, switch, other_key, endpoint=""):
    gateway.write("/etc/wireguard/tap0.conf",
                  fill(conf, what_is_in_tap0_key=gateway.read("/etc/wireguard/tap0.key").strip(),
                       the_other_end_s_public_key=other_key) + endpoint, 0o600)
    gateway.sh(switch, env=PATH)


def check_network(hosts):
    """Everything that Ethernet is wanted for, and packets of its usual size."""
    one, other = hosts
    wait_for(lambda: one.succeeds("ping", "-c1", "-w1", "10.9.0.2"), "the other network")
    for host, number in ((one, 2), (other, 1)):
        for argv in (["-M", "do", "-s", "1472", f"10.9.0.{number}"],
                     ["-M", "do", "-s", "1452", f"fd09::{number}"]):
            assert host.succeeds("ping", "-c3", "-i0.01", "-w8", *argv), argv
    other.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_broadcasts=0")
    assert "bytes from 10.9.0.2" in one.output("ping", "-b", "-c1", "-w8", "10.9.0.255")


def end_tap(gateway):
    (pid,) = gateway.pids(NAME)
    gateway.run("ip", "link", "delete", "tap0")
    end_of(pid)


def test_networks_by_culvert(sites):
    office, home, *hosts = sites
    conf, switch, _kernel = blocks(ETHERNET)
    keys = {gateway: make_tap_key(gateway) for gateway in (office, home)}
    start_tap(office, conf, switch, keys[home])
    start_tap(home, swapped(conf), swapped(switch), keys[office], f"Endpoint = {PORT}\n")
    check_network(hosts)
    for gateway in (office, home):
        end_tap(gateway)


@pytest.mark.parametrize("program", [("wireguard-go", "-f"), (PROGRAM, "-f")],
                         ids=["wireguard-go", "culvert"])
def test_networks_by_the_kernels_vxlan(sites, program):
    """On a tunnel of packets, whoever makes it."""
    office, home, *hosts = sites
    conf, switch, kernel = blocks(ETHERNET)
    keys = {gateway: make_tap_key(gateway) for gateway in (office, home)}
    tunnel = office.spawn(*program, "gw0", log="tunnel")
    wait_for(lambda: office.succeeds("wg", "show", "gw0"), "the program to make gw0")
    office.run("wg", "set", "gw0", "private-key", "/etc/wireguard/tap0.key", "listen-port", "51820",
               "peer", keys[home], "allowed-ips", "10.8.0.2/32")
    office.run("ip", "address", "add", "10.8.0.1/24", "dev", "gw0")
    office.run("ip", "link", "set", "gw0", "up")
    office.sh(kernel)
    start_tap(home, swapped(conf), swapped(switch), keys[office], f"Endpoint = {PORT}\n")
    check_network(hosts)
    end_tap(home)
    office.stop(tunnel)


# ---- culvert(8)

def manual():
    with open(MANUAL, encoding="utf-8") as file:
        return re.sub(r"\\-", "-", file.read())


def test_manual_has_the_options(host):
    text, help_text = manual(), host.output(PROGRAM, "--help")
    options = set(re.findall(r"--[a-z][a-z-]+", help_text))
    assert len(options) >= 4 and options <= set(re.findall(r"--[a-z][a-z-]+", text))
    synopsis = re.search(r"^\.SH SYNOPSIS$.*?^\.SH ", text, re.S | re.M)[0]
    assert options == set(re.findall(r"--[a-z][a-z-]+", synopsis))


def test_manual_has_the_environment(host):
    described = re.search(r"^\.SH ENVIRONMENT$.*?^\.SH ", manual(), re.S | re.M)[0]
    variables = re.findall(r"^  ([A-Z_]+)  ", host.output(PROGRAM, "--help"), re.M)
    assert len(variables) >= 4
    for name in (*variables, "WG_PROCESS_FOREGROUND"):
        assert f".B {name}\n" in described
    for value in ("verbose", "debug", "info", "error", "silent", "yes", "no"):
        assert re.search(rf"^\.BR? {value}\b", described, re.M), value


def test_manual_without_wg_quick(machines):
    """The commands under WITHOUT WG-QUICK."""
    _laptop, office, _internet = machines
    office.write("/etc/wireguard/gw0.conf", "[Interface]\nAddress = 10.8.0.1/24\nListenPort = 7\n")
    block = re.search(r"^\.SH WITHOUT WG-QUICK$.*?^\.nf$\n(.*?)^\.fi$", manual(), re.S | re.M)[1]
    office.run("bash", "-ec", block, env=PATH)
    assert office.output("wg", "show", "gw0", "listen-port") == "7"
    wait_for(lambda: ":7 " in office.output("ss", "-Hlun"), "the port to open")
    assert "10.8.0.1/24" in office.output("ip", "address", "show", "dev", "gw0")
    (pid,) = office.pids(NAME)
    office.run("ip", "link", "delete", "gw0")
    end_of(pid)
