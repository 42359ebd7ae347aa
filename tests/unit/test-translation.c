/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-translation.c: messages reach a person in their language. Argument: the folder of the
 * compiled translations.
 */
#include "config.h"

#include <libintl.h>
#include <locale.h>
#include <string.h>

#include "profile/culvert-conf.h"
#include "profile/culvert-options.h"

/* The translation is chosen by LANGUAGE; any locale but "C" lets it. */
static void test_german(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) fault = NULL;
    g_autoptr(CulvertProfile) profile = culvert_profile_new();
    CulvertProfilePeer *peer = culvert_profile_add_peer(profile);
    const CulvertOption *option = culvert_options_find("mtu");
    g_autofree char *values = culvert_option_values(option);

    g_assert_null(culvert_conf_parse("client\n", 7, "x.conf", &error));
    g_assert_cmpstr(error->message, ==,
                    "x.conf:1: das ist keine .conf-Datei von WireGuard: sie beginnt nicht mit "
                    "einem Abschnitt; erwartet wird Text mit den Abschnitten [Interface] und "
                    "[Peer]");
    g_assert_cmpstr(values, ==, "0 oder 68 bis 65455");
    g_assert_false(culvert_option_parse(culvert_options_find("public-key"), "x", peer, &fault));
    g_assert_nonnull(strstr(fault->message, "1 Zeichen"));
}

int main(int argc, char **argv)
{
    g_setenv("LANGUAGE", "de", TRUE);
    g_assert_nonnull(setlocale(LC_ALL, "C.UTF-8"));
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    bindtextdomain(GETTEXT_PACKAGE, argv[1]);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    g_test_add_func("/translation/german", test_german);
    return g_test_run();
}
