# SPDX-License-Identifier: LGPL-2.1-or-later
"""install-packages where there is no apt: it says what is missing, and fails if anything is."""

import os
import re
import subprocess

import pytest

SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                      "install-packages")
README = os.path.join(os.path.dirname(SCRIPT), "..", "..", "README.md")


def run(path, *options):
    return subprocess.run(["/bin/sh", SCRIPT, *options], env={"PATH": str(path)},
                          capture_output=True, text=True, check=False)


def missing(result):
    return set(re.search(r"Missing: (.*)", result.stderr)[1].split())


@pytest.fixture(name="bare")
def fixture_bare(tmp_path):
    """A PATH with nothing in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def provide(folder, programs):
    for program in programs:
        os.symlink("/bin/true", folder / program)


def test_everything_is_missing(bare):
    result = run(bare)
    assert result.returncode == 1
    assert {"gcc", "NetworkManager", "wireguard-go", "libnm.pc"} <= missing(result)
    assert "nft" not in missing(result)
    assert {"nft", "python3:pytest"} <= missing(run(bare, "--check"))
    assert "iperf3" not in missing(result)
    assert {"iperf3", "openvpn"} <= missing(run(bare, "--bench"))


def test_one_is_missing(bare):
    provide(bare, {name for name in missing(run(bare)) if "." not in name} - {"wg"})
    result = run(bare)
    assert result.returncode == 1 and missing(result) == {"wg"}


@pytest.mark.parametrize("options", [[], ["--check"], ["--bench"]])
def test_nothing_is_missing(bare, options):
    provide(bare, {name for name in missing(run(bare, *options)) if not re.search("[.:]", name)})
    result = run(bare, *options)
    assert result.returncode == 0 and result.stderr == ""


def test_it_leads_to_a_section_of_the_readme(bare):
    section = re.search('README.md, "(.*)"', run(bare).stderr)[1]
    with open(README, encoding="utf-8") as file:
        assert f"\n## {section}\n" in file.read()
