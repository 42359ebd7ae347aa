/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run-ip.h: ip(8), to set up interfaces and routes in a test's network namespace.
 */
#pragma once

#include <gio/gio.h>

static inline void run_ip(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* run_ip: ip with these arguments, which must work. */
static inline void run_ip(const char *format, ...)
{
    g_autofree char *arguments = NULL, *line = NULL;
    g_autoptr(GError) error = NULL;
    va_list list;
    int status;

    va_start(list, format);
    arguments = g_strdup_vprintf(format, list);
    va_end(list);
    line = g_strdup_printf("ip %s", arguments);
    g_spawn_command_line_sync(line, NULL, NULL, &status, &error);
    g_assert_no_error(error);
    if (status != 0)
        g_error("“%s” failed", line);
}
