# SPDX-License-Identifier: LGPL-2.1-or-later
"""GNOME Settings, nm-connection-editor and nmcli make one and the same profile of a file, and the
latter two one and the same file of a profile."""

import configparser
import os

import pytest

from lab import Conf, KeyPair, generate_psk, wait_for
from lab.session import Session

NAME = "the-office-in-the-old-town"
EDITOR, SETTINGS = "nm-connection-editor", "gnome-control-center"

# Whose a profile is and whether it starts by itself is the desktop's to decide; the others are
# defaults that some write down.
FREE = {"uuid", "permissions", "autoconnect", "timestamp", "addr-gen-mode"}


@pytest.fixture(scope="module", name="session")
def fixture_session(started):
    # Settings show what the last plugin says that they ask.
    started.desktop.sh("cd /usr/lib/NetworkManager/VPN; find . -name '*.name'"
                       " ! -name nm-culvert-service.name -delete")
    session = Session(started.desktop)
    session.start()
    yield session
    session.stop()


@pytest.fixture(name="conf")
def fixture_conf(network):
    """Everything that users report as lost, in a file with a long name."""
    conf = network.conf(network.office, psk=generate_psk(), keepalive=25, MTU="1380",
                        DNS="10.8.0.1", ListenPort="51000", PostUp="touch /run/lab/ran",
                        Address="10.8.0.2/24, 10.8.0.3/24, fd08::2/64")
    conf.peer(PublicKey=KeyPair.generate().public, AllowedIPs="10.77.0.0/16",
              PresharedKey=generate_psk(), Endpoint="[2001:db8:3::2]:51820")
    return conf


def stored(network, name=NAME):
    """The profile as NetworkManager keeps it: {section: {key: value}}."""
    text = network.desktop.sh(f"cat /etc/NetworkManager/system-connections/{name}*.nmconnection")
    parser = configparser.RawConfigParser(delimiters="=")
    parser.optionxform = str
    parser.read_string(text)
    sections = {name: {key: value for key, value in parser[name].items() if key not in FREE}
                for name in parser.sections()}
    return {name: values for name, values in sections.items() if values}


def is_stored(network):
    return network.desktop.succeeds("sh", "-c", "ls /etc/NetworkManager/system-connections/"
                                    f"{NAME}*.nmconnection")


def import_with_editor(session, path):
    process = session.spawn(EDITOR, f"--import={path}", log="editor")
    session.press(EDITOR, "push button", "Save")
    return process


def open_with_settings(session, path):
    """The last row of the list opens a dialog, in which "/" begins a path."""
    process = session.spawn(SETTINGS, "network", log="settings")
    session.press(SETTINGS, "push button", "Add connection")
    session.wait_for_widget(SETTINGS, "label", "Import from file*")
    session.keys("End", "Return")
    session.wait_for_window("Select file to import")
    session.type(path)
    session.keys("Return")
    return process


def import_with_settings(session, path):
    process = open_with_settings(session, path)
    session.press(SETTINGS, "push button", "Add")
    return process


# GNOME Settings keeps addresses of its own only where they are all there is (method "manual").
LOST = {import_with_editor: set(), import_with_settings: {"address1"}}


@pytest.mark.parametrize("how", LOST, ids=[EDITOR, SETTINGS])
def test_same_profile(network, session, conf, how):
    path = network.save(conf, NAME)
    network.add(conf, NAME)
    expected = stored(network)
    network.desktop.nmcli("connection", "delete", NAME)
    process = how(session, path)
    wait_for(lambda: is_stored(network), f"{how.__name__} to store the profile", 20)
    session.screenshot(how.__name__)
    network.desktop.stop(process)
    assert expected["vpn-secrets"].keys() == {"private-key", "preshared-key",
                                              "peer2-preshared-key"}
    assert expected["ipv4"]["address1"] == "10.8.0.3/24"
    for key in LOST[how]:
        del expected["ipv4"][key]
    assert stored(network) == expected
    network.up(NAME)
    assert not network.desktop.succeeds("test", "-e", "/run/lab/ran")


def test_settings_say_why_a_file_is_refused(network, session):
    """nm-connection-editor says only that it does not know the type, whatever a plugin says."""
    conf = Conf(PrivateKey=KeyPair.generate().private, Address="10.8.0.299/24")
    process = open_with_settings(session, network.save(conf, "strange"))
    session.wait_for_widget(SETTINGS, "label", "*strange.conf:3: Address: “10.8.0.299/24” is not*")
    session.screenshot("refused")
    network.desktop.stop(process)


def test_same_file(network, session, conf):
    network.add(conf, NAME)
    exported, saved = (os.path.join(network.folder, f"{how}.conf") for how in ("nmcli", "saved"))
    network.desktop.nmcli("connection", "export", NAME, exported)
    process = session.spawn(EDITOR, "--edit", network.desktop.get(NAME, "connection.uuid"),
                            log="editor")
    session.press(EDITOR, "push button", "Export*")
    session.wait_for_window("Export VPN connection")
    session.keys("ctrl+a")
    session.type(saved)
    session.keys("Return")
    wait_for(lambda: os.path.exists(saved), "the file", 20)
    network.desktop.stop(process)
    assert os.stat(saved).st_mode & 0o777 == 0o600
    with open(saved, encoding="utf-8") as one, open(exported, encoding="utf-8") as other:
        assert one.read() == other.read()
