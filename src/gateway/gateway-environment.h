/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gateway-environment.h: environment variables that stand for options.
 */
#pragma once

#include <glib.h>

/* gateway_take_variable: a copy of the variable's value into *option, unless that was given, or the
 * variable is not set or empty. */
static inline void gateway_take_variable(char **option, const char *name)
{
    const char *value = g_getenv(name);

    if (!*option && value && *value)
        *option = g_strdup(value);
}
