# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of tests/README.md tells the truth: it has every row, and the tests it names exist and
name the row themselves."""

import ast
import glob
import os
import re

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROWS = range(1, 35)


def read(path):
    with open(os.path.join(TESTS, path), encoding="utf-8") as file:
        return file.read()


def table():
    """[(row, what it asks, the tests it names)], in the order of the lines."""
    lines = re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", read("README.md"), re.M)
    return [(int(number), text, re.findall(r"`([^`]+)`", tests)) for number, text, tests in lines]


def cases_in_c():
    """{name of a GLib test case: the rows that the comment beside it names}"""
    rest = r'"([^"]+)",[^;]*;(?: +/\* rows? ([\d, ]+) \*/)?'
    found = {}
    for path in glob.glob(os.path.join(TESTS, "unit", "test-*.c")):
        text = read(path)
        macro = re.search(r'#define ADD\(.*?"(/[^"]+)"', text, re.S)
        cases = [("", *case) for case in re.findall(r"g_test_add_func\(\s*" + rest, text)]
        if macro:
            cases += [(macro[1], *case) for case in re.findall(r"^\s+ADD\(" + rest, text, re.M)]
        found |= {prefix + name: {int(row) for row in re.findall(r"\d+", rows)}
                  for prefix, name, rows in cases}
    return found


def cases_in_python():
    """{file::function: the rows it is marked with}"""
    found = {}
    for path in glob.glob(os.path.join(TESTS, "interop", "test_*.py")):
        for node in ast.parse(read(path)).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{os.path.basename(path)}::{node.name}"] = {
                    argument.value for mark in node.decorator_list
                    if ast.unparse(mark).startswith("pytest.mark.row(") for argument in mark.args}
    return found


def test_every_row_once_and_with_tests():
    rows = table()
    assert [number for number, _text, _tests in rows] == list(ROWS)
    for number, text, tests in rows:
        assert len(text) > 10 and tests, number
        assert len(set(tests)) == len(tests), number


@pytest.mark.parametrize("row", ROWS)
def test_row(row):
    cases = cases_in_c() | cases_in_python()
    (named,) = [set(tests) for number, _text, tests in table() if number == row]
    missing = named - set(cases)
    assert not missing, f"the README names tests that do not exist: {sorted(missing)}"
    assert named == {name for name, rows in cases.items() if row in rows}, \
        "what the README and the tests themselves say differs"
