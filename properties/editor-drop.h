/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-drop.h: a whole .conf that comes in one piece: pasted into any field, or dropped as a
 * file. Main thread.
 */
#pragma once

#include "editor-form.h"

G_BEGIN_DECLS

/* culvert_drop_watch_entry: what is pasted into the entry, and is a whole .conf or the address of a
 * file, goes to `events` and not into the entry. `events` must stay until it is unwatched. */
void culvert_drop_watch_entry(GtkWidget *entry, CulvertFormEvents *events);
void culvert_drop_unwatch_entry(GtkWidget *entry, CulvertFormEvents *events);

/* culvert_drop_watch_page: the same for a file that is dropped anywhere on the page. */
void culvert_drop_watch_page(GtkWidget *page, CulvertFormEvents *events);
void culvert_drop_unwatch_page(GtkWidget *page, CulvertFormEvents *events);

G_END_DECLS
