/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-driver.c: a target's well-made inputs, damaged at random, for a few seconds. Prints TAP.
 *
 *     fuzz-NAME SECONDS [SEED]        until the time is over
 *     fuzz-NAME round SEED ROUND      one input again, which a failed run has named
 *
 * More well-made inputs are in FUZZ_CORPUS, a folder, one a file. In the environment
 * CULVERT_FUZZ_SECONDS takes the place of SECONDS.
 *
 * An input depends on seed and round alone, so that a failure can be had again. What a target makes
 * of it, keys for example, may be new each time.
 */
#include "fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Inputs do not grow beyond this: a UDP datagram, or a few hundred lines. */
#define INPUT_MAX 65535

#define MUTATIONS_MAX 8

/* A target whose seeds are all in its folder of the corpus has none of these. */
#pragma weak fuzz_seeds

static guint64 current_seed, current_round;
static GPtrArray *seeds; /* of GBytes */

/* ---- Chance --------------------------------------------------------------------------------- */

/* GRand rather than random(): the same numbers everywhere. */
static guint below(GRand *chance, gsize bound)
{
    return bound < 2 ? 0 : (guint) g_rand_int_range(chance, 0, (gint32) bound);
}

static GBytes *any_seed(GRand *chance)
{
    return g_ptr_array_index(seeds, below(chance, seeds->len));
}

/* ---- Well-made inputs ----------------------------------------------------------------------- */

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void read_file(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *data = NULL;
    gsize len;

    g_assert_true(g_file_get_contents(path, &data, &len, NULL));
    g_ptr_array_add(seeds, g_bytes_new_take(g_steal_pointer(&data), len));
}

/* In the order of their names, on which what is made of a seed depends. */
static void read_corpus(const char *folder)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++)
        read_file(folder, g_ptr_array_index(names, i));
}

static void read_seeds(void)
{
    seeds = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
    for (guint i = 0; fuzz_seeds && fuzz_seeds[i].data; i++)
        g_ptr_array_add(seeds, g_bytes_new(fuzz_seeds[i].data, fuzz_seeds[i].len));
    read_corpus(FUZZ_CORPUS);
}

/* ---- Damage --------------------------------------------------------------------------------- */

/* Lengths are mostly small. */
static guint some_length(GRand *chance, gsize most)
{
    guint bound = 1u << below(chance, 12);

    return below(chance, MIN(bound, most) + 1);
}

static void change_byte(GRand *chance, GByteArray *input)
{
    static const guint8 telling[] = {0, 1, 4, 0x7f, 0x80, 0xff, '\n', '=', ',', '-', '9', ' '};
    guint8 *p = input->data + below(chance, input->len);

    if (input->len == 0)
        return;
    switch (below(chance, 3)) {
    case 0:
        *p ^= (guint8) (1u << below(chance, 8));
        break;
    case 1:
        *p = telling[below(chance, G_N_ELEMENTS(telling))];
        break;
    default:
        *p = (guint8) below(chance, 256);
    }
}

static void take_out(GRand *chance, GByteArray *input)
{
    guint at = below(chance, input->len);
    guint len = some_length(chance, input->len - at);

    if (len > 0)
        g_byte_array_remove_range(input, at, len);
}

static void insert(GByteArray *input, guint at, const guint8 *data, guint len)
{
    guint old = input->len;

    if (len == 0 || old + len > INPUT_MAX)
        return;
    g_byte_array_set_size(input, old + len);
    memmove(input->data + at + len, input->data + at, old - at);
    memcpy(input->data + at, data, len);
}

/* A piece of the input itself, or of another well-made one, in any place: doubled, out of order. */
static void put_in(GRand *chance, GByteArray *input)
{
    gsize size;
    const guint8 *from = g_bytes_get_data(any_seed(chance), &size);
    guint at, len;
    g_autofree guint8 *piece = NULL;

    if (below(chance, 2) && input->len > 0) {
        from = input->data;
        size = input->len;
    }
    at = below(chance, size);
    len = some_length(chance, size - at);
    piece = g_memdup2(from + at, len);
    insert(input, below(chance, input->len + 1u), piece, len);
}

/* One byte again and again: too long. */
static void stretch(GRand *chance, GByteArray *input)
{
    guint len = some_length(chance, 2048);
    g_autofree guint8 *same = g_malloc(len + 1u);

    memset(same, (int) below(chance, 256), len + 1u);
    if (input->len > 0 && below(chance, 2))
        memset(same, input->data[below(chance, input->len)], len);
    insert(input, below(chance, input->len + 1u), same, len);
}

static void cut(GRand *chance, GByteArray *input)
{
    g_byte_array_set_size(input, below(chance, input->len + 1u));
}

static void damage(GRand *chance, GByteArray *input)
{
    static void (*const ways[])(GRand *, GByteArray *) = {
        change_byte, change_byte, change_byte, take_out, put_in, put_in, stretch, cut,
    };

    ways[below(chance, G_N_ELEMENTS(ways))](chance, input);
}

/* ---- Running -------------------------------------------------------------------------------- */

static void run_input(const guint8 *data, gsize len)
{
    /* On the heap and of its exact size, so that a sanitizer sees each byte too many. */
    g_autofree guint8 *copy = len > 0 ? g_memdup2(data, len) : g_malloc0(1);

    LLVMFuzzerTestOneInput(copy, len);
}

static void run_round(guint64 seed, guint64 round)
{
    const guint32 numbers[] = {(guint32) seed, (guint32) round, (guint32) (round >> 32)};
    g_autoptr(GRand) chance = g_rand_new_with_seed_array(numbers, G_N_ELEMENTS(numbers));
    GBytes *start = any_seed(chance);
    g_autoptr(GByteArray) input = g_byte_array_new();
    guint n = 1 + below(chance, MUTATIONS_MAX);

    current_round = round;
    g_byte_array_append(input, g_bytes_get_data(start, NULL), (guint) g_bytes_get_size(start));
    for (guint i = 0; i < n; i++)
        damage(chance, input);
    run_input(input->data, input->len);
}

/* On abort(), which assertions and sanitizers end in: how to have it again. */
static void on_abort(int number)
{
    char text[128];
    int len = snprintf(text, sizeof text,
                       "\nnot ok 1 - fails again with: round %" G_GUINT64_FORMAT
                       " %" G_GUINT64_FORMAT "\n",
                       current_seed, current_round);

    if (write(STDOUT_FILENO, text, (size_t) len) < 0)
        _exit(2);
    signal(number, SIG_DFL);
}

static void run_seed(gpointer seed, gpointer unused)
{
    run_input(g_bytes_get_data(seed, NULL), g_bytes_get_size(seed));
}

static guint64 run_rounds(const char *seconds)
{
    const char *wanted = g_getenv("CULVERT_FUZZ_SECONDS");
    gint64 time = (gint64) (g_ascii_strtod(wanted ? wanted : seconds, NULL) * G_USEC_PER_SEC);
    gint64 end = g_get_monotonic_time() + time;
    guint64 rounds = 0;

    g_ptr_array_foreach(seeds, run_seed, NULL);
    while (g_get_monotonic_time() < end)
        run_round(current_seed, rounds++);
    return rounds;
}

int main(int argc, char **argv)
{
    guint64 rounds;

    signal(SIGABRT, on_abort);
    read_seeds();
    if (argc == 4 && strcmp(argv[1], "round") == 0) {
        current_seed = g_ascii_strtoull(argv[2], NULL, 10);
        run_round(current_seed, g_ascii_strtoull(argv[3], NULL, 10));
        return 0;
    }
    if (argc < 2) {
        fprintf(stderr, "usage: %s SECONDS [SEED], or %s round SEED ROUND\n", argv[0], argv[0]);
        return 2;
    }
    current_seed = argc > 2 ? g_ascii_strtoull(argv[2], NULL, 10) : 1;
    printf("1..1\n");
    fflush(stdout);
    rounds = run_rounds(argv[1]);
    printf("ok 1 - %" G_GUINT64_FORMAT " inputs of seed %" G_GUINT64_FORMAT "\n", rounds,
           current_seed);
    g_ptr_array_unref(seeds);
    return 0;
}
