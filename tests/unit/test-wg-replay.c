/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-replay.c: the replay window, with the cases of Linux's own self-test
 * (drivers/net/wireguard/selftest/counter.c) and a comparison with a plain set.
 */
#include "wireguard/wg-replay.h"

/* One more than the window: the first distance that is too far. */
#define FAR ((guint64) WG_REPLAY_WINDOW + 1)
#define END WG_REJECT_AFTER_MESSAGES

typedef struct {
    guint64 counter;
    gboolean accepted;
} Case;

static void test_numbered_cases(void)
{
    static const Case cases[] = {
        {0, TRUE},
        {1, TRUE},
        {1, FALSE},
        {9, TRUE},
        {8, TRUE},
        {7, TRUE},
        {7, FALSE},
        {FAR, TRUE},
        {FAR - 1, TRUE},
        {FAR - 1, FALSE},
        {FAR - 2, TRUE},
        {2, TRUE},
        {2, FALSE},
        {FAR + 16, TRUE},
        {3, FALSE},
        {FAR + 16, FALSE},
        {FAR * 4, TRUE},
        {FAR * 4 - (FAR - 1), TRUE},
        {10, FALSE},
        {FAR * 4 - FAR, FALSE},
        {FAR * 4 - (FAR + 1), FALSE},
        {FAR * 4 - (FAR - 2), TRUE},
        {FAR * 4 + 1 - FAR, FALSE},
        {0, FALSE},
        {END, FALSE},
        {END - 1, TRUE},
        {END, FALSE},
        {END - 1, FALSE},
        {END - 2, TRUE},
        {END + 1, FALSE},
        {END + 2, FALSE},
        {END - 2, FALSE},
        {END - 3, TRUE},
        {0, FALSE},
    };
    WgReplay replay;

    g_assert_cmpuint(G_N_ELEMENTS(cases), ==, 34);
    wg_replay_init(&replay);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gboolean accepted = wg_replay_check(&replay, cases[i].counter);

        if (accepted != cases[i].accepted)
            g_error("case %u: counter %" G_GUINT64_FORMAT " was %s", i + 1, cases[i].counter,
                    accepted ? "accepted" : "refused");
    }
}

static void accept_up(WgReplay *replay, guint64 first, guint64 last)
{
    for (guint64 i = first; i <= last; i++)
        g_assert_true(wg_replay_check(replay, i));
}

static void accept_down(WgReplay *replay, guint64 first, guint64 last)
{
    for (guint64 i = first; i > last; i--)
        g_assert_true(wg_replay_check(replay, i));
    g_assert_true(wg_replay_check(replay, last));
}

/* A whole window in either direction: all are new once, and the edge is where it should be. */
static void test_full_window(void)
{
    WgReplay replay;

    wg_replay_init(&replay);
    accept_up(&replay, 1, WG_REPLAY_WINDOW);
    g_assert_true(wg_replay_check(&replay, 0));
    g_assert_false(wg_replay_check(&replay, 0));

    wg_replay_init(&replay);
    accept_up(&replay, 2, FAR);
    g_assert_true(wg_replay_check(&replay, 1));
    g_assert_false(wg_replay_check(&replay, 0));

    wg_replay_init(&replay);
    accept_down(&replay, WG_REPLAY_WINDOW, 0);

    wg_replay_init(&replay);
    accept_down(&replay, FAR, 1);
    g_assert_false(wg_replay_check(&replay, 0));

    wg_replay_init(&replay);
    accept_down(&replay, WG_REPLAY_WINDOW, 1);
    g_assert_true(wg_replay_check(&replay, FAR));
    g_assert_false(wg_replay_check(&replay, 0));

    wg_replay_init(&replay);
    accept_down(&replay, WG_REPLAY_WINDOW, 1);
    g_assert_true(wg_replay_check(&replay, 0));
    g_assert_true(wg_replay_check(&replay, FAR));
}

/* Jumps of each interesting length, from each place in a word: nothing old is forgotten too
 * early, and no bit of an earlier turn of the ring is left. */
static void test_jumps(void)
{
    static const guint64 jumps[] = {1, 63, 64, 65, 8127, 8128, 8129, 8191, 8192, 8193, 16384};
    WgReplay replay;

    for (guint j = 0; j < G_N_ELEMENTS(jumps); j++) {
        for (guint64 start = 2 * WG_REPLAY_BITS; start < 2 * WG_REPLAY_BITS + 130; start++) {
            guint64 top = start + jumps[j];
            guint64 edge = top - WG_REPLAY_WINDOW;

            wg_replay_init(&replay);
            accept_up(&replay, start - 200, start);
            g_assert_true(wg_replay_check(&replay, top));
            for (guint64 i = edge - 70; i < edge; i++)
                g_assert_false(wg_replay_check(&replay, i));
            for (guint64 i = edge; i < top; i++)
                g_assert_cmpint(wg_replay_check(&replay, i), ==, i < start - 200 || i > start);
        }
    }
}

/* At random, against the definition. */
static void test_random(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    WgReplay replay;
    guint64 greatest = 0;
    guint refused = 0;

    wg_replay_init(&replay);
    for (guint i = 0; i < 300000; i++) {
        guint64 reach = g_test_rand_int_range(0, 50) == 0 ? 20000 : 9000;
        guint64 base = greatest > 8500 ? greatest - 8500 : 0;
        guint64 counter = base + (guint64) g_test_rand_int_range(0, (gint32) reach);
        gboolean expected = (counter >= greatest || greatest - counter <= WG_REPLAY_WINDOW) &&
                            !g_hash_table_contains(seen, &counter);

        g_assert_cmpint(wg_replay_check(&replay, counter), ==, expected);
        refused += expected ? 0 : 1;
        if (expected) {
            g_hash_table_add(seen, g_memdup2(&counter, sizeof counter));
            greatest = MAX(greatest, counter);
        }
    }
    g_assert_cmpuint(refused, >, 1000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-replay/numbered-cases", test_numbered_cases); /* row 18 */
    g_test_add_func("/wg-replay/full-window", test_full_window);       /* row 18 */
    g_test_add_func("/wg-replay/jumps", test_jumps);                   /* row 18 */
    g_test_add_func("/wg-replay/random", test_random);                 /* row 18 */
    return g_test_run();
}
