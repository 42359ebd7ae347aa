/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-compat.h: the few things that GTK 3 and GTK 4 call by different names. The editors know
 * no other difference between the two.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define CULVERT_RESOURCE "/org/freedesktop/NetworkManager/culvert/"

/* At the sides of the page, in pixels. GNOME Settings has a margin of its own, in line with which
 * the page is to begin; at the end is the scroll bar. */
#define CULVERT_MARGIN_START (GTK_CHECK_VERSION(4, 0, 0) ? 0 : 12)
#define CULVERT_MARGIN_END   12

#if GTK_CHECK_VERSION(4, 0, 0)

static inline const char *culvert_entry_get_text(GtkWidget *entry)
{
    return gtk_editable_get_text(GTK_EDITABLE(entry));
}

static inline void culvert_entry_set_text(GtkWidget *entry, const char *text)
{
    gtk_editable_set_text(GTK_EDITABLE(entry), text);
}

/* The widget whose signals tell of what is typed. */
static inline GObject *culvert_entry_get_typed(GtkWidget *entry)
{
    return G_OBJECT(gtk_editable_get_delegate(GTK_EDITABLE(entry)));
}

static inline gboolean culvert_check_get(GtkWidget *check)
{
    return gtk_check_button_get_active(GTK_CHECK_BUTTON(check));
}

static inline void culvert_box_append(GtkWidget *box, GtkWidget *child)
{
    gtk_box_append(GTK_BOX(box), child);
}

static inline void culvert_box_remove(GtkWidget *box, GtkWidget *child)
{
    gtk_box_remove(GTK_BOX(box), child);
}

static inline void culvert_add_class(GtkWidget *widget, const char *name)
{
    gtk_widget_add_css_class(widget, name);
}

static inline void culvert_remove_class(GtkWidget *widget, const char *name)
{
    gtk_widget_remove_css_class(widget, name);
}

/* Shown or hidden whatever the host does to the page. */
static inline void culvert_set_shown(GtkWidget *widget, gboolean shown)
{
    gtk_widget_set_visible(widget, shown);
}

static inline void culvert_show_all(GtkWidget *widget)
{
}

static inline GtkWindow *culvert_window_of(GtkWidget *widget)
{
    GtkRoot *root = gtk_widget_get_root(widget);

    return GTK_IS_WINDOW(root) ? GTK_WINDOW(root) : NULL;
}

static inline void culvert_window_destroy(GtkWindow *window)
{
    gtk_window_destroy(window);
}

/* GTK 4.8 gives an expander no name that a screen reader could say. */
static inline void culvert_name_expander(GtkWidget *expander)
{
    GtkWidget *label = gtk_expander_get_label_widget(GTK_EXPANDER(expander));

    gtk_accessible_update_property(GTK_ACCESSIBLE(expander), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                   gtk_label_get_text(GTK_LABEL(label)), -1);
}

/* What has the keyboard is scrolled into view: a page may be higher than a screen. */
static inline void culvert_scroll_to_focus(GtkWidget *scrolled, GtkWidget *content)
{
}

static inline void culvert_copy(GtkWidget *widget, const char *text)
{
    gdk_clipboard_set_text(gtk_widget_get_clipboard(widget), text);
}

/* What a screen reader says of the widget besides its name; NULL: nothing is wrong with it. */
static inline void culvert_describe_fault(GtkWidget *widget, const char *fault)
{
    gtk_accessible_update_property(GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                   fault ? fault : "", -1);
    gtk_accessible_update_state(GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_STATE_INVALID,
                                fault ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE,
                                -1);
}

static inline void culvert_get_color(GtkWidget *widget, GdkRGBA *color)
{
    gtk_style_context_get_color(gtk_widget_get_style_context(widget), color);
}

#else

static inline const char *culvert_entry_get_text(GtkWidget *entry)
{
    return gtk_entry_get_text(GTK_ENTRY(entry));
}

static inline void culvert_entry_set_text(GtkWidget *entry, const char *text)
{
    gtk_entry_set_text(GTK_ENTRY(entry), text);
}

static inline GObject *culvert_entry_get_typed(GtkWidget *entry)
{
    return G_OBJECT(entry);
}

static inline gboolean culvert_check_get(GtkWidget *check)
{
    return gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(check));
}

static inline void culvert_box_append(GtkWidget *box, GtkWidget *child)
{
    gtk_container_add(GTK_CONTAINER(box), child);
}

static inline void culvert_box_remove(GtkWidget *box, GtkWidget *child)
{
    gtk_container_remove(GTK_CONTAINER(box), child);
}

static inline void culvert_add_class(GtkWidget *widget, const char *name)
{
    gtk_style_context_add_class(gtk_widget_get_style_context(widget), name);
}

static inline void culvert_remove_class(GtkWidget *widget, const char *name)
{
    gtk_style_context_remove_class(gtk_widget_get_style_context(widget), name);
}

static inline void culvert_set_shown(GtkWidget *widget, gboolean shown)
{
    gtk_widget_set_no_show_all(widget, TRUE);
    gtk_widget_set_visible(widget, shown);
}

static inline void culvert_show_all(GtkWidget *widget)
{
    gtk_widget_show_all(widget);
}

static inline GtkWindow *culvert_window_of(GtkWidget *widget)
{
    GtkWidget *top = gtk_widget_get_toplevel(widget);

    return GTK_IS_WINDOW(top) ? GTK_WINDOW(top) : NULL;
}

static inline void culvert_window_destroy(GtkWindow *window)
{
    gtk_widget_destroy(GTK_WIDGET(window));
}

static inline void culvert_name_expander(GtkWidget *expander)
{
}

static inline void culvert_scroll_to_focus(GtkWidget *scrolled, GtkWidget *content)
{
    gtk_container_set_focus_vadjustment(
        GTK_CONTAINER(content), gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(scrolled)));
}

static inline void culvert_copy(GtkWidget *widget, const char *text)
{
    gtk_clipboard_set_text(gtk_widget_get_clipboard(widget, GDK_SELECTION_CLIPBOARD), text, -1);
}

static inline void culvert_describe_fault(GtkWidget *widget, const char *fault)
{
    atk_object_set_description(gtk_widget_get_accessible(widget), fault ? fault : "");
}

static inline void culvert_get_color(GtkWidget *widget, GdkRGBA *color)
{
    GtkStyleContext *style = gtk_widget_get_style_context(widget);

    gtk_style_context_get_color(style, gtk_style_context_get_state(style), color);
}

#endif

/* Alt and the down key do in the entry what a click on its icon does. */
void culvert_entry_add_icon_key(GtkWidget *entry);

/* How a drawing area is drawn: as GTK 4 calls it, in either. */
typedef void (*CulvertDraw)(GtkDrawingArea *area, cairo_t *cairo, int width, int height,
                            gpointer user_data);
void culvert_area_set_draw(GtkWidget *area, CulvertDraw draw, gpointer user_data);
void culvert_area_clear_draw(GtkWidget *area, gpointer user_data);
void culvert_area_set_size(GtkWidget *area, int width, int height);

G_END_DECLS
