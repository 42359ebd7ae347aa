/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: culvert [-f|--foreground] [--tap ...] INTERFACE: a tunnel without NetworkManager,
 * configured by `wg`; takes wireguard-go's place for wg-quick and its systemd units.
 */
#include "config.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "culvert-gateway.h"
#include "gateway-daemon.h"
#include "gateway-owner.h"
#include "log/culvert-log.h"
#include "sandbox/culvert-netns.h"
#include "sandbox/culvert-sandbox.h"
#include "tunnel/culvert-tunnel.h"

typedef struct {
    gboolean foreground;
    gboolean no_offload;
    gboolean one_queue;
    gboolean version;
    GatewayOwnerOptions owner;
    GatewayEthernetOptions wanted;
    CulvertTunOptions device;
    GatewayEthernet ethernet;
} Options;

/* Names the kernel accepts (net/core/dev.c, dev_valid_name), and no “%”, which would be a
 * pattern: `wg` has to know the name. */
static gboolean check_interface(const char *name, GError **error)
{
    gsize len = strlen(name);

    if (len > 0 && len < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
        !strpbrk(name, "/:% \t\r\n\v\f"))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                _("“%s” is not a name for a network interface: 1 to %d bytes without “/”, “:”, "
                  "“%%” and spaces, like “wg0”"),
                name, IFNAMSIZ - 1);
    return FALSE;
}

static gboolean take_arguments(Options *options, int argc, char **argv, GError **error)
{
    if (options->version)
        return TRUE;
    if (options->one_queue) {
        g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                            _("“one_queue” is obsolete in the kernel, which ignores it. For an "
                              "interface with one queue set CULVERT_QUEUES=1 in the environment"));
        return FALSE;
    }
    /* GLib leaves a “--” before a name that looks like an option. */
    if (argc == 3 && strcmp(argv[1], "--") == 0) {
        argv++;
        argc--;
    }
    if (argc != 2) {
        g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                            _("Give the name of one network interface to create, like “culvert "
                              "wg0”; see “culvert --help”"));
        return FALSE;
    }
    options->device.name = argv[1];
    return check_interface(options->device.name, error) &&
           gateway_owner_parse(&options->owner, &options->device.owner, &options->device.group,
                               error) &&
           gateway_ethernet_parse(&options->wanted, &options->ethernet, error);
}

static gboolean parse_options(Options *options, int *argc, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(_("INTERFACE"));
    const GOptionEntry entries[] = {
        {"foreground", 'f', 0, G_OPTION_ARG_NONE, &options->foreground,
         N_("Stay in the foreground"), NULL},
        {"no-offload", 0, 0, G_OPTION_ARG_NONE, &options->no_offload,
         N_("Move each packet by itself, for debugging"), NULL},
        {"tap", 0, 0, G_OPTION_ARG_NONE, &options->wanted.tap,
         N_("Carry Ethernet, and be a switch for the peers"), NULL},
        {"vtep", 0, 0, G_OPTION_ARG_STRING, &options->wanted.vtep,
         N_("With --tap: this end's address inside the tunnel"), N_("ADDRESS")},
        {"vxlan-id", 0, 0, G_OPTION_ARG_STRING, &options->wanted.vxlan_id,
         N_("With --tap: the number of the VXLAN, 1 by default"), N_("NUMBER")},
        {"tun-user", 0, 0, G_OPTION_ARG_STRING, &options->owner.user,
         N_("Whom the device belongs to, who may do anything with it"), N_("USER")},
        {"tun-group", 0, 0, G_OPTION_ARG_STRING, &options->owner.group,
         N_("Which group the device belongs to, likewise"), N_("GROUP")},
        {"one-queue", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &options->one_queue, NULL, NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, N_("Show the version"), NULL},
        {NULL},
    };

    g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
    g_option_context_set_summary(
        context,
        _("Creates a network interface that speaks WireGuard in user space, and goes into "
          "the\nbackground once it is there. Configure it with “wg”, or let wg-quick start "
          "this program:\n\n"
          "  WG_QUICK_USERSPACE_IMPLEMENTATION=culvert wg-quick up INTERFACE\n\n"
          "To end it, delete the interface: ip link delete INTERFACE"));
    g_option_context_set_description(
        context, _("Environment:\n"
                   "  LOG_LEVEL            How much is logged: verbose (or debug), info, error, "
                   "silent.\n"
                   "                       In the foreground to standard error, else to the "
                   "journal or syslog\n"
                   "  CULVERT_AEAD         What encrypts packets, to compare: evp (OpenSSL), "
                   "ipsec-mb, or auto,\n"
                   "                       the faster of them here\n"
                   "  CULVERT_OFFLOAD      no: as --no-offload\n"
                   "  CULVERT_QUEUES       How many queues the interface has, 1 to 4; by default, "
                   "half as many\n"
                   "                       as there are processors\n"
                   "  CULVERT_TUN_USER     A user: as --tun-user USER\n"
                   "  CULVERT_TUN_GROUP    A group: as --tun-group GROUP\n"
                   "  CULVERT_VTEP         An address: as --tap --vtep ADDRESS\n"
                   "  CULVERT_VXLAN_ID     A number: as --vxlan-id NUMBER\n"
                   "  CULVERT_SANDBOX      no: keeps its privileges and system calls, for "
                   "debugging\n"));
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    /* wireguard-go's way to say the same */
    if (g_strcmp0(g_getenv("WG_PROCESS_FOREGROUND"), "1") == 0)
        options->foreground = TRUE;
    gateway_owner_read_environment(&options->owner);
    gateway_ethernet_read_environment(&options->wanted);
    return take_arguments(options, *argc, *argv, error);
}

/* The names that wireguard-go knows, and one between them; anything else is the default. */
static int log_level(const char *name)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = {
        {"verbose", LOG_DEBUG}, {"debug", LOG_DEBUG}, {"info", LOG_INFO},
        {"error", LOG_ERR},     {"silent", -1},
    };

    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (g_strcmp0(name, levels[i].name) == 0)
            return levels[i].level;
    }
    return LOG_NOTICE;
}

static gboolean on_unix_signal(gpointer loop)
{
    g_message("Asked to end by a signal");
    g_main_loop_quit(loop);
    return G_SOURCE_CONTINUE;
}

static gboolean run(const Options *options, GError **error)
{
    g_autoptr(GMainLoop) loop = NULL;
    g_autoptr(CulvertGateway) gateway = NULL;

    if (!options->foreground && !gateway_daemon_start(error))
        return FALSE;
    if (!culvert_netns_start(error) || !culvert_sandbox_enter(error))
        return FALSE;
    loop = g_main_loop_new(NULL, FALSE);
    gateway = culvert_gateway_new(&options->device, &options->ethernet, error);
    if (!gateway)
        return FALSE;
    g_signal_connect_swapped(gateway, "ended", G_CALLBACK(g_main_loop_quit), loop);
    g_unix_signal_add(SIGTERM, on_unix_signal, loop);
    g_unix_signal_add(SIGINT, on_unix_signal, loop);
    if (!options->foreground) {
        gateway_daemon_ready();
        culvert_log_to_syslog();
    }
    g_main_loop_run(loop);
    return TRUE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    Options options = {.device = CULVERT_TUN_OPTIONS_INIT};
    gboolean parsed;

    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, CULVERT_LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    signal(SIGPIPE, SIG_IGN);
    /* Files are files here: no module of the desktop belongs into a daemon of root's. */
    g_setenv("GIO_USE_VFS", "local", TRUE);

    parsed = parse_options(&options, &argc, &argv, &error);
    gateway_owner_options_clear(&options.owner);
    gateway_ethernet_options_clear(&options.wanted);
    if (!parsed) {
        g_printerr("culvert: %s\n", error->message);
        return EXIT_FAILURE;
    }
    if (options.version) {
        g_print("culvert %s\n", CULVERT_VERSION);
        return EXIT_SUCCESS;
    }
    culvert_log_init("culvert", log_level(g_getenv("LOG_LEVEL")), FALSE);
    culvert_tunnel_read_environment();
    if (options.no_offload)
        culvert_tunnel_set_default_offload(FALSE);
    if (!run(&options, &error)) {
        g_printerr("culvert: %s\n", error->message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
