/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-log.c: the log writer.
 */
#include "culvert-log.h"

#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

typedef struct {
    const char *identifier;
    int level; /* syslog's: 0 emergency to 7 debug; greater ones are left out */
    gboolean to_syslog;
} Log;

/* Written once, by culvert_log_init(), before there is a second thread. */
static Log settings = {.identifier = "culvert", .level = LOG_NOTICE};

/* The UUID of the connection that messages are about; interned, for all threads; NULL: none yet. */
static const char *connection_uuid;

int culvert_log_parse_level(const char *text)
{
    guint64 level;

    if (!text || !g_ascii_string_to_unsigned(text, 10, LOG_EMERG, LOG_DEBUG, &level, NULL))
        return LOG_NOTICE;
    return level;
}

int culvert_log_syslog_level(GLogLevelFlags level)
{
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
        return LOG_ERR;
    if (level & G_LOG_LEVEL_WARNING)
        return LOG_WARNING;
    if (level & G_LOG_LEVEL_MESSAGE)
        return LOG_NOTICE;
    if (level & G_LOG_LEVEL_INFO)
        return LOG_INFO;
    return LOG_DEBUG;
}

static const char *level_name(int level)
{
    static const char *const names[] = {"error", "warn", "info", "more", "debug"};

    return names[CLAMP(level, LOG_ERR, LOG_DEBUG) - LOG_ERR];
}

char *culvert_log_clean(const char *message)
{
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    GString *clean = g_string_new(NULL);

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (g_unichar_iscntrl(c))
            g_string_append_printf(clean, "\\x%02x", c);
        else
            g_string_append_unichar(clean, c);
    }
    return g_string_free(clean, FALSE);
}

static const char *find_field(const GLogField *fields, gsize n_fields, const char *key)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, key) && fields[i].length < 0)
            return fields[i].value;
    }
    return NULL;
}

/* The journal if it is there, else whatever listens at /dev/log. */
static void write_syslog(GLogLevelFlags level, const char *message)
{
    int syslog_level = culvert_log_syslog_level(level);
    const char priority[] = {'0' + syslog_level, '\0'};
    const char *uuid = g_atomic_pointer_get(&connection_uuid);
    const GLogField fields[] = {
        {"MESSAGE", message, -1},
        {"PRIORITY", priority, -1},
        {"SYSLOG_IDENTIFIER", settings.identifier, -1},
        {"NM_CONNECTION", uuid, -1},
    };
    gsize n_fields = G_N_ELEMENTS(fields) - (uuid ? 0 : 1);

    if (g_log_writer_journald(level, fields, n_fields, NULL) == G_LOG_WRITER_HANDLED)
        return;
    syslog(syslog_level, "%s", message);
}

static GLogWriterOutput write_message(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                      gpointer user_data)
{
    int syslog_level = culvert_log_syslog_level(level);
    const char *message = find_field(fields, n_fields, "MESSAGE");
    g_autofree char *clean = NULL;

    if (!message || syslog_level > settings.level)
        return G_LOG_WRITER_HANDLED;
    clean = culvert_log_clean(message);
    if (settings.to_syslog)
        write_syslog(level, clean);
    else
        fprintf(stderr, "%s[%d] <%s> %s\n", settings.identifier, (int) getpid(),
                level_name(syslog_level), clean);
    return G_LOG_WRITER_HANDLED;
}

/* Where a container has neither, messages would be lost. */
static gboolean have_syslog(void)
{
    return access("/run/systemd/journal/socket", W_OK) == 0 || access("/dev/log", W_OK) == 0;
}

void culvert_log_to_syslog(void)
{
    settings.to_syslog = have_syslog();
    if (settings.to_syslog)
        openlog(settings.identifier, LOG_PID, LOG_DAEMON);
}

void culvert_log_init(const char *identifier, int level, gboolean to_syslog)
{
    settings.identifier = identifier;
    settings.level = level;
    if (to_syslog)
        culvert_log_to_syslog();
    g_log_set_writer_func(write_message, NULL, NULL);
}

void culvert_log_set_connection(const char *uuid)
{
    g_atomic_pointer_set(&connection_uuid, g_intern_string(uuid));
}
