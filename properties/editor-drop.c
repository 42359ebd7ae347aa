/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-drop.c: a whole .conf, pasted or dropped. See editor-drop.h.
 */
#include "editor-drop.h"

#include <gio/gio.h>
#include <string.h>

#include "editor-compat.h"
#include "wireguard/wg-crypto.h"

/* The section that every .conf of a client has. */
#define MARK "[Interface]"

static gboolean is_conf(const char *text)
{
    const char *line = text;

    for (; line; line = strchr(line, '\n')) {
        while (g_ascii_isspace(*line))
            line++;
        if (g_ascii_strncasecmp(line, MARK, strlen(MARK)) == 0)
            return TRUE;
    }
    return FALSE;
}

/* A file that is dropped on an entry comes as its address. (transfer full) */
static char *path_of_uri(const char *text)
{
    g_autofree char *line = g_strstrip(g_strdup(text));

    if (!g_str_has_prefix(line, "file://") || strpbrk(line, "\r\n"))
        return NULL;
    return g_filename_from_uri(line, NULL, NULL);
}

static void on_insert_text(GtkEditable *editable, const char *text, int length, int *position,
                           gpointer data)
{
    const CulvertFormEvents *events = data;
    g_autofree char *path = NULL;
    char *copy;

    if (length < 0)
        length = strlen(text);
    copy = g_strndup(text, length);
    path = path_of_uri(copy);
    if (path || is_conf(copy))
        g_signal_stop_emission_by_name(editable, "insert-text");
    if (path)
        events->conf_file(path, events->user_data);
    else if (is_conf(copy))
        events->conf(copy, events->user_data);
    /* It may be a key. */
    wg_wipe(copy, length);
    g_free(copy);
}

void culvert_drop_watch_entry(GtkWidget *entry, CulvertFormEvents *events)
{
    g_signal_connect(culvert_entry_get_typed(entry), "insert-text", G_CALLBACK(on_insert_text),
                     events);
}

void culvert_drop_unwatch_entry(GtkWidget *entry, CulvertFormEvents *events)
{
    g_signal_handlers_disconnect_by_data(culvert_entry_get_typed(entry), events);
}

#if GTK_CHECK_VERSION(4, 0, 0)

static gboolean on_drop(GtkDropTarget *target, const GValue *value, double x, double y,
                        gpointer data)
{
    const CulvertFormEvents *events = data;
    g_autofree char *path = g_file_get_path(g_value_get_object(value));

    if (!path)
        return FALSE;
    events->conf_file(path, events->user_data);
    return TRUE;
}

/* Before the entries, which would take the file's name as text. */
void culvert_drop_watch_page(GtkWidget *page, CulvertFormEvents *events)
{
    GtkDropTarget *target = gtk_drop_target_new(G_TYPE_FILE, GDK_ACTION_COPY);

    gtk_event_controller_set_propagation_phase(GTK_EVENT_CONTROLLER(target), GTK_PHASE_CAPTURE);
    g_signal_connect(target, "drop", G_CALLBACK(on_drop), events);
    g_object_set_data(G_OBJECT(page), "culvert-drop", target);
    gtk_widget_add_controller(page, GTK_EVENT_CONTROLLER(target));
}

void culvert_drop_unwatch_page(GtkWidget *page, CulvertFormEvents *events)
{
    g_signal_handlers_disconnect_by_data(g_object_get_data(G_OBJECT(page), "culvert-drop"), events);
}

#else

static void on_drag_data_received(GtkWidget *page, GdkDragContext *context, int x, int y,
                                  GtkSelectionData *selection, guint info, guint time,
                                  gpointer data)
{
    const CulvertFormEvents *events = data;
    g_auto(GStrv) uris = gtk_selection_data_get_uris(selection);
    g_autofree char *path = uris && uris[0] ? g_filename_from_uri(uris[0], NULL, NULL) : NULL;

    if (path)
        events->conf_file(path, events->user_data);
}

void culvert_drop_watch_page(GtkWidget *page, CulvertFormEvents *events)
{
    gtk_drag_dest_set(page, GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
    gtk_drag_dest_add_uri_targets(page);
    g_signal_connect(page, "drag-data-received", G_CALLBACK(on_drag_data_received), events);
}

void culvert_drop_unwatch_page(GtkWidget *page, CulvertFormEvents *events)
{
    g_signal_handlers_disconnect_by_data(page, events);
}

#endif
