/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-view.c: the page that a desktop's settings show for a connection of the type culvert, and
 * the factory that the libnm plugin looks for in this module. The same source is compiled for
 * GTK 3 and for GTK 4.
 *
 * Hosts call update_connection() at every change, on a connection of their own, and show its error
 * as a tooltip.
 */
#include "config.h"

#include <glib/gi18n-lib.h>
#include <gmodule.h>

#include "editor-compat.h"
#include "editor-drop.h"
#include "editor-form.h"
#include "editor-graph.h"
#include "editor-loader.h"
#include "editor-peers.h"
#include "editor-qr.h"
#include "wireguard/wg-crypto.h"

#define CULVERT_TYPE_EDITOR (culvert_editor_get_type())
G_DECLARE_FINAL_TYPE(CulvertEditor, culvert_editor, CULVERT, EDITOR, GObject)

struct _CulvertEditor {
    GObject parent;

    CulvertEditorModel *model;
    CulvertFormEvents events;
    CulvertEditorForm *form;
    CulvertEditorPeers *peers;
    CulvertEditorGraph *graph; /* NULL: the connection is a new one */
    NMConnection *connection;  /* as it was */
    GtkWidget *page;
    guint fill_id;
    char *conf; /* to fill in */
    char *conf_path;
};

static void interface_init(NMVpnEditorInterface *iface);

G_DEFINE_TYPE_WITH_CODE(CulvertEditor, culvert_editor, G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(NM_TYPE_VPN_EDITOR, interface_init))

static GtkWidget *widget(CulvertEditor *self, const char *name)
{
    return culvert_editor_form_widget(self->form, name);
}

/* ---- Showing -------------------------------------------------------------------------------- */

static void show_public_key(CulvertEditor *self)
{
    g_autofree char *key = culvert_editor_model_get_public_key(self->model);

    culvert_entry_set_text(widget(self, "own-public-key"), key ? key : "");
    gtk_widget_set_sensitive(widget(self, "copy"), key != NULL);
}

static void show_faults(CulvertEditor *self)
{
    culvert_editor_form_show_faults(self->form);
    culvert_editor_peers_show_faults(self->peers);
    show_public_key(self);
}

static void refresh(CulvertEditor *self)
{
    culvert_editor_form_refresh(self->form);
    culvert_editor_peers_refresh(self->peers);
    show_faults(self);
}

static void on_changed(gpointer user_data)
{
    CulvertEditor *self = user_data;

    show_faults(self);
    g_signal_emit_by_name(self, "changed");
}

/* NULL: nothing to say. */
static void show_notice(CulvertEditor *self, const char *text)
{
    gtk_label_set_text(GTK_LABEL(widget(self, "notice")), text ? text : "");
    culvert_set_shown(widget(self, "notice"), text != NULL);
}

/* ---- A whole .conf -------------------------------------------------------------------------- */

static void forget_conf(CulvertEditor *self)
{
    g_clear_handle_id(&self->fill_id, g_source_remove);
    if (self->conf)
        wg_wipe(self->conf, strlen(self->conf));
    g_clear_pointer(&self->conf, g_free);
    g_clear_pointer(&self->conf_path, g_free);
}

static char *join_warnings(GPtrArray *warnings)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; warnings && i < warnings->len; i++)
        g_string_append_printf(text, "%s%s", i ? "\n" : "",
                               (char *) g_ptr_array_index(warnings, i));
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

static gboolean fill(gpointer user_data)
{
    CulvertEditor *self = user_data;
    g_autoptr(GPtrArray) warnings = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *notice = NULL;
    gboolean filled =
        self->conf
            ? culvert_editor_model_load_conf(self->model, self->conf, strlen(self->conf),
                                             _("clipboard"), &warnings, &error)
            : culvert_editor_model_load_file(self->model, self->conf_path, &warnings, &error);

    self->fill_id = 0;
    forget_conf(self);
    notice = filled ? join_warnings(warnings) : g_strdup(error->message);
    show_notice(self, notice);
    if (filled) {
        refresh(self);
        g_signal_emit_by_name(self, "changed");
    }
    return G_SOURCE_REMOVE;
}

/* Not at once: the field that it was pasted into is in the middle of it. */
static void on_conf(const char *text, gpointer user_data)
{
    CulvertEditor *self = user_data;

    forget_conf(self);
    self->conf = g_strdup(text);
    self->fill_id = g_idle_add(fill, self);
}

static void on_conf_file(const char *path, gpointer user_data)
{
    CulvertEditor *self = user_data;

    forget_conf(self);
    self->conf_path = g_strdup(path);
    self->fill_id = g_idle_add(fill, self);
}

/* ---- Buttons -------------------------------------------------------------------------------- */

static void on_generate(GtkButton *button, gpointer user_data)
{
    CulvertEditor *self = user_data;

    culvert_editor_model_generate_key(self->model);
    culvert_editor_form_refresh(self->form);
    on_changed(self);
}

static void on_copy(GtkButton *button, gpointer user_data)
{
    CulvertEditor *self = user_data;

    culvert_copy(self->page, culvert_entry_get_text(widget(self, "own-public-key")));
}

static void on_show_keys(GtkWidget *check, gpointer user_data)
{
    CulvertEditor *self = user_data;
    gboolean show = culvert_check_get(check);

    culvert_editor_form_show_keys(self->form, show);
    culvert_editor_peers_show_keys(self->peers, show);
}

static void on_qr(GtkButton *button, gpointer user_data)
{
    CulvertEditor *self = user_data;
    g_autoptr(NMConnection) connection = nm_simple_connection_new_clone(self->connection);
    g_autoptr(GError) error = NULL;

    if (culvert_editor_model_save(self->model, connection, &error))
        culvert_editor_qr_show(culvert_window_of(self->page), connection);
    else
        show_notice(self, error->message);
}

/* ---- Object --------------------------------------------------------------------------------- */

static void connect_buttons(CulvertEditor *self)
{
    g_signal_connect(widget(self, "generate"), "clicked", G_CALLBACK(on_generate), self);
    g_signal_connect(widget(self, "copy"), "clicked", G_CALLBACK(on_copy), self);
    g_signal_connect(widget(self, "qr"), "clicked", G_CALLBACK(on_qr), self);
    g_signal_connect(widget(self, "show-keys"), "toggled", G_CALLBACK(on_show_keys), self);
}

static void disconnect_buttons(CulvertEditor *self)
{
    static const char *const NAMES[] = {"generate", "copy", "show-keys", "qr"};

    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++)
        g_signal_handlers_disconnect_by_data(widget(self, NAMES[i]), self);
}

/* What is in use is not folded away. */
static void unfold(CulvertEditor *self)
{
    gboolean has_peers = culvert_editor_model_get_n_peers(self->model) > 1;

    gtk_expander_set_expanded(GTK_EXPANDER(widget(self, "further-peers")), has_peers);
}

static void build_page(CulvertEditor *self)
{
    self->form = culvert_editor_form_new(self->model, CULVERT_RESOURCE "culvert-editor.ui", 0,
                                         &self->events);
    self->page = g_object_ref_sink(widget(self, "page"));
    gtk_widget_set_margin_start(widget(self, "content"), CULVERT_MARGIN_START);
    gtk_widget_set_margin_end(widget(self, "content"), CULVERT_MARGIN_END);
    culvert_scroll_to_focus(self->page, widget(self, "content"));
    self->peers = culvert_editor_peers_new(self->model, widget(self, "peers"),
                                           widget(self, "add-peer"), &self->events);
    culvert_name_expander(widget(self, "advanced"));
    culvert_name_expander(widget(self, "further-peers"));
    connect_buttons(self);
    culvert_drop_watch_page(self->page, &self->events);
    culvert_show_all(self->page);
    show_notice(self, NULL);
    culvert_set_shown(widget(self, "status-place"), FALSE);
    refresh(self);
    unfold(self);
    if (nm_connection_get_uuid(self->connection))
        self->graph = culvert_editor_graph_new(widget(self, "status-place"),
                                               nm_connection_get_uuid(self->connection));
}

static void culvert_editor_dispose(GObject *object)
{
    CulvertEditor *self = CULVERT_EDITOR(object);

    forget_conf(self);
    if (self->form) {
        disconnect_buttons(self);
        culvert_drop_unwatch_page(self->page, &self->events);
    }
    g_clear_pointer(&self->graph, culvert_editor_graph_free);
    g_clear_object(&self->connection);
    g_clear_pointer(&self->peers, culvert_editor_peers_free);
    g_clear_pointer(&self->form, culvert_editor_form_free);
    g_clear_object(&self->page);
    g_clear_pointer(&self->model, culvert_editor_model_free);
    G_OBJECT_CLASS(culvert_editor_parent_class)->dispose(object);
}

static GObject *get_widget(NMVpnEditor *editor)
{
    return G_OBJECT(CULVERT_EDITOR(editor)->page);
}

static gboolean update_connection(NMVpnEditor *editor, NMConnection *connection, GError **error)
{
    return culvert_editor_model_save(CULVERT_EDITOR(editor)->model, connection, error);
}

static void interface_init(NMVpnEditorInterface *iface)
{
    iface->get_widget = get_widget;
    iface->update_connection = update_connection;
}

static void culvert_editor_class_init(CulvertEditorClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = culvert_editor_dispose;
}

static void culvert_editor_init(CulvertEditor *self)
{
    self->model = culvert_editor_model_new();
    self->events.changed = on_changed;
    self->events.conf = on_conf;
    self->events.conf_file = on_conf_file;
    self->events.user_data = self;
}

/* The module's one symbol, see libnm-vpn-editor.ver. */
G_MODULE_EXPORT NMVpnEditor *culvert_editor_factory(NMConnection *connection, GError **error)
{
    CulvertEditor *self = g_object_new(CULVERT_TYPE_EDITOR, NULL);

    self->connection = nm_simple_connection_new_clone(connection);
    culvert_editor_model_load(self->model, connection);
    build_page(self);
    return NM_VPN_EDITOR(self);
}
