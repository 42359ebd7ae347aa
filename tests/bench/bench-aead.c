/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-aead.c: what sealing and opening a packet costs with each backend. Prints a table;
 * `meson test --benchmark` runs it. The backends take turns in short rounds, so that what else the
 * machine does falls on all of them, and the median of the rounds counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wireguard/wg-aead.h"
#include "wireguard/wg-crypto.h"

#define ROUNDS 101

/* A run of packets as long as one read from the device brings, at the distance they have there. */
#define PACKETS 44
#define STRIDE  1536
#define REPEATS 20

typedef enum {
    SEAL_IN_PLACE,
    SEAL_APART,
    OPEN_IN_PLACE,
    N_WORKS,
} Work;

static const gsize lengths[] = {64, 512, 1424};
static const WgAeadBackend backends[] = {WG_AEAD_REFERENCE, WG_AEAD_EVP, WG_AEAD_IPSEC_MB};

typedef struct {
    WgAead *aead;
    double ns[G_N_ELEMENTS(lengths)][N_WORKS][ROUNDS];
} Backend;

typedef struct {
    guint8 key[WG_KEY_SIZE];
    guint8 text[PACKETS][STRIDE];
    guint8 sealed[PACKETS][STRIDE];
    guint8 out[PACKETS][STRIDE];
} Memory;

static void seal_all(WgAead *aead, Memory *memory, gsize len, gboolean in_place)
{
    for (guint i = 0; i < PACKETS; i++)
        wg_aead_seal(aead, memory->key, 1, i, NULL, 0, in_place ? memory->out[i] : memory->text[i],
                     len, memory->out[i]);
}

/* Opening in place spoils the packet: they are copied, outside of the time taken. */
static void open_all(WgAead *aead, Memory *memory, gsize len)
{
    for (guint i = 0; i < PACKETS; i++) {
        if (!wg_aead_open(aead, memory->key, 2, i, NULL, 0, memory->out[i], len + WG_TAG_SIZE,
                          memory->out[i]))
            abort();
    }
}

static double measure(WgAead *aead, Memory *memory, gsize len, Work work)
{
    gint64 took = 0;

    for (guint i = 0; i < REPEATS; i++) {
        gint64 start;

        memcpy(memory->out, memory->sealed, sizeof memory->out);
        start = g_get_monotonic_time();
        if (work == OPEN_IN_PLACE)
            open_all(aead, memory, len);
        else
            seal_all(aead, memory, len, work == SEAL_IN_PLACE);
        took += g_get_monotonic_time() - start;
    }
    return (double) took * 1000 / (REPEATS * PACKETS);
}

static void run_round(Backend *all, guint n, Memory *memory, guint round)
{
    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        for (guint p = 0; p < PACKETS; p++)
            wg_aead_seal(all[0].aead, memory->key, 1, p, NULL, 0, memory->text[p], lengths[i],
                         memory->sealed[p]);
        for (Work work = 0; work < N_WORKS; work++) {
            for (guint b = 0; b < n; b++)
                all[b].ns[i][work][round] = measure(all[b].aead, memory, lengths[i], work);
        }
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static void print_table(Backend *all, guint n)
{
    static const char *const works[N_WORKS] = {"seal in place", "seal apart", "open in place"};

    printf("ns per packet, median of %d rounds\n%-10s %-14s", ROUNDS, "bytes", "");
    for (guint b = 0; b < n; b++)
        printf(" %10s", wg_aead_backend_name(wg_aead_get_backend(all[b].aead)));
    printf("\n");
    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        for (Work work = 0; work < N_WORKS; work++) {
            printf("%-10zu %-14s", lengths[i], works[work]);
            for (guint b = 0; b < n; b++)
                printf(" %10.0f", median(all[b].ns[i][work]));
            printf("\n");
        }
    }
}

int main(void)
{
    g_autofree Backend *all = g_new0(Backend, G_N_ELEMENTS(backends));
    g_autofree Memory *memory = g_new0(Memory, 1);
    g_autoptr(WgAead) automatic = wg_aead_new();
    guint n = 0;

    wg_random(memory, sizeof *memory);
    for (guint i = 0; i < G_N_ELEMENTS(backends); i++) {
        WgAead *aead = wg_aead_new();

        if (wg_aead_set_backend(aead, backends[i]))
            all[n++].aead = aead;
        else
            wg_aead_free(aead);
    }
    for (guint round = 0; round < ROUNDS; round++)
        run_round(all, n, memory, round);
    print_table(all, n);
    printf("chosen here: %s\n", wg_aead_backend_name(wg_aead_get_backend(automatic)));
    for (guint b = 0; b < n; b++)
        wg_aead_free(all[b].aead);
    return 0;
}
