/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-agenda.c: the heap: the item at index i is due no later than those at 2i + 1 and 2i + 2.
 */
#include "wg-agenda.h"

#define LEAST_ALLOCATED 16

void wg_agenda_clear(WgAgenda *agenda)
{
    g_free(agenda->items);
    *agenda = (WgAgenda){0};
}

static void put(WgAgenda *agenda, guint index, WgAgendaItem *item)
{
    agenda->items[index] = item;
    item->place = index + 1;
}

static void sift_up(WgAgenda *agenda, guint index)
{
    WgAgendaItem *item = agenda->items[index];

    while (index > 0 && agenda->items[(index - 1) / 2]->due > item->due) {
        put(agenda, index, agenda->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(agenda, index, item);
}

static void sift_down(WgAgenda *agenda, guint index)
{
    WgAgendaItem *item = agenda->items[index];

    for (guint child = 2 * index + 1; child < agenda->length; child = 2 * index + 1) {
        if (child + 1 < agenda->length && agenda->items[child + 1]->due < agenda->items[child]->due)
            child++;
        if (agenda->items[child]->due >= item->due)
            break;
        put(agenda, index, agenda->items[child]);
        index = child;
    }
    put(agenda, index, item);
}

static void add(WgAgenda *agenda, WgAgendaItem *item)
{
    if (agenda->length == agenda->allocated) {
        agenda->allocated = MAX(LEAST_ALLOCATED, 2 * agenda->allocated);
        agenda->items = g_renew(WgAgendaItem *, agenda->items, agenda->allocated);
    }
    put(agenda, agenda->length++, item);
    sift_up(agenda, item->place - 1);
}

static void take_out(WgAgenda *agenda, WgAgendaItem *item)
{
    guint index = item->place - 1;
    WgAgendaItem *last = agenda->items[--agenda->length];

    item->place = 0;
    if (last == item)
        return;
    put(agenda, index, last);
    sift_up(agenda, index);
    sift_down(agenda, last->place - 1);
}

void wg_agenda_set(WgAgenda *agenda, WgAgendaItem *item, gint64 due)
{
    gint64 before = item->due;

    item->due = due;
    if (item->place == 0 && due != WG_AGENDA_NEVER)
        add(agenda, item);
    else if (item->place != 0 && due == WG_AGENDA_NEVER)
        take_out(agenda, item);
    else if (due < before)
        sift_up(agenda, item->place - 1);
    else if (due > before)
        sift_down(agenda, item->place - 1);
}

WgAgendaItem *wg_agenda_first(const WgAgenda *agenda)
{
    return agenda->length > 0 ? agenda->items[0] : NULL;
}
