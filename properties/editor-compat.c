/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-compat.c: how GTK 3 draws, called as in GTK 4.
 */
#include "editor-compat.h"

#if GTK_CHECK_VERSION(4, 0, 0)

void culvert_area_set_draw(GtkWidget *area, CulvertDraw draw, gpointer user_data)
{
    gtk_drawing_area_set_draw_func(GTK_DRAWING_AREA(area), draw, user_data, NULL);
}

void culvert_area_set_size(GtkWidget *area, int width, int height)
{
    gtk_drawing_area_set_content_width(GTK_DRAWING_AREA(area), width);
    gtk_drawing_area_set_content_height(GTK_DRAWING_AREA(area), height);
}

#else

typedef struct {
    CulvertDraw draw;
    gpointer user_data;
} Drawing;

static gboolean on_draw(GtkWidget *area, cairo_t *cairo, gpointer data)
{
    const Drawing *drawing = data;

    drawing->draw(GTK_DRAWING_AREA(area), cairo, gtk_widget_get_allocated_width(area),
                  gtk_widget_get_allocated_height(area), drawing->user_data);
    return FALSE;
}

static void drawing_free(gpointer drawing, GClosure *closure)
{
    g_free(drawing);
}

void culvert_area_set_draw(GtkWidget *area, CulvertDraw draw, gpointer user_data)
{
    Drawing *drawing = g_new0(Drawing, 1);

    drawing->draw = draw;
    drawing->user_data = user_data;
    g_signal_connect_data(area, "draw", G_CALLBACK(on_draw), drawing, drawing_free, 0);
}

void culvert_area_set_size(GtkWidget *area, int width, int height)
{
    gtk_widget_set_size_request(area, width, height);
}

#endif
