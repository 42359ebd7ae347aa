/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-graph.h: how the connection is, at the top of the page: facts, and a graph of the last
 * minute. Main thread.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct _CulvertEditorGraph CulvertEditorGraph;

/* culvert_editor_graph_new: shows the status of the connection with this UUID in `place`, a box,
 * while it is up, and nothing otherwise. */
CulvertEditorGraph *culvert_editor_graph_new(GtkWidget *place, const char *uuid);
void culvert_editor_graph_free(CulvertEditorGraph *graph);

G_END_DECLS
