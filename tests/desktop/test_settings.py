# SPDX-License-Identifier: LGPL-2.1-or-later
"""The desktop's own settings: GNOME Settings (GTK 4) and nm-connection-editor (GTK 3), real, used
over the bus of assistive technologies. What they save is read back from NetworkManager, and the
VPN comes up by GNOME's own switch."""

import pytest
from lab import wait_for
from lab.session import Session

GNOME = "gnome-control-center"
EDITOR = "nm-connection-editor"
FAULT = "“12” is not valid, expected is 0, or 68 to 65455"  # as MTU
SWITCH = "Turn VPN connection off office"


@pytest.fixture(scope="module")
def session(started):
    session = Session(started.desktop)
    session.start()
    # GNOME Shell is the secret agent of its session; here it is this program.
    session.start_applet()
    yield session
    session.stop()


@pytest.fixture
def run(session):
    """Starts programs, which end with the test."""
    running = []

    def start(*argv, log):
        running.append(session.spawn(*argv, log=log))
    yield start
    for process in running:
        session.host.stop(process)


def data(network):
    """vpn.data of the only VPN profile, as NetworkManager has stored it."""
    items = network.desktop.get("office", "vpn.data").split(", ")
    return dict(item.split(" = ", 1) for item in items)


def stored(network):
    return network.desktop.succeeds("nmcli", "connection", "show", "office")


def choose_storage(session, program):
    """By the keyboard: who keeps the private key; without a choice it is the user's keyring."""
    session.keys("alt+k")
    session.wait_for_widget(program, "*text", "Your private key", "FOCUSED")
    session.keys("alt+Down")


def is_up(network):
    return network.desktop.get("office", "GENERAL.STATE") == "activated"


def refuses(session, program, name, why):
    """Whether the button cannot be pressed, and its tooltip says why."""
    button = session.find(program, "push button", name)
    return "SENSITIVE" not in button["states"] and button["description"].endswith(why)


def mtu(network):
    return data(network).get("mtu")


def test_gnome_adds_connects_and_edits(network, session, run):
    conf = network.conf(network.office, keepalive=1)
    run("gnome-control-center", "network", log="gnome-control-center")
    session.press(GNOME, "push button", "Add connection")
    session.point(GNOME, "label", "Culvert (WireGuard)")
    session.put(GNOME, "text", "Gateway", str(conf))
    session.put(GNOME, "text", "Name", "office")
    session.screenshot("gnome-add")
    choose_storage(session, GNOME)
    session.wait_for_widget(GNOME, "check box", "Store the password for all users")
    session.keys("Down")
    session.press(GNOME, "push button", "Add")
    wait_for(lambda: stored(network), "NetworkManager to have the profile")
    assert data(network) == {
        "address": "10.8.0.2/24;fd08::2/64", "allowed-ips": "10.8.0.0/24;fd08::/64",
        "endpoint": network.endpoint(network.office) + ":51820", "persistent-keepalive": "1",
        "private-key-flags": "0", "public-key": network.office.keys.public}

    session.press(GNOME, "check box", SWITCH)
    wait_for(lambda: is_up(network), "the VPN to be up", 20)
    assert network.ping("10.8.0.1")

    session.press(GNOME, "push button", "Options…")
    session.point(GNOME, "label", "Identity")
    session.wait_for_widget(GNOME, "label", "Last handshake")
    assert any("Connected since" in text for text in session.texts(GNOME))
    session.screenshot("gnome-connected")
    session.press(GNOME, "push button", "Advanced")
    session.put(GNOME, "text", "MTU", "12")
    wait_for(lambda: refuses(session, GNOME, "Apply", f"MTU: {FAULT}"), "Apply to say why not", 20)
    assert FAULT in session.texts(GNOME)
    session.put(GNOME, "text", "MTU", "1380")
    session.press(GNOME, "push button", "Apply")
    wait_for(lambda: mtu(network) == "1380", "NetworkManager to have the change")

    session.press(GNOME, "check box", SWITCH)
    wait_for(lambda: network.desktop.active() == [], "the VPN to be down")
    assert not network.ping("10.8.0.1", deadline=1)


def test_nm_connection_editor_adds_and_edits(network, session, run):
    conf = network.conf(network.office)
    run(EDITOR, "--create", "--type=vpn:org.freedesktop.NetworkManager.culvert", log=EDITOR)
    session.put(EDITOR, "text", "Gateway", str(conf))
    session.put(EDITOR, "text", "Connection name", "office")
    session.screenshot("nm-connection-editor-add")
    choose_storage(session, EDITOR)
    session.wait_for_widget(EDITOR, "radio button", "Store the password for all users")
    session.keys("Down")
    session.press(EDITOR, "push button", "Save")
    wait_for(lambda: stored(network), "NetworkManager to have the profile")
    assert data(network)["public-key"] == network.office.keys.public
    assert data(network)["private-key-flags"] == "0"
    uuid = network.desktop.get("office", "connection.uuid")

    run(EDITOR, f"--edit={uuid}", log=EDITOR)
    session.press(EDITOR, "toggle button", "Advanced")
    session.put(EDITOR, "text", "MTU", "12")
    wait_for(lambda: refuses(session, EDITOR, "Save", f"MTU: {FAULT}"), "Save to say why not", 20)
    assert FAULT in session.texts(EDITOR)
    session.put(EDITOR, "text", "MTU", "1380")
    session.press(EDITOR, "push button", "Save")
    wait_for(lambda: mtu(network) == "1380", "NetworkManager to have the change")
    network.up()
    assert network.ping("10.8.0.1")
    network.down()
