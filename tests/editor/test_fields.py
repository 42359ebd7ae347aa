# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every field of both editors: shown, changed, saved, and what is wrong with it said beside it."""

import os
import subprocess

import pytest
from conftest import MODULES, properties

PRIVATE = "SIZkLX+Aq6521/nTXd1JDzjHC81fu/s/rLZAIxslXl0="
PUBLIC = "5vtkpwX4FIP/yorgHPWNQFz9TVk0pN0PHVTT3pZArwQ="
GATEWAY = "kCz6uhX3TUT0jxpTy7Z5gcDrQtG/GGuk9HJpHcfv2Ho="
OTHER = "AhLQgyYVRPxXxT+a2e0QvWzJpJvLRb5gTNwC1GMZ9HE="
PRESHARED = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="

DATA = {
    "address": "10.8.0.2/24;fd08::2/64", "allowed-ips": "10.8.0.0/24;fd08::/64",
    "dns": "10.8.0.1;example.com", "endpoint": "vpn.example:51820;192.0.2.1:443",
    "fwmark": "0xca6c", "listen-port": "51821", "mtu": "1380", "persistent-keepalive": "25",
    "device-type": "tap", "kill-switch": "yes", "public-key": GATEWAY, "private-key-flags": "0",
    "preshared-key-flags": "0", "tap-address": "10.20.0.2/24;fd20::2/64", "vxlan-id": "42",
    "vxlan-remote": "10.8.0.1", "tun-user": "ann", "tun-group": "44",
}
SECRETS = {"private-key": PRIVATE, "preshared-key": PRESHARED}

# The label of each field: what is shown of DATA, what is typed, what is then saved.
FIELDS = {
    "Gateway": ("vpn.example:51820", "[2001:db8::1]:51820",
                ("endpoint", "[2001:db8::1]:51820;192.0.2.1:443")),
    "Public key": (GATEWAY, OTHER, ("public-key", OTHER)),
    "Traffic": ("Only these networks", "All traffic", ("allowed-ips", "0.0.0.0/0;::/0")),
    "Networks": ("10.8.0.0/24, fd08::/64", "10.0.0.0/8", ("allowed-ips", "10.0.0.0/8")),
    "Your private key": (PRIVATE, PRESHARED, ("private-key", PRESHARED)),
    "Addresses": ("10.8.0.2/24, fd08::2/64", "10.8.0.9/24", ("address", "10.8.0.9/24")),
    "DNS": ("10.8.0.1, example.com", "fd08::1, ~", ("dns", "fd08::1;~")),
    "Preshared key": (PRESHARED, PRIVATE, ("preshared-key", PRIVATE)),
    "Further gateways": ("192.0.2.1:443", "a.example:1, b.example:2",
                         ("endpoint", "vpn.example:51820;a.example:1;b.example:2")),
    "Keepalive": ("25", "15", ("persistent-keepalive", "15")),
    "MTU": ("1380", "1400", ("mtu", "1400")),
    "Listen port": ("51821", "51822", ("listen-port", "51822")),
    "Firewall mark": ("0xca6c", "7", ("fwmark", "0x7")),
    "Kill switch": ("Block all other traffic", "Allow the local network",
                    ("kill-switch", "allow-local")),
    "Device type": ("Ethernet frames (TAP)", "IP packets (TUN)", ("device-type", None)),
    "Ethernet addresses": ("10.20.0.2/24, fd20::2/64", "10.20.0.9/24",
                           ("tap-address", "10.20.0.9/24")),
    "VXLAN identifier": ("42", "16777215", ("vxlan-id", "16777215")),
    "VXLAN remote": ("10.8.0.1", "fd08::1", ("vxlan-remote", "fd08::1")),
    "Bridge": ("", "br0", ("bridge", "br0")),
    "Device name": ("work0", "work1", ("interface_name", "work1")),
}

# What is only there for Ethernet.
ETHERNET = ("Ethernet addresses", "VXLAN identifier", "VXLAN remote", "Bridge")
ETHERNET_KEYS = ("tap-address", "vxlan-id", "vxlan-remote", "bridge")

CONF = f"""[Interface]
PrivateKey = {PRIVATE}
Address = 10.8.0.2/24
PostUp = reboot

[Peer]
PublicKey = {GATEWAY}
Endpoint = vpn.example:51820
AllowedIPs = 0.0.0.0/0, ::/0

[Peer]
PublicKey = {OTHER}
AllowedIPs = 10.9.0.0/24
"""


def load(host, data=None, secrets=None, **kwargs):
    host.load(data=DATA if data is None else data,
              secrets=SECRETS if secrets is None else secrets, interface_name="work0", **kwargs)
    host.click(title="Advanced")


def test_nothing_changes(host):
    load(host)
    assert host.changes() == 0
    assert host.save() == {"data": DATA, "secrets": SECRETS, "interface_name": "work0"}


@pytest.mark.parametrize("title", FIELDS)
def test_each_field(host, title):
    shown, typed, (key, saved) = FIELDS[title]
    data = dict(DATA)
    if title == "Bridge":  # has the addresses itself, and goes with no kill switch
        del data["tap-address"], data["kill-switch"]
    load(host, data)
    assert host.get(title=title) == shown
    host.set(title=title, text=typed)
    assert host.changes() > 0
    after = host.save()
    if key == "interface_name":
        assert after["interface_name"] == saved
        return
    secret = key in SECRETS
    assert after["secrets" if secret else "data"].get(key) == saved
    expected = dict(SECRETS if secret else data)
    expected[key] = saved
    if title == "Device type":
        expected = {k: v for k, v in expected.items() if k not in ETHERNET_KEYS}
    assert after["secrets" if secret else "data"] == {k: v for k, v in expected.items() if v}


@pytest.mark.parametrize("title, text, fault", [
    ("Gateway", "vpn.example", "“vpn.example” has no port"),
    ("Public key", "key", "This is not a key: it has 3 characters"),
    ("Networks", "10.0.0.0/99", "“10.0.0.0/99” is not an address with a prefix length"),
    ("Your private key", "key", "This is not a key: it has 3 characters"),
    ("Addresses", "127.0.0.1/8", "“127.0.0.1/8” cannot be the address of a computer"),
    ("DNS", "10.8.0.300", "“10.8.0.300” is not the address of a name server"),
    ("Preshared key", "key", "This is not a key: it has 3 characters"),
    ("Further gateways", "x:0", "“x:0” does not end in a port"),
    ("Keepalive", "often", "“often” is not valid"),
    ("MTU", "1", "“1” is not valid"),
    ("Listen port", "99999", "“99999” is not valid"),
    ("Firewall mark", "red", "“red” is not valid"),
    ("Ethernet addresses", "10.20.0.2/24, 10.20.0.3/24", "There is more than one IPv4 address"),
    ("VXLAN identifier", "16777216", "“16777216” is not valid"),
    ("VXLAN remote", "10.9.0.1", "This address is not among the first peer's allowed IPs"),
    ("Bridge", "a/b", "“a/b” is not the name of a network interface"),
    ("Device name", "a/b", ""),
])
def test_each_fault(host, title, text, fault):
    load(host)
    before = host.labels()
    host.set(title=title, text=text)
    new = [label for label in host.labels() if label not in before]
    assert len(new) == 1 and new[0].startswith(fault)
    error = host.save()["error"]
    assert error.split(": ", 1)[1].lower() == new[0].lower()
    host.set(title=title, text=FIELDS[title][0])
    assert host.labels() == before
    assert "data" in host.save()


def test_a_new_connection(host):
    """An empty form shows no faults, but says what is needed to whoever asks."""
    load(host, {}, {})
    assert not [label for label in host.labels() if "missing" in label]
    assert host.save()["error"].startswith("Gateway’s public key: this setting is missing")
    host.set(title="Gateway", text="vpn.example:51820")
    host.set(title="Public key", text=GATEWAY)
    host.set(title="Networks", text="10.8.0.0/24")
    host.set(title="Addresses", text="10.8.0.2/24")
    host.click(title="Generate")
    saved = host.save()
    assert saved["data"] == {"endpoint": "vpn.example:51820", "public-key": GATEWAY,
                             "allowed-ips": "10.8.0.0/24", "address": "10.8.0.2/24",
                             "private-key-flags": "1"}
    assert len(saved["secrets"]["private-key"]) == 44


def test_public_key(host):
    load(host)
    assert host.get(title="Your public key") == PUBLIC
    host.click(title="Copy")
    assert host.clipboard() == PUBLIC
    host.set(title="Your private key", text="")
    assert host.get(title="Your public key") == ""


def test_keys_are_hidden(host):
    load(host)
    assert host.hidden(title="Your private key") and host.hidden(title="Preshared key")
    host.click(title="Show keys")
    assert not host.hidden(title="Your private key") and not host.hidden(title="Preshared key")


@pytest.mark.parametrize("flags, icon", [("0", "system-users-symbolic"),
                                         ("1", "user-info-symbolic"),
                                         ("2", "dialog-question-symbolic")])
def test_storage(host, flags, icon):
    """Who keeps a key is shown in its entry, which the keyboard reaches, and stays so."""
    secrets = SECRETS if flags != "2" else {}
    load(host, DATA | {"private-key-flags": flags, "preshared-key-flags": flags}, secrets)
    assert host.storage(title="Your private key") == icon
    assert host.storage(title="Preshared key") == icon
    assert "Your private key" in host.tab(count=8)
    saved = host.save()
    assert saved["data"]["private-key-flags"] == flags
    assert saved["data"]["preshared-key-flags"] == flags
    assert saved["secrets"] == secrets


def test_all_traffic_hides_the_networks(host):
    load(host)
    host.set(title="Traffic", text="All traffic")
    assert "Networks" not in host.labels()
    host.set(title="Traffic", text="Only these networks")
    assert host.get(title="Networks") == "10.8.0.0/24, fd08::/64"


def test_ethernet_only(host):
    """Its fields are shown for it alone, and what was typed there is not lost by a look around."""
    load(host)
    assert set(ETHERNET) <= set(host.labels())
    host.set(title="Device type", text="IP packets (TUN)")
    assert not set(ETHERNET) & set(host.labels())
    assert not set(ETHERNET_KEYS) & set(host.save()["data"])
    host.set(title="Device type", text="Ethernet frames (TAP)")
    assert set(ETHERNET) <= set(host.labels())
    assert host.save()["data"] == DATA
    load(host, {}, {})
    assert not set(ETHERNET) & set(host.labels())


def test_peers(host):
    load(host)
    host.click(title="Advanced")
    host.click(title="Further Peers")
    host.click(title="Add Peer")
    assert "Peer 2" in host.labels()
    assert host.save()["error"].startswith("Peer 2, Gateway’s public key: this setting is missing")
    host.set(title="Public key", index=1, text=OTHER)
    saved = host.save()["data"]
    assert saved == DATA | {"peer2-public-key": OTHER}
    host.set(title="Public key", index=1, text=GATEWAY)
    assert "An earlier peer has the same key: make them one peer" in host.labels()
    host.click(title="Remove")
    assert "Peer 2" not in host.labels()
    assert host.save()["data"] == DATA


def test_unknown_keys(host):
    new = {"future": "a", "peer2-public-key": OTHER, "peer2-future": "b"}
    load(host, DATA | new, SECRETS | {"future-key": "c"})
    host.set(title="MTU", text="1400")
    saved = host.save()
    assert saved["data"] == DATA | new | {"mtu": "1400"}
    assert saved["secrets"] == SECRETS | {"future-key": "c"}


@pytest.mark.parametrize("way", ["paste", "insert"])
def test_a_whole_conf(host, way):
    load(host, {}, {})
    getattr(host, way)(title="Gateway", text=CONF)
    host.settle(milliseconds=50)
    saved = host.save()
    assert saved["secrets"] == {"private-key": PRIVATE}
    assert saved["data"]["endpoint"] == "vpn.example:51820"
    assert saved["data"]["peer2-public-key"] == OTHER
    assert host.get(title="Traffic") == "All traffic"
    assert any("PostUp is left out" in label for label in host.labels())


def test_a_dropped_file(host, tmp_path):
    path = tmp_path / "office.conf"
    path.write_text(CONF, encoding="utf-8")
    load(host, {}, {})
    host.insert(title="Gateway", text=f"file://{path}\r\n")
    assert host.save()["secrets"] == {"private-key": PRIVATE}
    path.write_text("remote vpn.example\n", encoding="utf-8")
    host.insert(title="Gateway", text=f"file://{path}\r\n")
    assert any("this is not a WireGuard .conf" in label for label in host.labels())
    assert host.save()["secrets"] == {"private-key": PRIVATE}


def test_a_file_dropped_on_the_page(host, tmp_path):
    if host.toolkit == "3":
        return  # GTK 3 cannot pretend; its entries are tested above
    path = tmp_path / "office.conf"
    path.write_text(CONF, encoding="utf-8")
    load(host, {}, {})
    assert host.drop(path=str(path))
    assert host.save()["secrets"] == {"private-key": PRIVATE}


def test_text_that_is_no_conf(host):
    load(host)
    host.set(title="DNS", text="")
    host.paste(title="DNS", text="10.8.0.7")
    host.settle(milliseconds=50)
    assert host.get(title="DNS") == "10.8.0.7"


def test_labels_and_mnemonics(host):
    load(host)
    assert host.unlabelled() == []
    # The kill switch has none: all its letters are taken.
    keys = [key for key in host.mnemonics() if key != "?"]
    assert len(keys) > 12 and len(keys) == len(set(keys)), sorted(keys)


def test_keyboard_alone(host):
    """Tab leads to everything, from the top to the bottom."""
    load(host)
    way = host.tab(count=40)
    way = way[:way.index("Gateway", 1)]
    assert [title for title in way if title in FIELDS or title == "Generate"] == [
        "Gateway", "Public key", "Traffic", "Networks", "Your private key", "Generate",
        "Addresses", "DNS", "Preshared key", "Further gateways", "Keepalive", "MTU",
        "Listen port", "Firewall mark", "Kill switch", "Device type", "Ethernet addresses",
        "VXLAN identifier", "VXLAN remote", "Bridge", "Device name"]
    assert {"Show keys", "Copy", "Advanced", "Further Peers", "Show as QR Code…"} <= set(way)


def test_editors_come_and_go(host):
    """A host makes one after the other, and may keep a page that has lost its editor."""
    load(host)
    host.again(count=30)
    host.close()
    host.settle(milliseconds=20)
    load(host)
    assert host.save()["data"] == DATA


@pytest.mark.parametrize("style", ["light", "dark", "large"])
def test_screenshots(host, style):
    """Nothing is cut off at twice the text size, in a window as wide as GNOME's."""
    host.style(dark=style == "dark", scale=2.0 if style == "large" else 1.0)
    load(host)
    host.set(title="DNS", text="10.8.0.300")
    host.settle(milliseconds=300)
    folder = os.environ.get("CULVERT_SHOTS")
    if folder:
        os.makedirs(folder, exist_ok=True)
        host.screenshot(path=os.path.join(folder, f"gtk{host.toolkit}-{style}.png"))
    width = host.width()
    host.style()
    assert width <= 640


def test_a_small_screen(host):
    """GNOME's dialog does not scroll, and 768 pixels have to do for it and a panel: the page does."""
    load(host)
    host.settle(milliseconds=50)
    assert host.height() <= 600


def test_symbols(toolkit):
    """Whatever else the module contains stays inside."""
    symbols = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=just-symbols", properties(MODULES[toolkit])],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    assert symbols == "culvert_editor_factory\n"
