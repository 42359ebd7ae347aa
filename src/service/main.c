/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: nm-culvert-service, which NetworkManager starts for each connection.
 */
#include "config.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <syslog.h>

#include "culvert-service.h"
#include "profile/culvert-profile.h"
#include "log/culvert-log.h"
#include "sandbox/culvert-resolver.h"
#include "sandbox/culvert-sandbox.h"
#include "tunnel/culvert-tunnel.h"

typedef struct {
    char *bus_name;
    gboolean persist;
    gboolean debug;
    gboolean no_offload;
    gboolean version;
} Options;

static gboolean parse_options(Options *options, int *argc, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    const GOptionEntry entries[] = {
        {"bus-name", 0, 0, G_OPTION_ARG_STRING, &options->bus_name,
         N_("D-Bus name to offer the service under"), N_("NAME")},
        {"persist", 0, 0, G_OPTION_ARG_NONE, &options->persist,
         N_("Do not quit when the connection ends (for debugging)"), NULL},
        {"debug", 0, 0, G_OPTION_ARG_NONE, &options->debug,
         N_("Log everything, except keys, to standard error"), NULL},
        {"no-offload", 0, 0, G_OPTION_ARG_NONE, &options->no_offload,
         N_("Move each packet by itself, for debugging"), NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, N_("Show the version"), NULL},
        {NULL},
    };

    g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
    g_option_context_set_summary(context, _("Culvert, WireGuard in user space, as a VPN service of "
                                            "NetworkManager, which starts this program itself."));
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, _("Unknown argument “%s”"),
                    (*argv)[1]);
        return FALSE;
    }
    if (!options->bus_name)
        options->bus_name = g_strdup(CULVERT_VPN_SERVICE);
    if (g_dbus_is_name(options->bus_name) && !g_dbus_is_unique_name(options->bus_name))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                _("--bus-name: “%s” is not a D-Bus name, like “%s”"), options->bus_name,
                CULVERT_VPN_SERVICE);
    return FALSE;
}

/* NetworkManager says in the environment how much it wants, and where. */
static void init_log(gboolean debug)
{
    int level = culvert_log_parse_level(g_getenv("NM_VPN_LOG_LEVEL"));
    gboolean to_syslog = g_strcmp0(g_getenv("NM_VPN_LOG_SYSLOG"), "1") == 0;

    if (debug)
        culvert_log_init("nm-culvert-service", LOG_DEBUG, FALSE);
    else
        culvert_log_init("nm-culvert-service", level, to_syslog);
}

static gboolean on_unix_signal(gpointer user_data)
{
    g_message("Asked to end by a signal");
    g_main_loop_quit(user_data);
    return G_SOURCE_CONTINUE;
}

static void on_bus_closed(GDBusConnection *bus, gboolean remote_peer_vanished, GError *error,
                          gpointer user_data)
{
    g_warning("The D-Bus connection is gone; ending");
    g_main_loop_quit(user_data);
}

static int run(const Options *options)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GError) error = NULL;
    g_autoptr(CulvertService) service = NULL;
    g_autoptr(GDBusConnection) bus = NULL;

    if (!culvert_resolver_start(&error) || !culvert_sandbox_enter(&error)) {
        g_warning("%s", error->message);
        return EXIT_FAILURE;
    }
    service = culvert_service_new(options->bus_name, options->persist, &error);
    if (!service) {
        g_warning("Offering “%s” on the system bus failed: %s", options->bus_name, error->message);
        return EXIT_FAILURE;
    }
    bus = nm_vpn_service_plugin_get_connection(NM_VPN_SERVICE_PLUGIN(service));
    g_signal_connect(bus, "closed", G_CALLBACK(on_bus_closed), loop);
    g_signal_connect_swapped(service, "quit", G_CALLBACK(g_main_loop_quit), loop);

    /* Only now: NMVpnServicePlugin installed handlers that are not safe in a signal. */
    g_unix_signal_add(SIGTERM, on_unix_signal, loop);
    g_unix_signal_add(SIGINT, on_unix_signal, loop);

    g_debug("Version %s offers “%s”", CULVERT_VERSION, options->bus_name);
    g_main_loop_run(loop);

    g_signal_handlers_disconnect_by_data(bus, loop);
    nm_vpn_service_plugin_shutdown(NM_VPN_SERVICE_PLUGIN(service));
    /* libnm before 1.52 does not: the last signals would be lost. */
    g_dbus_connection_flush_sync(bus, NULL, NULL);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    Options options = {0};
    g_autoptr(GError) error = NULL;
    int status;

    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, CULVERT_LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    /* The reader of the log may end before us. */
    signal(SIGPIPE, SIG_IGN);

    if (!parse_options(&options, &argc, &argv, &error)) {
        g_printerr("nm-culvert-service: %s\n", error->message);
        g_free(options.bus_name);
        return EXIT_FAILURE;
    }
    init_log(options.debug);
    if (options.version) {
        g_print("%s %s\n", "nm-culvert-service", CULVERT_VERSION);
        status = EXIT_SUCCESS;
    } else {
        culvert_tunnel_read_environment();
        if (options.no_offload)
            culvert_tunnel_set_default_offload(FALSE);
        status = run(&options);
    }
    g_free(options.bus_name);
    return status;
}
