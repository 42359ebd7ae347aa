/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-compat.c: what takes more than a line to be the same in GTK 3 and GTK 4.
 */
#include "editor-compat.h"

#if GTK_CHECK_VERSION(4, 0, 0)

static gboolean release_icon(GtkWidget *entry, GVariant *arguments, gpointer user_data)
{
    g_signal_emit_by_name(entry, "icon-release", GTK_ENTRY_ICON_SECONDARY);
    return TRUE;
}

void culvert_entry_add_icon_key(GtkWidget *entry)
{
    GtkEventController *controller = gtk_shortcut_controller_new();

    gtk_shortcut_controller_add_shortcut(
        GTK_SHORTCUT_CONTROLLER(controller),
        gtk_shortcut_new(gtk_keyval_trigger_new(GDK_KEY_Down, GDK_ALT_MASK),
                         gtk_callback_action_new(release_icon, NULL, NULL)));
    gtk_widget_add_controller(entry, controller);
}

void culvert_area_set_draw(GtkWidget *area, CulvertDraw draw, gpointer user_data)
{
    gtk_drawing_area_set_draw_func(GTK_DRAWING_AREA(area), draw, user_data, NULL);
}

void culvert_area_clear_draw(GtkWidget *area, gpointer user_data)
{
    gtk_drawing_area_set_draw_func(GTK_DRAWING_AREA(area), NULL, NULL, NULL);
}

void culvert_area_set_size(GtkWidget *area, int width, int height)
{
    gtk_drawing_area_set_content_width(GTK_DRAWING_AREA(area), width);
    gtk_drawing_area_set_content_height(GTK_DRAWING_AREA(area), height);
}

#else

/* For the handlers of "icon-release" a key is a button, too. */
static gboolean on_key_press(GtkWidget *entry, GdkEventKey *key, gpointer user_data)
{
    GdkEventButton event = {.type = GDK_BUTTON_RELEASE, .window = key->window, .time = key->time};

    if (key->keyval != GDK_KEY_Down || !(key->state & GDK_MOD1_MASK))
        return FALSE;
    g_signal_emit_by_name(entry, "icon-release", GTK_ENTRY_ICON_SECONDARY, &event);
    return TRUE;
}

void culvert_entry_add_icon_key(GtkWidget *entry)
{
    g_signal_connect(entry, "key-press-event", G_CALLBACK(on_key_press), NULL);
}

#define DRAW_KEY "culvert-draw"

static gboolean on_draw(GtkWidget *area, cairo_t *cairo, gpointer user_data)
{
    CulvertDraw draw = (CulvertDraw) g_object_get_data(G_OBJECT(area), DRAW_KEY);

    draw(GTK_DRAWING_AREA(area), cairo, gtk_widget_get_allocated_width(area),
         gtk_widget_get_allocated_height(area), user_data);
    return FALSE;
}

void culvert_area_set_draw(GtkWidget *area, CulvertDraw draw, gpointer user_data)
{
    g_object_set_data(G_OBJECT(area), DRAW_KEY, (gpointer) draw);
    g_signal_connect(area, "draw", G_CALLBACK(on_draw), user_data);
}

void culvert_area_clear_draw(GtkWidget *area, gpointer user_data)
{
    g_signal_handlers_disconnect_by_data(area, user_data);
}

void culvert_area_set_size(GtkWidget *area, int width, int height)
{
    gtk_widget_set_size_request(area, width, height);
}

#endif
