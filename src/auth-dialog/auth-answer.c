/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-answer.c: writing the answer. GKeyFile would leave copies of the secrets behind, hence the
 * few lines of its format here (g_key_file_set_string() has the escapes).
 */
#include "config.h"

#include "auth-answer.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "profile/culvert-secret-buffer.h"

/* Agents that read line by line know by two empty lines that this was all. */
#define END "\n\n"

static gboolean write_out(int fd, const CulvertSecretBuffer *buffer, GError **error)
{
    for (gsize done = 0; done < buffer->length;) {
        gssize n = write(fd, buffer->text + done, buffer->length - done);

        if (n < 0 && errno != EINTR) {
            g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                        _("Cannot answer on standard output: %s"), g_strerror(errno));
            return FALSE;
        }
        done += MAX(n, 0);
    }
    return TRUE;
}

static void add_string(CulvertSecretBuffer *buffer, const char *key, const char *value)
{
    static const struct {
        char c;
        const char *escape;
    } ESCAPES[] = {{'\n', "\\n"}, {'\r', "\\r"}, {'\t', "\\t"}, {'\\', "\\\\"}};

    culvert_secret_buffer_append(buffer, key);
    culvert_secret_buffer_append(buffer, "=");
    for (const char *p = value; *p; p++) {
        const char *escape = p == value && *p == ' ' ? "\\s" : NULL;

        for (guint i = 0; i < G_N_ELEMENTS(ESCAPES); i++) {
            if (*p == ESCAPES[i].c)
                escape = ESCAPES[i].escape;
        }
        if (escape)
            culvert_secret_buffer_append(buffer, escape);
        else
            culvert_secret_buffer_append_len(buffer, p, 1);
    }
    culvert_secret_buffer_append(buffer, "\n");
}

static void add_field(CulvertSecretBuffer *buffer, const AuthField *field)
{
    culvert_secret_buffer_append(buffer, "\n[");
    culvert_secret_buffer_append(buffer, field->key);
    culvert_secret_buffer_append(buffer, "]\n");
    add_string(buffer, "Value", field->value ? field->value : "");
    add_string(buffer, "Label", field->label);
    add_string(buffer, "IsSecret", "true");
    add_string(buffer, "ShouldAsk", field->ask ? "true" : "false");
}

gboolean auth_answer_form(int fd, const AuthQuestion *question, GPtrArray *fields, GError **error)
{
    g_auto(CulvertSecretBuffer) buffer = {0};
    g_autofree char *text = auth_question_text(question);

    culvert_secret_buffer_append(&buffer, "[VPN Plugin UI]\n");
    add_string(&buffer, "Version", "2");
    add_string(&buffer, "Title", _("Authenticate VPN"));
    add_string(&buffer, "Description", text);
    for (guint i = 0; i < fields->len; i++)
        add_field(&buffer, g_ptr_array_index(fields, i));
    culvert_secret_buffer_append(&buffer, END);
    return write_out(fd, &buffer, error);
}

gboolean auth_answer_values(int fd, GPtrArray *fields, GError **error)
{
    g_auto(CulvertSecretBuffer) buffer = {0};

    for (guint i = 0; i < fields->len; i++) {
        const AuthField *field = g_ptr_array_index(fields, i);

        /* A line is all there is for a value: one with a line break in it is no key. */
        if (!field->value || strchr(field->value, '\n'))
            continue;
        culvert_secret_buffer_append(&buffer, field->key);
        culvert_secret_buffer_append(&buffer, "\n");
        culvert_secret_buffer_append(&buffer, field->value);
        culvert_secret_buffer_append(&buffer, "\n");
    }
    culvert_secret_buffer_append(&buffer, END);
    return write_out(fd, &buffer, error);
}
