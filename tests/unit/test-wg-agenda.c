/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-agenda.c: who is due next, by hand and at random against a plain search.
 */
#include "wireguard/wg-agenda.h"

#define ITEMS 200

typedef struct {
    WgAgenda agenda;
    WgAgendaItem items[ITEMS];
} Fixture;

static void set_up(Fixture *f, gconstpointer unused)
{
    for (guint i = 0; i < ITEMS; i++)
        f->items[i] = (WgAgendaItem) WG_AGENDA_ITEM_INIT;
}

static void tear_down(Fixture *f, gconstpointer unused)
{
    wg_agenda_clear(&f->agenda);
}

static void set(Fixture *f, guint item, gint64 due)
{
    wg_agenda_set(&f->agenda, &f->items[item], due);
    g_assert_cmpint(f->items[item].due, ==, due);
}

static void expect_first(Fixture *f, guint item)
{
    g_assert_true(wg_agenda_first(&f->agenda) == &f->items[item]);
}

static void test_empty(Fixture *f, gconstpointer unused)
{
    g_assert_null(wg_agenda_first(&f->agenda));
    set(f, 0, WG_AGENDA_NEVER);
    g_assert_null(wg_agenda_first(&f->agenda));
}

static void test_one(Fixture *f, gconstpointer unused)
{
    set(f, 0, 5);
    expect_first(f, 0);
    set(f, 0, 7);
    expect_first(f, 0);
    set(f, 0, WG_AGENDA_NEVER);
    g_assert_null(wg_agenda_first(&f->agenda));
    set(f, 0, G_MININT64);
    expect_first(f, 0);
}

static void test_moves(Fixture *f, gconstpointer unused)
{
    set(f, 0, 10);
    set(f, 1, 20);
    set(f, 2, 30);
    expect_first(f, 0);
    set(f, 2, 5); /* earlier */
    expect_first(f, 2);
    set(f, 2, 25); /* later */
    expect_first(f, 0);
    set(f, 0, 40);
    expect_first(f, 1);
    set(f, 1, 20); /* the same */
    expect_first(f, 1);
    set(f, 1, WG_AGENDA_NEVER);
    expect_first(f, 2);
    set(f, 2, WG_AGENDA_NEVER);
    expect_first(f, 0);
}

/* Taken out in order, each once. */
static void test_order(Fixture *f, gconstpointer unused)
{
    for (guint i = 0; i < ITEMS; i++)
        set(f, i, (gint64) (i * 7919 % ITEMS));
    for (gint64 i = 0; i < ITEMS; i++) {
        WgAgendaItem *first = wg_agenda_first(&f->agenda);

        g_assert_cmpint(first->due, ==, i);
        wg_agenda_set(&f->agenda, first, WG_AGENDA_NEVER);
    }
    g_assert_null(wg_agenda_first(&f->agenda));
}

static gint64 earliest(const Fixture *f)
{
    gint64 due = WG_AGENDA_NEVER;

    for (guint i = 0; i < ITEMS; i++)
        due = MIN(due, f->items[i].due);
    return due;
}

static void test_random(Fixture *f, gconstpointer unused)
{
    for (guint i = 0; i < 100000; i++) {
        const WgAgendaItem *first;
        gint64 due = g_test_rand_int_range(-50, 50);

        set(f, (guint) g_test_rand_int_range(0, ITEMS), due > 40 ? WG_AGENDA_NEVER : due);
        first = wg_agenda_first(&f->agenda);
        g_assert_cmpint(first ? first->due : WG_AGENDA_NEVER, ==, earliest(f));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/agenda/" name, Fixture, NULL, set_up, func, tear_down)
    ADD("empty", test_empty);
    ADD("one", test_one);
    ADD("moves", test_moves);
    ADD("order", test_order);
    ADD("random", test_random);
    return g_test_run();
}
