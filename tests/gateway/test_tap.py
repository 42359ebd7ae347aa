# SPDX-License-Identifier: LGPL-2.1-or-later
"""`culvert --tap`: what it is started with. What it then does is in ../ethernet."""

import json
import os

import pytest

from conftest import Culvert
from lab import KeyPair

PROGRAM = os.environ.get("CULVERT", "culvert")


@pytest.mark.parametrize("options, said", [
    (["--tap"], "--tap needs --vtep"),
    (["--vtep", "10.8.0.1"], "add --tap"),
    (["--vxlan-id", "5"], "add --tap"),
    (["--tap", "--vtep", "10.8.0.1/24"], "“10.8.0.1/24” cannot be"),
    (["--tap", "--vtep", "gateway"], "“gateway” cannot be"),
    (["--tap", "--vtep", "0.0.0.0"], "“0.0.0.0” cannot be"),
    (["--tap", "--vtep", "224.0.0.1"], "“224.0.0.1” cannot be"),
    (["--tap", "--vtep", "127.0.0.1"], "“127.0.0.1” cannot be"),
    (["--tap", "--vtep", "ff02::1"], "“ff02::1” cannot be"),
    (["--tap", "--vtep", "fe80::1"], "“fe80::1” cannot be"),
    (["--tap", "--vtep", "10.8.0.1", "--vxlan-id", "0"], "“0” is not the number of a VXLAN"),
    (["--tap", "--vtep", "10.8.0.1", "--vxlan-id", "16777216"], "“16777216” is not the number"),
    (["--tap", "--vtep", "10.8.0.1", "--vxlan-id", "one"], "“one” is not the number"),
])
def test_refused(host, options, said):
    result = host.run(PROGRAM, *options, "gw0", check=False, timeout=10)
    assert result.returncode == 1 and said in result.stdout
    assert not host.succeeds("ip", "link", "show", "gw0")


@pytest.mark.parametrize("options, env, mtu", [
    (["--tap", "--vtep", "10.8.0.1"], {}, 1370),
    (["--tap", "--vtep", "fd08::1", "--vxlan-id", "16777215"], {}, 1350),
    ([], {"CULVERT_VTEP": "10.8.0.1"}, 1370),
    ([], {"CULVERT_VTEP": "fd08::1", "CULVERT_VXLAN_ID": "7"}, 1350),
    (["--vtep", "fd08::1"], {"CULVERT_VTEP": "10.8.0.1"}, 1350),
])
def test_device(host, options, env, mtu):
    made = Culvert(host, env=env, options=options)
    link, = json.loads(host.output("ip", "-json", "-details", "link", "show", "gw0"))
    made.stop()
    assert link["linkinfo"]["info_data"]["type"] == "tap"
    assert (link["link_type"], link["mtu"]) == ("ether", mtu)


@pytest.mark.parametrize("env", [{"CULVERT_VTEP": ""}, {"CULVERT_VXLAN_ID": "7"},
                                 {"CULVERT_VTEP": "", "CULVERT_VXLAN_ID": ""}])
def test_nothing_of_ethernet(host, env):
    """Set for all, or emptied by a unit's drop-in."""
    made = Culvert(host, env=env)
    link, = json.loads(host.output("ip", "-json", "-details", "link", "show", "gw0"))
    made.stop()
    assert link["linkinfo"]["info_data"]["type"] == "tun"


def test_vtep_belongs_to_no_interface(host):
    made = Culvert(host, options=["--tap", "--vtep", "10.8.0.1"])
    made.up()
    assert "10.8.0.1" not in host.output("ip", "address")
    made.stop()


@pytest.mark.parametrize("options, said", [
    (["--vtep", "10.8.0.1"], "Ethernet: VXLAN 1, port 4789, from 10.8.0.1 in the tunnel"),
    (["--vtep", "fd08::1", "--vxlan-id", "7"],
     "Ethernet: VXLAN 7, port 4789, from fd08::1 in the tunnel")])
def test_other_ends_are_told_what_to_use(host, options, said):
    """At the level that the log has by default."""
    made = Culvert(host, options=["--tap", *options], level="")
    made.wait_log(said)
    made.stop()


# A frame out of gw0: its beginning in hex, and so many zeroes.
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FRAMES = os.path.join(TESTS, "ethernet", "frames.py")


def send_and_wait_log(culvert, head, zeroes, said):
    """What is counted is in the log when the interface goes down."""
    culvert.up()
    culvert.host.run("/usr/bin/python3", FRAMES, "send", "gw0", head + "00" * zeroes, 1)
    culvert.host.run("ip", "link", "set", "gw0", "down")
    culvert.wait_log(said)
    culvert.stop()


def test_drops_are_logged(host):
    """A frame that no switch passes on, of the interface itself."""
    made = Culvert(host, options=["--tap", "--vtep", "10.8.0.1"], level="debug")
    send_and_wait_log(made, "0180c2000000" "020000000001" "0027", 46, " 1 for neighbours only")


def test_frames_not_sent_are_counted(host):
    """One that the device takes, and that is too large for an IP packet with VXLAN around it."""
    made = Culvert(host, options=["--tap", "--vtep", "10.8.0.1"], level="debug")
    made.set("peer", KeyPair.generate().public, "allowed-ips", "10.8.0.2/32")
    host.run("ip", "link", "set", "gw0", "mtu", "65521")
    send_and_wait_log(made, "020000000002" "020000000001" "88b5", 65500, " 1 that cannot be sent")
