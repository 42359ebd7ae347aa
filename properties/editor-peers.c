/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-peers.c: the list of further peers in the page. See editor-peers.h.
 *
 * Adding and removing makes all forms of the list anew: a peer is known by its place.
 */
#include "config.h"

#include "editor-peers.h"

#include <glib/gi18n-lib.h>

#include "editor-compat.h"

struct _CulvertEditorPeers {
    CulvertEditorModel *model;
    GtkWidget *box;
    GtkWidget *add;
    CulvertFormEvents events;
    GPtrArray *forms; /* of CulvertEditorForm, the first is the second peer's */
    gboolean show_keys;
};

static CulvertEditorForm *form_at(CulvertEditorPeers *peers, guint i)
{
    return g_ptr_array_index(peers->forms, i);
}

static void remove_all(CulvertEditorPeers *peers)
{
    for (guint i = 0; i < peers->forms->len; i++)
        culvert_box_remove(peers->box, culvert_editor_form_widget(form_at(peers, i), "peer"));
    g_ptr_array_set_size(peers->forms, 0);
}

static void tell_changed(CulvertEditorPeers *peers)
{
    culvert_editor_peers_refresh(peers);
    peers->events.changed(peers->events.user_data);
}

static void on_remove(GtkButton *button, gpointer user_data)
{
    CulvertEditorPeers *peers = user_data;

    for (guint i = 0; i < peers->forms->len; i++) {
        if (culvert_editor_form_widget(form_at(peers, i), "remove") == GTK_WIDGET(button)) {
            culvert_editor_model_remove_peer(peers->model, i + 1);
            tell_changed(peers);
            gtk_widget_grab_focus(peers->add);
            return;
        }
    }
}

static void on_add(GtkButton *button, gpointer user_data)
{
    CulvertEditorPeers *peers = user_data;

    culvert_editor_model_add_peer(peers->model);
    tell_changed(peers);
    gtk_widget_grab_focus(
        culvert_editor_form_widget(form_at(peers, peers->forms->len - 1), "endpoint"));
}

static void add_form(CulvertEditorPeers *peers, guint peer)
{
    CulvertEditorForm *form = culvert_editor_form_new(
        peers->model, CULVERT_RESOURCE "culvert-peer.ui", peer, &peers->events);
    GtkWidget *widget = culvert_editor_form_widget(form, "peer");
    g_autofree char *title = g_strdup_printf(_("Peer %u"), peer + 1);

    gtk_label_set_text(GTK_LABEL(culvert_editor_form_widget(form, "title")), title);
    g_signal_connect(culvert_editor_form_widget(form, "remove"), "clicked", G_CALLBACK(on_remove),
                     peers);
    culvert_box_append(peers->box, widget);
    culvert_show_all(widget);
    culvert_editor_form_refresh(form);
    culvert_editor_form_show_faults(form);
    culvert_editor_form_show_keys(form, peers->show_keys);
    g_ptr_array_add(peers->forms, form);
}

void culvert_editor_peers_refresh(CulvertEditorPeers *peers)
{
    remove_all(peers);
    for (guint i = 1; i < culvert_editor_model_get_n_peers(peers->model); i++)
        add_form(peers, i);
}

void culvert_editor_peers_show_faults(CulvertEditorPeers *peers)
{
    for (guint i = 0; i < peers->forms->len; i++)
        culvert_editor_form_show_faults(form_at(peers, i));
}

void culvert_editor_peers_show_keys(CulvertEditorPeers *peers, gboolean show)
{
    peers->show_keys = show;
    for (guint i = 0; i < peers->forms->len; i++)
        culvert_editor_form_show_keys(form_at(peers, i), show);
}

static void form_free(gpointer form)
{
    culvert_editor_form_free(form);
}

CulvertEditorPeers *culvert_editor_peers_new(CulvertEditorModel *model, GtkWidget *box,
                                             GtkWidget *add, const CulvertFormEvents *events)
{
    CulvertEditorPeers *peers = g_new0(CulvertEditorPeers, 1);

    peers->model = model;
    peers->box = box;
    peers->add = add;
    peers->events = *events;
    peers->forms = g_ptr_array_new_with_free_func(form_free);
    g_signal_connect(add, "clicked", G_CALLBACK(on_add), peers);
    return peers;
}

void culvert_editor_peers_free(CulvertEditorPeers *peers)
{
    g_signal_handlers_disconnect_by_data(peers->add, peers);
    for (guint i = 0; i < peers->forms->len; i++)
        g_signal_handlers_disconnect_by_data(
            culvert_editor_form_widget(form_at(peers, i), "remove"), peers);
    g_ptr_array_unref(peers->forms);
    g_free(peers);
}
