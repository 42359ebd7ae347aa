/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-agenda.h: who is due next? A binary heap of deadlines, so that a device with ten thousand
 * peers looks at those alone that have something to do.
 *
 * The items are part of what they stand for; the agenda keeps pointers to them and no reference.
 * Not locked. Any unit of time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* In none at first: all zero but `due`, see WG_AGENDA_NEVER. */
typedef struct {
    gint64 due;  /* read only */
    guint place; /* private: index in the heap, plus one; 0: not in it */
} WgAgendaItem;

/* The time of an item that is not in the agenda. */
#define WG_AGENDA_NEVER G_MAXINT64

#define WG_AGENDA_ITEM_INIT                                                                        \
    {                                                                                              \
        .due = WG_AGENDA_NEVER                                                                     \
    }

typedef struct {
    WgAgendaItem **items;
    guint length;
    guint allocated;
} WgAgenda;

/* wg_agenda_clear: frees the agenda's memory; it must be empty, or its items not be used again. */
void wg_agenda_clear(WgAgenda *agenda);

/* wg_agenda_set: the item is due at `due` from now on, whenever it was before, if at all;
 * WG_AGENDA_NEVER takes it out. Steps: the logarithm of the number of items. */
void wg_agenda_set(WgAgenda *agenda, WgAgendaItem *item, gint64 due);

/* wg_agenda_first: the item that is due first, or one of them; NULL: there is none. */
WgAgendaItem *wg_agenda_first(const WgAgenda *agenda);

G_END_DECLS
