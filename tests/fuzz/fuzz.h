/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz.h: what a target of this folder is: a function that takes any bytes and must not crash, leak
 * or break its own assertions, and examples of well-made input to start from. Runs under
 * fuzz-driver.c, or, with -Dfuzzer=true and clang, under libFuzzer.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *data;
    gsize len;
} FuzzSeed;

/* fuzz_seeds: well-made inputs, the last one with NULL. A target may do without: what it is given
 * then is rarely more than noise to it. */
extern const FuzzSeed fuzz_seeds[];

/* LLVMFuzzerTestOneInput: one input; returns 0. The name is libFuzzer's
 * (https://llvm.org/docs/LibFuzzer.html). */
int LLVMFuzzerTestOneInput(const guint8 *data, gsize len);

#define FUZZ_SEED(text)                                                                            \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

G_END_DECLS
