/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-secret-buffer.h: text that grows and holds secrets: what it leaves behind is wiped. A
 * NUL always follows the text. One thread at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    char *text; /* secret memory; never NULL once something was appended */
    gsize length;
    gsize size;
} CulvertSecretBuffer;

void culvert_secret_buffer_append_len(CulvertSecretBuffer *buffer, const char *text, gsize length);
void culvert_secret_buffer_append(CulvertSecretBuffer *buffer, const char *text);

/* culvert_secret_buffer_reserve: room for `length` more bytes after the text: fill it and add to
 * `length`, keeping the NUL. */
char *culvert_secret_buffer_reserve(CulvertSecretBuffer *buffer, gsize length);

void culvert_secret_buffer_clear(CulvertSecretBuffer *buffer); /* wipes and frees */

/* culvert_secret_buffer_to_bytes: the text, which wipes itself when it is not used any more. The
 * buffer is empty then. (transfer full) */
GBytes *culvert_secret_buffer_to_bytes(CulvertSecretBuffer *buffer);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CulvertSecretBuffer, culvert_secret_buffer_clear)

G_END_DECLS
