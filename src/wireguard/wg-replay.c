/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-replay.c: the sliding window of RFC 6479.
 *
 * A ring of words, a bit for each counter. Moving the window clears whole words, so that no bit
 * ever has to be shifted; the price is that the last word's worth of counters cannot be told from
 * those one turn of the ring earlier, hence WG_REPLAY_WINDOW.
 */
#include "wg-replay.h"

#include <string.h>

#define WORD_BITS 64
#define N_WORDS   (WG_REPLAY_BITS / WORD_BITS)

void wg_replay_init(WgReplay *replay)
{
    memset(replay, 0, sizeof *replay);
}

static void advance(WgReplay *replay, guint64 counter)
{
    guint64 newest = replay->greatest > 0 ? (replay->greatest - 1) / WORD_BITS : 0;
    guint64 n = MIN(counter / WORD_BITS - newest, N_WORDS);

    for (guint64 i = 1; i <= n; i++)
        replay->ring[(newest + i) % N_WORDS] = 0;
    replay->greatest = counter + 1;
}

gboolean wg_replay_check(WgReplay *replay, guint64 counter)
{
    if (counter >= WG_REJECT_AFTER_MESSAGES)
        return FALSE;
    if (counter >= replay->greatest)
        advance(replay, counter);
    else if (replay->greatest - 1 - counter > WG_REPLAY_WINDOW)
        return FALSE;

    guint64 *word = &replay->ring[counter / WORD_BITS % N_WORDS];
    guint64 bit = G_GUINT64_CONSTANT(1) << counter % WORD_BITS;

    if (*word & bit)
        return FALSE;
    *word |= bit;
    return TRUE;
}
