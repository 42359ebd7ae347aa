# SPDX-License-Identifier: LGPL-2.1-or-later
"""The desktop's own settings: GNOME Settings (GTK 4) and nm-connection-editor (GTK 3), real, used
over the bus of assistive technologies. What they save is read back from NetworkManager, and the
VPN comes up by GNOME's own switch."""

import os

import pytest
from lab import wait_for
from lab.session import Session

GNOME = "control-center"
EDITOR = "nm-connection-editor"
SWITCH = "Turn VPN connection off office"


@pytest.fixture(scope="module")
def session(started):
    session = Session(started.desktop)
    session.start()
    # GNOME Shell is the secret agent of its session; here it is this program.
    session.spawn("nm-applet", log="nm-applet")
    yield session
    session.close()


@pytest.fixture
def run(session):
    """Starts programs, which end with the test."""
    running = []

    def start(*argv, log, **env):
        running.append(session.spawn(*argv, log=log, **env))
    yield start
    for process in running:
        session.stop(process)


def shoot(session, name):
    folder = os.environ.get("CULVERT_SHOTS")
    if folder:
        os.makedirs(folder, exist_ok=True)
        session.screenshot(os.path.join(folder, name + ".png"))


def data(network):
    """vpn.data of the only VPN profile, as NetworkManager has stored it."""
    items = network.desktop.get("office", "vpn.data").split(", ")
    return dict(item.split(" = ", 1) for item in items)


def stored(network):
    return network.desktop.succeeds("nmcli", "connection", "show", "office")


def keep_key(network, key):
    """Gives the key to NetworkManager: that the keyring is asked is for other tests."""
    network.desktop.nmcli("connection", "modify", "office", "+vpn.data", "private-key-flags=0",
                          "+vpn.secrets", f"private-key={key}")


def is_up(network):
    return network.desktop.get("office", "GENERAL.STATE") == "activated"


def mtu(network):
    return data(network).get("mtu")


def test_gnome_adds_connects_and_edits(network, session, run):
    conf = network.conf(network.office, keepalive=1)
    run("gnome-control-center", "network", log="gnome-control-center")
    session.click(app=GNOME, role="push button", name="Add connection")
    session.point(app=GNOME, role="label", name="Culvert (WireGuard)")
    session.put(app=GNOME, role="text", name="Gateway", text=str(conf))
    session.put(app=GNOME, role="text", name="Name", text="office")
    shoot(session, "gnome-add")
    # Who keeps the key, by the keyboard: without a choice it is the user's keyring.
    session.point(app=GNOME, role="text", name="Your private key")
    session.keys(names=["alt+Down"])
    session.wait(app=GNOME, role="check box", name="Store the password for all users")
    session.keys(names=["Down"])
    session.click(app=GNOME, role="push button", name="Add")
    wait_for(lambda: stored(network), "NetworkManager to have the profile")
    assert data(network) == {
        "address": "10.8.0.2/24;fd08::2/64", "allowed-ips": "10.8.0.0/24;fd08::/64",
        "endpoint": network.endpoint(network.office) + ":51820", "persistent-keepalive": "1",
        "private-key-flags": "0", "public-key": network.office.keys.public}

    session.click(app=GNOME, role="check box", name=SWITCH)
    wait_for(lambda: is_up(network), "the VPN to be up", 20)
    assert network.ping("10.8.0.1")

    session.click(app=GNOME, role="push button", name="Options…")
    session.point(app=GNOME, role="label", name="Identity")
    session.wait(app=GNOME, role="label", name="Last handshake")
    assert any("Connected since" in text for text in session.texts(app=GNOME))
    shoot(session, "gnome-connected")
    session.click(app=GNOME, role="push button", name="Advanced")
    session.put(app=GNOME, role="text", name="MTU", text="12")
    wait_for(lambda: session.insensitive(app=GNOME, role="push button", name="Apply"), "no Apply")
    assert "“12” is not valid, expected is 0, or 68 to 65455" in session.texts(app=GNOME)
    session.put(app=GNOME, role="text", name="MTU", text="1380")
    session.click(app=GNOME, role="push button", name="Apply")
    wait_for(lambda: mtu(network) == "1380", "NetworkManager to have the change")

    session.click(app=GNOME, role="check box", name=SWITCH)
    wait_for(lambda: network.desktop.active() == [], "the VPN to be down")
    assert not network.ping("10.8.0.1", deadline=1)


def test_nm_connection_editor_adds_and_edits(network, session, run):
    conf = network.conf(network.office)
    run(EDITOR, "--create", "--type=vpn:org.freedesktop.NetworkManager.culvert", log=EDITOR)
    session.put(app=EDITOR, role="text", name="Gateway", text=str(conf))
    session.put(app=EDITOR, role="text", name="Connection name", text="office")
    shoot(session, "nm-connection-editor-add")
    session.click(app=EDITOR, role="push button", name="Save")
    wait_for(lambda: stored(network), "NetworkManager to have the profile")
    assert data(network)["public-key"] == network.office.keys.public
    assert data(network)["private-key-flags"] == "1"
    uuid = network.desktop.get("office", "connection.uuid")

    run(EDITOR, f"--edit={uuid}", log=EDITOR)
    session.click(app=EDITOR, role="toggle button", name="Advanced")
    session.put(app=EDITOR, role="text", name="MTU", text="1380")
    session.click(app=EDITOR, role="push button", name="Save")
    wait_for(lambda: mtu(network) == "1380", "NetworkManager to have the change")
    keep_key(network, network.secrets[0])
    network.up()
    assert network.ping("10.8.0.1")
    network.down()
