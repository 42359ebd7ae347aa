/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-secret-buffer.c: text that grows and holds secrets. See culvert-secret-buffer.h.
 */
#include "config.h"

#include "culvert-secret-buffer.h"

#include <string.h>

#include "wireguard/wg-crypto.h"

/* A .conf with a peer or two. */
#define FIRST_SIZE 1024

char *culvert_secret_buffer_reserve(CulvertSecretBuffer *buffer, gsize length)
{
    gsize needed = buffer->length + length + 1;
    gsize size = MAX(buffer->size, FIRST_SIZE);
    char *text;

    if (needed <= buffer->size)
        return buffer->text + buffer->length;
    while (size < needed)
        size *= 2;
    text = wg_secret_alloc0(size);
    if (buffer->text)
        memcpy(text, buffer->text, buffer->length);
    wg_secret_free(buffer->text, buffer->size);
    buffer->text = text;
    buffer->size = size;
    return text + buffer->length;
}

void culvert_secret_buffer_append_len(CulvertSecretBuffer *buffer, const char *text, gsize length)
{
    char *end = culvert_secret_buffer_reserve(buffer, length);

    memcpy(end, text, length);
    end[length] = '\0';
    buffer->length += length;
}

void culvert_secret_buffer_append(CulvertSecretBuffer *buffer, const char *text)
{
    culvert_secret_buffer_append_len(buffer, text, strlen(text));
}

void culvert_secret_buffer_clear(CulvertSecretBuffer *buffer)
{
    wg_secret_free(buffer->text, buffer->size);
    memset(buffer, 0, sizeof(*buffer));
}

static void free_owner(CulvertSecretBuffer *owner)
{
    culvert_secret_buffer_clear(owner);
    g_free(owner);
}

GBytes *culvert_secret_buffer_to_bytes(CulvertSecretBuffer *buffer)
{
    CulvertSecretBuffer *owner = g_new(CulvertSecretBuffer, 1);

    *owner = *buffer;
    memset(buffer, 0, sizeof(*buffer));
    return g_bytes_new_with_free_func(owner->text, owner->length, (GDestroyNotify) free_owner,
                                      owner);
}
