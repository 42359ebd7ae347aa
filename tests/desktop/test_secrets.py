# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys that are not in the profile: who is asked for them, where they stay, and what is said when
there is nobody to ask."""

import os

import pytest

from lab import generate_psk, wait_for

FLAGS = {"kept in the profile": "0", "kept by an agent": "1", "not kept": "2"}


def up(network, *options, stdin=None, arguments=()):
    return network.desktop.nmcli("--wait", 30, *options, "connection", "up", "office", *arguments,
                                 stdin=stdin, check=False)


def stored(network):
    """All profiles as NetworkManager keeps them."""
    return network.desktop.sh("cat /etc/NetworkManager/system-connections/*")


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS.keys())
def test_nmcli_asks(network, account, flags):
    data, keys = account
    network.add_vpn("office", data | {"private-key-flags": flags})
    said = up(network, "--ask", stdin=keys.private + "\n")
    assert said.returncode == 0, said.stdout
    assert "Private key" in said.stdout and keys.private not in said.stdout
    assert network.ping("10.8.0.1")
    assert (keys.private in stored(network)) == (flags == "0")


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS.keys())
def test_passwd_file(network, account, flags):
    data, keys = account
    network.add_vpn("office", data | {"private-key-flags": flags})
    path = os.path.join(network.folder, "keys")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"vpn.secrets.private-key:{keys.private}\n")
    said = up(network, arguments=["passwd-file", path])
    assert said.returncode == 0, said.stdout
    assert network.ping("10.8.0.1")


def test_what_was_asked_for_is_stored(network, account):
    """A key that the profile keeps is asked for once."""
    data, keys = account
    network.add_vpn("office", data)
    assert up(network, "--ask", stdin=keys.private + "\n").returncode == 0
    network.down()
    network.up()
    assert network.ping("10.8.0.1")


def test_all_that_is_missing_is_asked_for_at_once(network, account):
    data, keys = account
    psk = generate_psk()
    network.secrets.append(psk)
    network.office.add_peer(keys.public, "10.8.0.2/32", psk)
    network.add_vpn("office", data | {"private-key-flags": "1", "preshared-key-flags": "2"})
    said = up(network, "--ask", stdin=f"{keys.private}\n{psk}\n")
    assert said.returncode == 0, said.stdout
    assert "Private key" in said.stdout and "Preshared key" in said.stdout
    assert network.ping("10.8.0.1")


def test_only_what_is_missing_is_asked_for(network, account):
    data, keys = account
    psk = generate_psk()
    network.secrets.append(psk)
    network.office.add_peer(keys.public, "10.8.0.2/32", psk)
    network.add_vpn("office", data | {"preshared-key-flags": "1"}, {"private-key": keys.private})
    said = up(network, "--ask", stdin=psk + "\n")
    assert said.returncode == 0, said.stdout
    assert "Private key" not in said.stdout and "Preshared key" in said.stdout
    assert network.ping("10.8.0.1")


def test_what_is_typed_is_checked(network, account):
    """The refusal names the secret, and does not repeat it."""
    data, _keys = account
    network.secrets.append("c2VjcmV0IGFuZCB0b28gc2hvcnQ=")
    network.add_vpn("office", data | {"private-key-flags": "2"})
    said = up(network, "--ask", stdin=network.secrets[-1] + "\n")
    assert said.returncode != 0
    assert "refused: private-key: this is not a key" in network.journal()


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS.keys())
def test_nobody_to_ask(network, account, flags):
    data, _keys = account
    network.add_vpn("office", data | {"private-key-flags": flags})
    said = up(network)
    assert said.returncode != 0 and "secrets" in said.stdout
    # The log says what is needed, and how it ended, which NetworkManager tells nobody.
    wait_for(lambda: not network.desktop.pids("nm-culvert-service"), "the service to end")
    needed, outcome = network.journal().splitlines()
    assert "“office” needs the secret “private-key”" in needed
    assert "“office” failed: nobody gave the secret “private-key”" in outcome
