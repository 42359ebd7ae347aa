/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-timers.c: every timer of paper 6.1 to 6.5 by tables of events under a fake clock: what
 * is armed when, what cancels it, and what must not happen.
 */
#include "wireguard/wg-timers.h"

typedef enum {
    START,
    STOP,
    DATA_SENT,     /* with what every sent packet reports */
    DATA_RECEIVED, /* likewise */
    KEEPALIVE_SENT,
    KEEPALIVE_RECEIVED,
    INITIATION_SENT,
    RESPONSE_RECEIVED, /* as initiator: the handshake is complete */
    SESSION_DERIVED,
    SET_KEEPALIVE, /* `arg` seconds; `due` is WG_DUE_KEEPALIVE if one is to go at once */
    EXPIRE,        /* `due` is what must be due */
    LOOK,          /* nothing happens */
} Event;

#define NONE   (-1.0)
#define JITTER 0.334

typedef struct {
    double at; /* seconds */
    Event event;
    guint arg;
    WgDue due;
    double next; /* the earliest deadline afterwards; NONE: there is none */
    double slack;
} Step;

static gint64 us(double seconds)
{
    return (gint64) (seconds * WG_SECOND);
}

static void sent(WgTimers *timers, gint64 now)
{
    wg_timers_authenticated_sent(timers, now);
    wg_timers_authenticated_traversal(timers, now);
}

static void received(WgTimers *timers, gint64 now)
{
    wg_timers_authenticated_received(timers, now);
    wg_timers_authenticated_traversal(timers, now);
}

static WgDue happen(WgTimers *timers, const Step *step, gint64 now)
{
    switch (step->event) {
    case START:
        wg_timers_start(timers, now);
        break;
    case STOP:
        wg_timers_stop(timers);
        break;
    case DATA_SENT:
        wg_timers_data_sent(timers, now);
        sent(timers, now);
        break;
    case DATA_RECEIVED:
        received(timers, now);
        wg_timers_data_received(timers, now);
        break;
    case KEEPALIVE_SENT:
        sent(timers, now);
        break;
    case KEEPALIVE_RECEIVED:
        received(timers, now);
        break;
    case INITIATION_SENT:
        wg_timers_initiation_sent(timers, now);
        sent(timers, now);
        break;
    case RESPONSE_RECEIVED:
        received(timers, now);
        wg_timers_session_derived(timers, now);
        wg_timers_handshake_complete(timers, now);
        break;
    case SESSION_DERIVED:
        wg_timers_session_derived(timers, now);
        break;
    case SET_KEEPALIVE:
        return wg_timers_set_keepalive(timers, (guint16) step->arg, now) ? WG_DUE_KEEPALIVE : 0;
    case EXPIRE:
        return wg_timers_expire(timers, now);
    case LOOK:
        break;
    }
    return WG_DUE_NOTHING;
}

static void play(const Step *steps, guint n)
{
    const gint64 epoch = 12345678;
    WgTimers timers;

    wg_timers_init(&timers);
    for (guint i = 0; i < n; i++) {
        WgDue due = happen(&timers, &steps[i], epoch + us(steps[i].at));
        gint64 next = wg_timers_next(&timers);
        gint64 expected = epoch + us(steps[i].next);

        if (due != steps[i].due)
            g_error("step %u: due is %#x, not %#x", i, due, steps[i].due);
        if (steps[i].next == NONE ? next != G_MAXINT64
                                  : next < expected || next > expected + us(steps[i].slack))
            g_error("step %u: the next deadline is %.3f s, not %.3f s", i,
                    next == G_MAXINT64 ? -1 : (double) (next - epoch) / WG_SECOND, steps[i].next);
    }
}

#define PLAY(...)                                                                                  \
    G_STMT_START                                                                                   \
    {                                                                                              \
        static const Step steps_[] = {__VA_ARGS__};                                                \
        play(steps_, G_N_ELEMENTS(steps_));                                                        \
    }                                                                                              \
    G_STMT_END

#define AGAIN (WG_DUE_INITIATION | WG_DUE_CLEAR_LOCAL)

/* Down, nothing is ever armed, except that the persistent interval is remembered. */
static void test_down(void)
{
    PLAY({0, LOOK, .next = NONE}, {1, DATA_SENT, .next = NONE}, {1, DATA_RECEIVED, .next = NONE},
         {1, INITIATION_SENT, .next = NONE}, {1, SESSION_DERIVED, .next = NONE},
         {1, SET_KEEPALIVE, 25, .next = NONE}, {2, KEEPALIVE_SENT, .next = NONE},
         {1000, EXPIRE, .next = NONE}, {1000, START, .next = 1000});
}

static void test_stop(void)
{
    PLAY({0, START, .next = NONE}, {0, SET_KEEPALIVE, 25, WG_DUE_KEEPALIVE, 25, 0},
         {0, INITIATION_SENT, .next = 5, .slack = JITTER}, {0.1, RESPONSE_RECEIVED, .next = 25.1},
         {0.1, DATA_RECEIVED, .next = 10.1}, {0.1, STOP, .next = NONE},
         {1000, EXPIRE, .next = NONE});
}

/* 5 s and a jitter after each initiation, until there is a session. */
static void test_retransmit(void)
{
    PLAY({0, START, .next = NONE}, {0, INITIATION_SENT, .next = 5, .slack = JITTER},
         {4.999, EXPIRE, .next = 5, .slack = JITTER}, {5.4, EXPIRE, .due = AGAIN, .next = NONE},
         {5.4, INITIATION_SENT, .next = 10.4, .slack = JITTER},
         {6, DATA_RECEIVED, .next = 10.4, .slack = JITTER}, /* under an older key */
         {6, KEEPALIVE_SENT, .next = 10.4, .slack = JITTER},
         {6.1, RESPONSE_RECEIVED, .next = 546.1}, {20, EXPIRE, .next = 546.1});
}

/* The jitter is one: not always the same, never outside its bounds. */
static void test_jitter(void)
{
    gint64 least = G_MAXINT64;
    gint64 most = 0;
    WgTimers timers;

    wg_timers_init(&timers);
    wg_timers_start(&timers, 0);
    for (guint i = 0; i < 2000; i++) {
        wg_timers_initiation_sent(&timers, 0);
        least = MIN(least, wg_timers_next(&timers));
        most = MAX(most, wg_timers_next(&timers));
    }
    g_assert_cmpint(least, >=, us(5));
    g_assert_cmpint(least, <, us(5.02));
    g_assert_cmpint(most, >, us(5.31));
    g_assert_cmpint(most, <, us(5 + JITTER));
}

/* The first initiation, 19 more, and then no more; afterwards it may begin anew. */
static void test_give_up(void)
{
    WgTimers timers;
    gint64 now = 0;

    wg_timers_init(&timers);
    wg_timers_start(&timers, now);
    for (guint round = 0; round < 2; round++) {
        gint64 begun = now;
        guint sent_count = 0;
        WgDue due = AGAIN;

        while (due == AGAIN) {
            sent_count++;
            wg_timers_initiation_sent(&timers, now);
            now = timers.retransmit;
            due = wg_timers_expire(&timers, now);
        }
        g_assert_cmpint(due, ==, WG_DUE_GIVE_UP);
        g_assert_cmpuint(sent_count, ==, 20);
        g_assert_cmpint(now - begun, >=, 20 * WG_REKEY_TIMEOUT);
        g_assert_cmpint(timers.retransmit, ==, G_MAXINT64);
        g_assert_cmpint(timers.passive_keepalive, ==, G_MAXINT64);
    }
}

/* Giving up has the keys wiped in the end, but does not put off an earlier wiping. */
static void test_give_up_zeroes(void)
{
    WgTimers timers;
    gint64 zero;

    wg_timers_init(&timers);
    wg_timers_start(&timers, 0);
    wg_timers_session_derived(&timers, 0);
    zero = timers.zero_keys;
    timers.attempts = WG_MAX_RETRANSMISSIONS + 1;
    wg_timers_initiation_sent(&timers, us(100));
    g_assert_cmpint(wg_timers_expire(&timers, us(106)), ==, WG_DUE_GIVE_UP);
    g_assert_cmpint(timers.zero_keys, ==, zero);

    g_assert_cmpint(wg_timers_expire(&timers, zero), ==, WG_DUE_ZERO_KEYS);
    timers.attempts = WG_MAX_RETRANSMISSIONS + 1;
    wg_timers_initiation_sent(&timers, us(600));
    g_assert_cmpint(wg_timers_expire(&timers, us(606)), ==, WG_DUE_GIVE_UP);
    g_assert_cmpint(timers.zero_keys, ==, us(606 + 540));
}

/* 15 s and a jitter after data went out, if nothing at all came back. */
static void test_new_handshake(void)
{
    PLAY({0, START, .next = NONE}, {1, DATA_SENT, .next = 16, .slack = JITTER},
         {9, DATA_SENT, .next = 16, .slack = JITTER}, /* counted from the first */
         {15.99, EXPIRE, .next = 16, .slack = JITTER}, {16.4, EXPIRE, .due = AGAIN, .next = NONE});
    PLAY({0, START, .next = NONE}, {1, DATA_SENT, .next = 16, .slack = JITTER},
         {15.9, KEEPALIVE_RECEIVED, .next = NONE}, {30, EXPIRE, .next = NONE},
         {31, DATA_SENT, .next = 46, .slack = JITTER}, {32, DATA_RECEIVED, .next = 42});
    /* A keepalive wants no answer. */
    PLAY({0, START, .next = NONE}, {1, KEEPALIVE_SENT, .next = NONE});
}

/* It begins a new handshake: the attempts are counted anew. */
static void test_new_handshake_counts_anew(void)
{
    WgTimers timers;

    wg_timers_init(&timers);
    wg_timers_start(&timers, 0);
    timers.attempts = 7;
    wg_timers_data_sent(&timers, 0);
    g_assert_cmpint(wg_timers_expire(&timers, us(15.4)), ==, AGAIN);
    g_assert_cmpuint(timers.attempts, ==, 0);
}

/* A peer that falls silent in the middle of a transfer is given up as soon as any: 15 s for an
 * answer, 20 initiations. */
static void test_give_up_under_traffic(void)
{
    WgTimers timers;
    WgDue due = WG_DUE_NOTHING;
    gint64 now = 0;

    wg_timers_init(&timers);
    wg_timers_start(&timers, 0);
    while (!(due & WG_DUE_GIVE_UP) && now < us(200)) {
        wg_timers_data_sent(&timers, now);
        due = wg_timers_expire(&timers, now);
        if (due & WG_DUE_INITIATION && timers.retransmit == G_MAXINT64)
            wg_timers_initiation_sent(&timers, now);
        now += WG_SECOND / 10;
    }
    g_assert_cmpint(now, >, us(15 + 20 * 5));
    g_assert_cmpint(now, <, us(15 + 20 * (5 + JITTER) + 4));
}

/* 10 s after data came, if nothing went out; once more if data came meanwhile. */
static void test_passive_keepalive(void)
{
    PLAY({0, START, .next = NONE}, {1, DATA_RECEIVED, .next = 11}, {10.9, EXPIRE, .next = 11},
         {11, EXPIRE, .due = WG_DUE_KEEPALIVE, .next = NONE}, {11, KEEPALIVE_SENT, .next = NONE},
         {60, EXPIRE, .next = NONE});
    PLAY({0, START, .next = NONE}, {1, DATA_RECEIVED, .next = 11}, {5, DATA_RECEIVED, .next = 11},
         {9, DATA_RECEIVED, .next = 11},
         {11, EXPIRE, .due = WG_DUE_KEEPALIVE, .next = 21}, /* it may not have been able to leave */
         {11, KEEPALIVE_SENT, .next = NONE});
    PLAY({0, START, .next = NONE}, {1, DATA_RECEIVED, .next = 11},
         {5, DATA_SENT, .next = 20, .slack = JITTER}, {11, EXPIRE, .next = 20, .slack = JITTER});
    PLAY({0, START, .next = NONE}, {1, DATA_RECEIVED, .next = 11},
         {5, KEEPALIVE_SENT, .next = NONE});
    /* Otherwise two idle ends would answer each other for ever. */
    PLAY({0, START, .next = NONE}, {1, KEEPALIVE_RECEIVED, .next = NONE});
    /* An idle tunnel is silent: the first data after a pause is not answered at once. */
    PLAY({0, START, .next = NONE}, {0, RESPONSE_RECEIVED, .next = 540},
         {100, DATA_RECEIVED, .next = 110}, {100, EXPIRE, .next = 110});
}

/* What was sent in between answers all data that came before. */
static void test_passive_keepalive_once(void)
{
    PLAY({0, START, .next = NONE}, {1, DATA_RECEIVED, .next = 11}, {2, DATA_RECEIVED, .next = 11},
         {3, KEEPALIVE_SENT, .next = NONE}, {4, DATA_RECEIVED, .next = 14},
         {14, EXPIRE, .due = WG_DUE_KEEPALIVE, .next = NONE});
}

/* N seconds after anything authentic in either direction. */
static void test_persistent_keepalive(void)
{
    PLAY({0, START, .next = NONE}, {1, SET_KEEPALIVE, 25, WG_DUE_KEEPALIVE, 26, 0},
         {26, EXPIRE, .due = WG_DUE_KEEPALIVE, .next = 51}, {26.5, KEEPALIVE_SENT, .next = 51.5},
         {40, KEEPALIVE_RECEIVED, .next = 65}, {50, DATA_RECEIVED, .next = 60},
         {51, DATA_SENT, .next = 66, .slack = JITTER}, {51.1, KEEPALIVE_RECEIVED, .next = 76.1},
         {60, EXPIRE, .next = 76.1}, {61, INITIATION_SENT, .next = 66, .slack = JITTER},
         {61, RESPONSE_RECEIVED, .next = 86}, {86, EXPIRE, .due = WG_DUE_KEEPALIVE, .next = 111});
    /* Turned on, changed, off. */
    PLAY({0, START, .next = NONE}, {0, SET_KEEPALIVE, 10, WG_DUE_KEEPALIVE, 10, 0},
         {1, SET_KEEPALIVE, 20, .next = 21}, {2, SET_KEEPALIVE, 0, .next = NONE},
         {3, KEEPALIVE_SENT, .next = NONE}, {4, SET_KEEPALIVE, 65535, WG_DUE_KEEPALIVE, 65539, 0});
    /* At once when the interface comes up. */
    PLAY({0, SET_KEEPALIVE, 25, .next = NONE}, {7, START, .next = 7},
         {7, EXPIRE, .due = WG_DUE_KEEPALIVE, .next = 32});
}

/* 540 s after the last session was made, whatever else happens. */
static void test_zero_keys(void)
{
    PLAY({0, START, .next = NONE}, {1, SESSION_DERIVED, .next = 541},
         {100, KEEPALIVE_SENT, .next = 541}, {200, KEEPALIVE_RECEIVED, .next = 541},
         {300, RESPONSE_RECEIVED, .next = 840}, {839.9, EXPIRE, .next = 840},
         {840, EXPIRE, .due = WG_DUE_ZERO_KEYS, .next = NONE}, {2000, EXPIRE, .next = NONE});
}

/* All that is due comes at once, after a suspend for instance. */
static void test_all_at_once(void)
{
    PLAY({0, START, .next = NONE}, {0, SET_KEEPALIVE, 25, WG_DUE_KEEPALIVE, 25, 0},
         {0, SESSION_DERIVED, .next = 25}, {0, DATA_SENT, .next = 15, .slack = JITTER},
         {0, DATA_RECEIVED, .next = 10}, {0, DATA_SENT, .next = 15, .slack = JITTER},
         {0, INITIATION_SENT, .next = 5, .slack = JITTER},
         {90000, EXPIRE, .due = AGAIN | WG_DUE_KEEPALIVE | WG_DUE_ZERO_KEYS, .next = 90025});
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-timers/down", test_down);
    g_test_add_func("/wg-timers/stop", test_stop);
    g_test_add_func("/wg-timers/retransmit", test_retransmit); /* row 15 */
    g_test_add_func("/wg-timers/jitter", test_jitter);         /* row 15 */
    g_test_add_func("/wg-timers/give-up", test_give_up);       /* row 15 */
    g_test_add_func("/wg-timers/give-up-zeroes", test_give_up_zeroes);
    g_test_add_func("/wg-timers/new-handshake", test_new_handshake); /* row 15 */
    g_test_add_func("/wg-timers/new-handshake-counts-anew", test_new_handshake_counts_anew);
    g_test_add_func("/wg-timers/give-up-under-traffic", test_give_up_under_traffic);
    g_test_add_func("/wg-timers/passive-keepalive", test_passive_keepalive); /* row 15 */
    g_test_add_func("/wg-timers/passive-keepalive-once", test_passive_keepalive_once);
    g_test_add_func("/wg-timers/persistent-keepalive", test_persistent_keepalive);
    g_test_add_func("/wg-timers/zero-keys", test_zero_keys);
    g_test_add_func("/wg-timers/all-at-once", test_all_at_once);
    return g_test_run();
}
