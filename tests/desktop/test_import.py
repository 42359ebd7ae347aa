# SPDX-License-Identifier: LGPL-2.1-or-later
"""`nmcli connection import` and `export`: a .conf becomes a profile and the other way round."""

import os

import pytest

from lab import Conf, KeyPair, generate_psk, wait_for

FIELDS = ("vpn.data", "vpn.secrets", "ipv4.method", "ipv4.addresses", "ipv4.dns",
          "ipv4.dns-search", "ipv6.method", "ipv6.addresses", "ipv6.dns", "ipv6.dns-search")


def profile(network, name):
    """The settings of a profile, with its secrets."""
    return {field: network.desktop.nmcli("--show-secrets", "-g", field, "connection", "show",
                                         name).stdout for field in FIELDS}


def import_fails(network, path):
    result = network.desktop.nmcli("connection", "import", "type", "culvert", "file", path,
                                   check=False)
    assert result.returncode != 0
    assert ":vpn" not in network.desktop.nmcli("-g", "NAME,TYPE", "connection").stdout
    return result.stdout


def test_keys_become_secrets(network):
    conf = network.conf(network.office, psk=generate_psk())
    network.add(conf)
    settings = profile(network, "office")
    private, psk = network.secrets
    assert private in settings["vpn.secrets"] and psk in settings["vpn.secrets"]
    assert private not in settings["vpn.data"] and psk not in settings["vpn.data"]
    assert network.office.keys.public in settings["vpn.data"].replace("\\", "")


def test_name_longer_than_an_interface_name(network):
    name = "the-office-in-the-old-town"
    network.add(network.conf(network.office), name)
    network.up(name)
    assert network.desktop.active() == [name]
    assert network.ping("10.8.0.1")


def test_export_and_import_again(network):
    conf = network.conf(network.office, psk=generate_psk(), keepalive=25, MTU="1400",
                        DNS="10.8.0.1, office.example", ListenPort="51000", FwMark="0x51",
                        Address="10.8.0.2/24, fd08::2/64, fd08::3/64",
                        allowed_ips="10.8.0.0/24, 192.168.7.0/24, fd08::/64")
    conf.peer(PublicKey=KeyPair.generate().public, AllowedIPs="10.77.0.0/16",
              Endpoint="[2001:db8:3::2]:51820")
    network.add(conf)
    exported = os.path.join(network.folder, "copy.conf")
    network.desktop.nmcli("connection", "export", "office", exported)
    network.desktop.nmcli("connection", "import", "type", "culvert", "file", exported)
    assert profile(network, "copy") == profile(network, "office")
    network.up("copy")
    assert network.ping("10.8.0.1")


def test_stock_tools_take_what_is_exported(network):
    """The exported file works with wg-quick and wg, on the gateway's machine."""
    network.add(network.conf(network.office, psk=generate_psk(), keepalive=25, DNS="10.8.0.1"))
    exported = os.path.join(network.folder, "taken.conf")
    network.desktop.nmcli("connection", "export", "office", exported)
    network.branch.sh(f"wg-quick strip {exported} > /run/lab/stripped.conf")
    network.branch.spawn("wireguard-go", "-f", "wg1", log="wg1")
    wait_for(lambda: network.branch.succeeds("wg", "show", "wg1"), "wireguard-go to make wg1")
    try:
        network.branch.sh("wg setconf wg1 /run/lab/stripped.conf\n"
                          "ip address add 10.8.0.2/24 dev wg1; ip link set wg1 up")
        # Long enough for a second handshake: wireguard-go may not be up for the first, under load.
        assert network.branch.succeeds("ping", "-c1", "-w15", "10.8.0.1")
    finally:
        network.branch.run("ip", "link", "delete", "wg1")


def test_commands_are_named_and_left_out(network):
    conf = network.conf(network.office, PostUp="touch /run/lab/ran", PreDown="touch /run/lab/ran",
                        SaveConfig="true")
    said = network.add(conf)
    for key in ("PostUp", "PreDown", "SaveConfig"):
        line, = (line for line in said.splitlines() if key in line)
        assert "left out" in line
    network.up()
    network.down()
    assert not network.desktop.succeeds("test", "-e", "/run/lab/ran")


@pytest.mark.parametrize("content, line", [
    ("client\nremote vpn.example 1194\n", 1),
    ("[Interface]\nPrivateKey = {private}\nAddress = 10.8.0.2/24\nColour = green\n", 4),
    ("[Interface]\nPrivateKey = {private}\nAddress = 10.8.0.299/24\n", 3),
    ("[Interface]\nPrivateKey = {private}\nAddress = 10.8.0.2/24\n[Peer]\nEndpoint = here\n", 5),
])
def test_what_is_no_conf_is_refused_with_file_and_line(network, content, line):
    private = KeyPair.generate().private
    path = os.path.join(network.folder, "strange.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(content.format(private=private))
    said = import_fails(network, path)
    assert f"strange.conf:{line}" in said
    assert private not in said


def test_binary_file_is_refused(network):
    path = os.path.join(network.folder, "photo.conf")
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)))
    said = import_fails(network, path)
    assert "photo.conf" in said and "not a WireGuard .conf" in said


def test_file_that_is_not_there(network):
    said = import_fails(network, os.path.join(network.folder, "nowhere.conf"))
    assert "nowhere.conf" in said


def test_conf_without_a_peer_is_refused(network):
    conf = Conf(PrivateKey=KeyPair.generate().private, Address="10.8.0.2/24")
    assert "at least one peer" in import_fails(network, network.save(conf, "lonely"))
