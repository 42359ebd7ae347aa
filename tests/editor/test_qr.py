# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QR code: shown only after a question, and a camera reads the profile from it."""

import os
import subprocess

from test_fields import CONF, DATA, GATEWAY, PRIVATE, SECRETS

QUESTION = "Show the private key?"


def scan(host, folder):
    path = os.path.join(folder, f"qr-gtk{host.toolkit}.png")
    host.settle(milliseconds=300)
    host.screenshot(path=path)
    result = subprocess.run(["zbarimg", "--quiet", "--raw", path], stdout=subprocess.PIPE,
                            text=True, check=False)
    return result.stdout


def test_code(host, tmp_path):
    host.load(data=DATA | {"device-type": "tun"}, secrets=SECRETS)
    host.click(title="Show as QR Code…")
    assert QUESTION in host.labels()
    assert scan(host, tmp_path) == ""
    host.click(title="Show")
    assert QUESTION not in host.labels()
    conf = scan(host, os.environ.get("CULVERT_SHOTS", tmp_path))
    assert f"PrivateKey = {PRIVATE}" in conf and f"PublicKey = {GATEWAY}" in conf
    assert "Endpoint = vpn.example:51820" in conf and "MTU = 1380" in conf
    host.click(title="Close")
    assert scan(host, tmp_path) == ""


def test_no(host, tmp_path):
    host.load(data=DATA, secrets=SECRETS)
    host.click(title="Show as QR Code…")
    host.click(title="Cancel")
    assert QUESTION not in host.labels()


def test_what_was_typed(host, tmp_path):
    """The code has what the page shows, saved or not."""
    host.load(data={}, secrets={})
    host.paste(title="Gateway", text=CONF)
    host.settle(milliseconds=50)
    host.click(title="Show as QR Code…")
    host.click(title="Show")
    assert "Endpoint = vpn.example:51820" in scan(host, tmp_path)
    host.click(title="Close")


def test_a_fault(host):
    host.load(data=DATA | {"mtu": "1"}, secrets=SECRETS)
    host.click(title="Show as QR Code…")
    assert QUESTION not in host.labels()
    assert any(label.startswith("MTU: ") for label in host.labels())


def test_no_key(host):
    host.load(data=DATA | {"private-key-flags": "2"}, secrets={})
    host.click(title="Show as QR Code…")
    host.click(title="Show")
    assert any(label.startswith("There is no code") for label in host.labels())
    host.click(title="Close")


def test_too_large(host):
    networks = ";".join(f"10.{i}.{j}.0/24" for i in range(20) for j in range(20))
    host.load(data=DATA | {"allowed-ips": networks}, secrets=SECRETS)
    host.click(title="Show as QR Code…")
    host.click(title="Show")
    assert any("too large for a QR code" in label for label in host.labels())
    host.click(title="Close")
