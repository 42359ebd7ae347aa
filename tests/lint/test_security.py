# SPDX-License-Identifier: LGPL-2.1-or-later
"""SECURITY.md tells the truth where that can be looked up: each test it names exists, and each
attack names one."""

import ast
import glob
import os
import re

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(*path):
    with open(os.path.join(TESTS, *path), encoding="utf-8") as file:
        return file.read()


TEXT = read("..", "SECURITY.md")
NAMED = sorted(set(re.findall(
    r"`(/[\w-]+/[\w/-]+|[\w-]+/test_\w+\.py::\w+|fuzz/[\w-]+\.c)`", TEXT)))


def exists_in_c(name):
    """A case of GLib's: by its whole name, or by a prefix and the rest, where there is a table."""
    for path in glob.glob(os.path.join(TESTS, "unit", "test-*.c")) + \
            glob.glob(os.path.join(TESTS, "sandbox", "*.c")):
        text = read(path)
        if f'"{name}"' in text or any(
                name.startswith(prefix) and f'"{name.removeprefix(prefix)}"' in text
                for prefix in re.findall(r'"(/[\w/-]+/)"', text)):
            return True
    return False


def exists_in_python(name):
    path, function = name.split("::")
    return function in {node.name for node in ast.walk(ast.parse(read(path)))
                        if isinstance(node, ast.FunctionDef)}


def test_it_names_tests():
    assert len(NAMED) > 40


@pytest.mark.parametrize("name", NAMED)
def test_named_test_exists(name):
    if name.startswith("fuzz/"):
        assert os.path.exists(os.path.join(TESTS, name))
    elif name.startswith("/"):
        assert exists_in_c(name)
    else:
        assert exists_in_python(name)


def test_every_attack_has_a_test():
    attacks = TEXT[TEXT.index("## Attacks"):]
    rows = re.findall(r"^\| (?!attack|---)(.+?) \| .+ \| (.*) \|$", attacks, re.M)
    assert len(rows) > 15
    for attack, tests in rows:
        assert set(re.findall(r"`([^`]+)`", tests)) & set(NAMED), attack


def test_every_capability_is_named():
    """The sandbox keeps no capability that the page does not name."""
    kept = set()
    for path in glob.glob(os.path.join(TESTS, "..", "src", "sandbox", "*.c")):
        for names in re.findall(r"keep\[\] = \{(.*?)-1\}", read(path), re.S):
            kept |= set(re.findall(r"CAP_\w+", names))
    assert kept and all(f"`{name}`" in TEXT for name in kept), kept
