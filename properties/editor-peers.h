/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-peers.h: the list of further peers in the page. Main thread.
 */
#pragma once

#include "editor-form.h"

G_BEGIN_DECLS

typedef struct _CulvertEditorPeers CulvertEditorPeers;

/* culvert_editor_peers_new: shows the model's peers but the first in `box`; `add` adds one. The
 * widgets and the model stay the caller's. */
CulvertEditorPeers *culvert_editor_peers_new(CulvertEditorModel *model, GtkWidget *box,
                                             GtkWidget *add, const CulvertFormEvents *events);
void culvert_editor_peers_free(CulvertEditorPeers *peers);

/* culvert_editor_peers_refresh: shows what the model has. */
void culvert_editor_peers_refresh(CulvertEditorPeers *peers);
void culvert_editor_peers_show_faults(CulvertEditorPeers *peers);
void culvert_editor_peers_show_keys(CulvertEditorPeers *peers, gboolean show);

G_END_DECLS
