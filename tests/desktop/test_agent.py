# SPDX-License-Identifier: LGPL-2.1-or-later
"""nm-applet as the secret agent of a graphical session: it asks for what is missing, keeps it in
the keyring where the profile says so, and does not ask again."""

import pytest

from lab import KeyPair, generate_psk, wait_for
from lab.session import Session

APPLET = "nm-applet"


@pytest.fixture(scope="module", name="session")
def fixture_session(started):
    session = Session(started.desktop)
    session.start()
    session.start_applet()
    yield session
    session.stop()


def start(session):
    """Activates the VPN as a person does, who then waits."""
    return session.spawn("nmcli", "--wait", "60", "connection", "up", "office", log="nmcli")


def wait_until_asked(session, label):
    session.wait_for_widget(APPLET, "password text", label, "FOCUSED")


def connected(network, process):
    assert process.wait(60) == 0, network.desktop.log("nmcli")
    assert network.ping("10.8.0.1")


def profiles(network):
    """All profiles as NetworkManager stores them."""
    return network.desktop.sh("cat /etc/NetworkManager/system-connections/*")


def test_a_key_for_this_user_is_asked_for_once(network, session, account):
    data, keys = account
    network.add_vpn("office", data | {"private-key-flags": "1"})
    identity = network.desktop.get("office", "connection.uuid")
    process = start(session)
    wait_until_asked(session, "Private key")
    assert session.find(APPLET, "label", "The VPN “office” needs a key*")
    session.type(keys.private)
    session.screenshot("applet")
    session.keys("Return")
    connected(network, process)
    wait_for(lambda: session.kept(identity, "private-key") == keys.private, "the key to be stored")
    assert keys.private not in profiles(network)
    network.down()
    # Nobody is at the keyboard now.
    connected(network, start(session))


def test_a_key_for_all_users_is_asked_for_once(network, session, account):
    data, keys = account
    network.add_vpn("office", data)
    process = start(session)
    wait_until_asked(session, "Private key")
    session.type(keys.private)
    session.keys("Return")
    connected(network, process)
    wait_for(lambda: keys.private in profiles(network), "the key to be stored")
    network.down()
    connected(network, start(session))


def test_a_key_that_nobody_keeps_is_asked_for_each_time(network, session, account):
    data, keys = account
    network.add_vpn("office", data | {"private-key-flags": "2"})
    identity = network.desktop.get("office", "connection.uuid")
    for _time in range(2):
        process = start(session)
        wait_until_asked(session, "Private key")
        session.type(keys.private)
        session.keys("Return")
        connected(network, process)
        assert not session.kept(identity, "private-key")
        assert keys.private not in profiles(network)
        network.down()


def test_several_keys_are_asked_for_at_once(network, session, account):
    data, keys = account
    psk, unused = generate_psk(), generate_psk()
    network.secrets += [psk, unused]
    network.office.add_peer(keys.public, "10.8.0.2/32", psk)
    network.add_vpn("office", data | {
        "private-key-flags": "1", "preshared-key-flags": "1", "peer2-preshared-key-flags": "2",
        "peer2-public-key": KeyPair.generate().public, "peer2-allowed-ips": "10.77.0.0/16"})
    process = start(session)
    wait_until_asked(session, "Private key")
    session.type(keys.private)
    session.keys("Tab")
    wait_until_asked(session, "Preshared key")
    session.type(psk)
    session.keys("Tab")
    wait_until_asked(session, "Preshared key of peer 2")
    session.type(unused)
    session.keys("Return")
    connected(network, process)


def test_nothing_is_asked_that_is_not_required(network, session, account):
    data, keys = account
    network.add_vpn("office", data | {"private-key-flags": "0", "preshared-key-flags": "4"},
                    {"private-key": keys.private})
    connected(network, start(session))


def test_who_cancels_is_left_in_peace(network, session, account):
    data, _keys = account
    network.add_vpn("office", data | {"private-key-flags": "1"})
    process = start(session)
    wait_until_asked(session, "Private key")
    session.keys("Escape")
    assert process.wait(60) != 0
    assert not session.find(APPLET, "password text", "*")
    assert "nobody gave the secret “private-key”" in network.journal()
