#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The smallest host of an editor: shows the page in a window, without NetworkManager, and does what
it is told by lines of JSON on standard input, answering each with one. Widgets are found by the
text of their labels, as a person finds them.

Arguments: the toolkit, 3 or 4; the libnm plugin."""

import json
import subprocess
import sys

import gi

TOOLKIT = sys.argv[1]
gi.require_version("Gtk", TOOLKIT + ".0")
gi.require_version("Gdk", TOOLKIT + ".0")
gi.require_version("NM", "1.0")
from gi.repository import Gdk, Gio, GLib, GObject, Gtk, NM  # noqa: E402

SERVICE = "org.freedesktop.NetworkManager.culvert"


def children(widget):
    if TOOLKIT == "4":
        child = widget.get_first_child()
        while child is not None:
            yield child
            child = child.get_next_sibling()
    elif isinstance(widget, Gtk.Container):
        found = []
        widget.forall(found.append)
        yield from found


def walk(widget):
    yield widget
    for child in children(widget):
        yield from walk(child)


def shown(widget):
    return widget.get_mapped()


class Host:
    def __init__(self, module):
        self.plugin = NM.VpnEditorPlugin.load(module, SERVICE)
        self.window = Gtk.Window(default_width=660, default_height=1000, title="Host")
        self.connection = self.editor = self.page = None
        self.changes = 0

    # ---- Finding

    def widgets(self):
        roots = [self.window, *(w for w in Gtk.Window.list_toplevels() if w is not self.window)]
        for root in roots:
            yield from walk(root)

    def field(self, title, index=0):
        """The widget that the label with this text stands for, or that shows the text itself;
        `index`: of several."""
        found = [widget.get_mnemonic_widget() for widget in self.widgets()
                 if isinstance(widget, Gtk.Label) and shown(widget)
                 and widget.get_text() == title and widget.get_mnemonic_widget()]
        if found:
            return found[index]
        for widget in self.widgets():
            if (isinstance(widget, (Gtk.Button, Gtk.CheckButton, Gtk.Expander)) and shown(widget)
                    and (widget.get_label() or "").replace("_", "") == title):
                return widget
        raise KeyError(title)

    # ---- What can be asked

    def load(self, data, secrets=None, interface_name=None, uuid=None):
        """Shows the editor of a connection."""
        connection = NM.SimpleConnection.new()
        general = NM.SettingConnection.new()
        general.props.id = "office"
        general.props.uuid = uuid or NM.utils_uuid_generate()
        general.props.type = "vpn"
        general.props.interface_name = interface_name
        connection.add_setting(general)
        vpn = NM.SettingVpn.new()
        vpn.props.service_type = SERVICE
        for key, value in data.items():
            vpn.add_data_item(key, value)
        for key, value in (secrets or {}).items():
            vpn.add_secret(key, value)
        connection.add_setting(vpn)
        self.show(connection)

    def show(self, connection):
        self.connection = connection
        self.editor = self.plugin.get_editor(connection)
        self.page = self.editor.get_widget()
        self.changes = 0
        self.editor.connect("changed", self.on_changed)
        if TOOLKIT == "4":
            self.window.set_child(self.page)
        else:
            if self.window.get_child():
                self.window.remove(self.window.get_child())
            self.window.add(self.page)
            self.window.show_all()
        self.window.present()

    def on_changed(self, _editor):
        self.changes += 1

    def close(self):
        """The editor ends, the page stays on the screen, and is used once more."""
        page = self.page
        self.editor = self.page = None
        for widget in walk(page):
            if isinstance(widget, Gtk.Entry):
                widget.set_text("left behind")

    def again(self, count):
        for _ in range(count):
            editor = self.plugin.get_editor(self.connection)
            editor.update_connection(NM.SimpleConnection.new_clone(self.connection))

    def set(self, title, text, index=0):
        widget = self.field(title, index)
        if isinstance(widget, Gtk.ComboBoxText):
            model = widget.get_model()
            texts = [row[0] for row in model]
            widget.set_active(texts.index(text))
        else:
            widget.set_text(text)

    def get(self, title):
        widget = self.field(title)
        if isinstance(widget, Gtk.ComboBoxText):
            return widget.get_active_text()
        return widget.get_text()

    def click(self, title):
        widget = self.field(title)
        if isinstance(widget, Gtk.Expander):
            widget.set_expanded(not widget.get_expanded())
        elif isinstance(widget, Gtk.CheckButton):
            widget.set_active(not widget.get_active())
        else:
            widget.emit("clicked")

    def top(self, text):
        """How far below the top of the page a label is, in pixels."""
        label = next(w for w in self.widgets() if isinstance(w, Gtk.Label) and w.get_text() == text)
        return label.translate_coordinates(self.page, 0, 0)[1]

    def hidden(self, title):
        return not self.field(title).get_visibility()

    def storage(self, title):
        """The icon that says who keeps a secret."""
        entry = self.field(title)
        return entry.get_icon_name(Gtk.EntryIconPosition.SECONDARY)

    def labels(self):
        """All the text that is to be seen."""
        return [w.get_text() for w in self.widgets() if isinstance(w, Gtk.Label) and shown(w)]

    def paste(self, title, text):
        entry = self.field(title)
        if TOOLKIT == "4":
            entry.get_clipboard().set_content(Gdk.ContentProvider.new_for_value(text))
            entry.get_delegate().emit("paste-clipboard")
        else:
            Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD).set_text(text, -1)
            entry.emit("paste-clipboard")

    def insert(self, title, text):
        entry = self.field(title)
        editable = entry.get_delegate() if TOOLKIT == "4" else entry
        editable.insert_text(text, 0)

    def drop(self, path):
        """A file on the page, GTK 4 only: GTK 3 has no way to pretend."""
        controllers = self.page.observe_controllers()
        for i in range(controllers.get_n_items()):
            controller = controllers.get_item(i)
            if isinstance(controller, Gtk.DropTarget):
                value = GObject.Value(Gio.File, Gio.File.new_for_path(path))
                return controller.emit("drop", value, 1.0, 1.0)
        raise KeyError("no drop target")

    def clipboard(self):
        if TOOLKIT == "3":
            return Gtk.Clipboard.get(Gdk.SELECTION_CLIPBOARD).wait_for_text()
        texts = []
        clipboard = self.window.get_clipboard()
        clipboard.read_text_async(None, lambda _c, result: texts.append(
            clipboard.read_text_finish(result)))
        while not texts:
            GLib.MainContext.default().iteration(True)
        return texts[0]

    def save(self):
        """What the editor makes of the connection, as a host asks at every change."""
        copy = NM.SimpleConnection.new_clone(self.connection)
        try:
            self.editor.update_connection(copy)
        except GLib.Error as error:
            return {"error": error.message}
        vpn = copy.get_setting_vpn()
        secrets = {key: vpn.get_secret(key) for key in vpn.get_secret_keys()}
        return {"data": {key: vpn.get_data_item(key) for key in vpn.get_data_keys()},
                "secrets": secrets, "interface_name": copy.get_interface_name()}

    def unlabelled(self):
        """What can be used and has no label to say what it is."""
        labelled = {w.get_mnemonic_widget() for w in self.widgets() if isinstance(w, Gtk.Label)}
        return [str(w) for w in self.widgets()
                if isinstance(w, (Gtk.Entry, Gtk.ComboBoxText)) and w not in labelled]

    def mnemonics(self):
        """The keys that with Alt lead to something that is shown."""
        keys = []
        for widget in self.widgets():
            if isinstance(widget, Gtk.Label) and shown(widget):
                key = widget.get_mnemonic_keyval()
                if key != Gdk.KEY_VoidSymbol:
                    keys.append(chr(Gdk.keyval_to_unicode(Gdk.keyval_to_lower(key)) or 0x3f))
        return keys

    def tab(self, count):
        """What the keyboard comes to, one step after the other: labels or texts."""
        titles = {w.get_mnemonic_widget(): w.get_text() for w in self.widgets()
                  if isinstance(w, Gtk.Label) and w.get_mnemonic_widget()}
        way = []
        self.window.set_focus(None)
        for _ in range(count):
            self.window.child_focus(Gtk.DirectionType.TAB_FORWARD)
            widget = self.window.get_focus()
            name = None
            while widget is not None and not name:
                name = titles.get(widget)
                if isinstance(widget, (Gtk.Button, Gtk.CheckButton, Gtk.Expander)):
                    name = name or (widget.get_label() or "").replace("_", "")
                widget = widget.get_parent()
            way.append(name)
        return way

    def style(self, dark=False, scale=1.0):
        settings = Gtk.Settings.get_default()
        settings.set_property("gtk-application-prefer-dark-theme", dark)
        settings.set_property("gtk-xft-dpi", int(96 * 1024 * scale))

    def width(self):
        """The least width of the page, in pixels."""
        if TOOLKIT == "3":
            return self.page.get_preferred_width()[0]
        return self.page.measure(Gtk.Orientation.HORIZONTAL, -1)[0]

    def height(self):
        """How high the page wants to be, in pixels."""
        if TOOLKIT == "3":
            return self.page.get_preferred_height()[1]
        return self.page.measure(Gtk.Orientation.VERTICAL, -1)[1]

    def screenshot(self, path):
        subprocess.run(["import", "-window", "root", path], check=True)


def settle(milliseconds=0):
    """Lets the page do what it has to; with a time, until that is over."""
    context = GLib.MainContext.default()
    done = []
    GLib.timeout_add(milliseconds, lambda: done.append(1), priority=GLib.PRIORITY_LOW)
    while not done or context.pending():
        context.iteration(True)


def main():
    Gtk.init() if TOOLKIT == "4" else Gtk.init([])
    host = Host(sys.argv[2])
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            if name == "settle":
                settle(**arguments)
                answer = None
            elif name == "changes":
                answer = host.changes
            else:
                answer = getattr(host, name)(**arguments)
            settle()
            print(json.dumps({"answer": answer}), flush=True)
        except Exception as error:  # pylint: disable=broad-except
            print(json.dumps({"error": repr(error)}), flush=True)


main()
