# SPDX-License-Identifier: LGPL-2.1-or-later
"""The last line of tests/check counts every case, and misses no failure."""

import json

import pytest

from lab import count

TAP = "1..4\nok 1 /one\nok 2 /two # SKIP no network\n# not ok, says a remark\nnot ok 3 - three\nok 4\n"


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Writes the log of a build folder; returns a function that counts it."""
    monkeypatch.setenv("CI", "")

    def counted(*tests):
        folder = tmp_path / "build"
        (folder / "meson-logs").mkdir(parents=True)
        lines = [json.dumps({"name": f"project:unit / {name}", "result": result, "stdout": stdout})
                 for name, result, stdout in tests]
        (folder / "meson-logs" / "testlog.json").write_text("\n".join(lines))
        return count.main([str(folder)])
    return counted


def last_line(capsys):
    return capsys.readouterr().out.splitlines()[-1]


def test_cases_are_counted_one_by_one(build, capsys):
    assert build(("wire", "FAIL", TAP), ("plain", "OK", "fine\n")) == 1
    assert last_line(capsys) == "3 passed, 1 failed, 1 skipped"


def test_all_is_well(build, capsys):
    assert build(("wire", "OK", "ok 1 a\nok 2 b\n1..2\n")) == 0
    assert last_line(capsys) == "2 passed, 0 failed, 0 skipped"


@pytest.mark.parametrize("result", ["ERROR", "TIMEOUT", "FAIL", "INTERRUPT"])
def test_crash_after_good_cases_is_a_failure(build, capsys, result):
    assert build(("wire", result, "1..3\nok 1 a\nok 2 b\n")) == 1
    assert last_line(capsys) == "2 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize("ci, status, line", [
    ("", 0, "0 passed, 0 failed, 2 skipped"),
    ("true", 1, "0 passed, 2 failed, 0 skipped"),
])
def test_skipped_is_a_failure_in_ci(build, capsys, monkeypatch, ci, status, line):
    monkeypatch.setenv("CI", ci)
    assert build(("wire", "OK", "1..1\nok 1 a # SKIP needs root\n"), ("all", "SKIP", "")) == status
    assert last_line(capsys) == line


def test_folder_where_nothing_ran_is_a_failure(tmp_path, capsys):
    assert count.main([str(tmp_path)]) == 1
    assert last_line(capsys) == "0 passed, 1 failed, 0 skipped"
