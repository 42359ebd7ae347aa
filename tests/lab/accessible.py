# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a screen reader finds: `accessible.py PROGRAM` prints the widgets of a program, as the
accessibility bus of this session has them, a line of JSON each: role, name, text, states; with
ROLE NAME behind it, it does what the first widget that has that role and name is for: presses a
button. Run in the session; a program that is not there has no widgets.

GTK 4.8 says VISIBLE of all it shows and SHOWING only of windows, hence both count."""

import json
import sys

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

STATES = ("ENABLED", "SENSITIVE", "FOCUSED", "CHECKED", "INVALID_ENTRY", "VISIBLE", "SHOWING")


def children(node):
    for i in range(node.get_child_count()):
        child = node.get_child_at_index(i)
        if child is not None:
            yield child


def text(node):
    if "Text" not in (node.get_interfaces() or []):
        return ""
    return Atspi.Text.get_text(node, 0, Atspi.Text.get_character_count(node))


def name(node):
    """What it is called, or what labels it."""
    if node.get_name():
        return node.get_name()
    for relation in node.get_relation_set():
        if relation.get_relation_type() == Atspi.RelationType.LABELLED_BY:
            return " ".join(relation.get_target(i).get_name()
                            for i in range(relation.get_n_targets()))
    return ""


def states(node):
    held = node.get_state_set()
    return [state for state in STATES if held.contains(getattr(Atspi.StateType, state))]


def walk(node):
    """The node and all below it that can be seen, as far as they have not just gone."""
    try:
        if not {"VISIBLE", "SHOWING"} & set(states(node)):
            return
        yield node
        for child in list(children(node)):
            yield from walk(child)
    except GLib.Error:
        pass


def widgets(program):
    for application in children(Atspi.get_desktop(0)):
        if application.get_name() == program:
            for window in children(application):
                yield from walk(window)


def show(node):
    try:
        print(json.dumps({"role": node.get_role_name(), "name": name(node), "text": text(node),
                          "states": states(node)}))
    except GLib.Error:
        pass


def press(program, role, wanted):
    for node in widgets(program):
        if node.get_role_name() == role and wanted in name(node):
            Atspi.Action.do_action(node, 0)
            return
    sys.exit(f"{program} has no {role} “{wanted}”")


def main(program, *widget):
    Atspi.init()
    if widget:
        press(program, *widget)
        return
    for node in widgets(program):
        show(node)


if __name__ == "__main__":
    main(*sys.argv[1:])
