/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-auth-dialog.c: nm-culvert-auth-dialog as an agent has it: a connection on its standard
 * input, the answer on its standard output. Argument: the program.
 */
#include <gio/gio.h>
#include <string.h>

#define SERVICE "org.freedesktop.NetworkManager.culvert"
#define PRIVATE "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
#define PSK     "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="

#define DATA(key, value)   "DATA_KEY=" key "\nDATA_VAL=" value "\n\n"
#define SECRET(key, value) "SECRET_KEY=" key "\nSECRET_VAL=" value "\n\n"
#define COMMON             "-u", "5d1a0b0c-3d3e-4d0c-9b71-4b4f0a1c0a0e", "-n", "office", "-s", SERVICE
#define FORM               COMMON, "--external-ui-mode"

static const char *const SESSION[] = {"DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS",
                                      "XDG_RUNTIME_DIR"};

static const char *program;

static GSubprocess *start(const char *const *options)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                  G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    GSubprocess *process;

    /* What a person sets to debug an agent must not end up in the answer. */
    g_subprocess_launcher_setenv(launcher, "G_MESSAGES_DEBUG", "all", TRUE);
    /* Neither a display nor a keyring: tests/auth-dialog has them. */
    for (guint i = 0; i < G_N_ELEMENTS(SESSION); i++)
        g_subprocess_launcher_unsetenv(launcher, SESSION[i]);
    g_ptr_array_add(argv, (gpointer) program);
    for (guint i = 0; options[i]; i++)
        g_ptr_array_add(argv, (gpointer) options[i]);
    g_ptr_array_add(argv, NULL);
    process = g_subprocess_launcher_spawnv(launcher, (const char *const *) argv->pdata, &error);
    g_assert_no_error(error);
    return process;
}

/* Feeds `input`; returns standard output. `said`: standard error. */
static char *run_to_end(const char *const *options, const char *input, int status, char **said)
{
    g_autoptr(GSubprocess) process = start(options);
    g_autoptr(GError) error = NULL;
    g_autofree char *complaint = NULL;
    char *output = NULL;

    g_subprocess_communicate_utf8(process, input, NULL, &output, &complaint, &error);
    g_assert_no_error(error);
    if (complaint[0])
        g_test_message("%s", complaint);
    g_assert_true(g_subprocess_get_if_exited(process));
    g_assert_cmpint(g_subprocess_get_exit_status(process), ==, status);
    if (said)
        *said = g_steal_pointer(&complaint);
    return output;
}

#define RUN(input, status, said, ...)                                                              \
    run_to_end((const char *const[]){__VA_ARGS__, NULL}, input, status, said)

static GKeyFile *parse(const char *output)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) form = g_key_file_new();
    g_autofree char *first = NULL;

    g_assert_true(g_str_has_suffix(output, "\n\n"));
    g_key_file_load_from_data(form, output, strlen(output), G_KEY_FILE_NONE, &error);
    g_assert_no_error(error);
    first = g_key_file_get_start_group(form);
    g_assert_cmpstr(first, ==, "VPN Plugin UI");
    return g_steal_pointer(&form);
}

static void assert_value(GKeyFile *form, const char *group, const char *key, const char *expected)
{
    g_autofree char *value = g_key_file_get_string(form, group, key, NULL);

    g_assert_cmpstr(value, ==, expected);
}

static void assert_field(GKeyFile *form, const char *key, const char *label, const char *value,
                         gboolean ask)
{
    assert_value(form, key, "Label", label);
    assert_value(form, key, "Value", value);
    assert_value(form, key, "IsSecret", "true");
    assert_value(form, key, "ShouldAsk", ask ? "true" : "false");
}

static void assert_groups(GKeyFile *form, guint expected)
{
    g_auto(GStrv) groups = g_key_file_get_groups(form, NULL);

    g_assert_cmpuint(g_strv_length(groups), ==, expected);
}

/* All that is missing is asked for, and what is there is handed back. */
static void test_form(void)
{
    g_autofree char *output =
        RUN(DATA("private-key-flags", "1") DATA("endpoint", "gateway.example:51820")
                DATA("preshared-key-flags", "0") SECRET("preshared-key", PSK)
                    DATA("peer2-preshared-key-flags", "2")
                        DATA("peer3-preshared-key-flags", "4") "DONE\nQUIT\n",
            0, NULL, FORM, "-i");
    g_autoptr(GKeyFile) form = parse(output);

    assert_groups(form, 4);
    assert_value(form, "VPN Plugin UI", "Version", "2");
    assert_value(form, "VPN Plugin UI", "Title", "Authenticate VPN");
    assert_value(form, "VPN Plugin UI", "Description",
                 "The VPN “office” needs a key that is not stored");
    assert_field(form, "private-key", "Private key", "", TRUE);
    assert_field(form, "preshared-key", "Preshared key", PSK, FALSE);
    assert_field(form, "peer2-preshared-key", "Preshared key of peer 2", "", TRUE);
}

/* An agent that may not ask looks for what it has stored. */
static void test_form_without_interaction(void)
{
    g_autofree char *output = RUN(DATA("private-key-flags", "1") "DONE\n", 0, NULL, FORM, "-r");
    g_autoptr(GKeyFile) form = parse(output);

    assert_field(form, "private-key", "Private key", "", FALSE);
}

/* If nothing is missing, yet secrets are wanted anew, all are in doubt. */
static void test_form_again(void)
{
    const char *input = SECRET("private-key", PRIVATE) SECRET("preshared-key", PSK) "DONE\n";
    g_autofree char *first = RUN(input, 0, NULL, FORM, "-i");
    g_autofree char *again = RUN(input, 0, NULL, FORM, "-i", "-r");
    g_autofree char *missing =
        RUN(SECRET("private-key", PRIVATE) DATA("preshared-key-flags", "1") "DONE\n", 0, NULL, FORM,
            "-i", "-r");
    g_autoptr(GKeyFile) form = parse(first);
    g_autoptr(GKeyFile) form_again = parse(again);
    g_autoptr(GKeyFile) form_missing = parse(missing);

    assert_field(form, "private-key", "Private key", PRIVATE, FALSE);
    assert_field(form_again, "private-key", "Private key", PRIVATE, TRUE);
    assert_field(form_again, "preshared-key", "Preshared key", PSK, TRUE);
    assert_field(form_missing, "private-key", "Private key", PRIVATE, FALSE);
    assert_field(form_missing, "preshared-key", "Preshared key", "", TRUE);
}

static void test_hints(void)
{
    g_autofree char *output =
        RUN(SECRET("private-key", PRIVATE) SECRET("preshared-key", PSK) "DONE\n", 0, NULL, FORM,
            "-i", "-t", "x-vpn-message: Once\nmore\\please", "-t", "preshared-key");
    g_autoptr(GKeyFile) form = parse(output);

    assert_value(form, "VPN Plugin UI", "Description", " Once\nmore\\please");
    assert_field(form, "private-key", "Private key", PRIVATE, FALSE);
    assert_field(form, "preshared-key", "Preshared key", PSK, TRUE);
}

/* Whatever is stored comes back as it is; a value may have several lines. */
static void test_strange_value(void)
{
    g_autofree char *output =
        RUN("SECRET_KEY=private-key\nSECRET_VAL= a\\s\tb\n=[private-key]\n\nDONE\n", 0, NULL, FORM,
            "-i");
    g_autoptr(GKeyFile) form = parse(output);

    assert_groups(form, 2);
    assert_field(form, "private-key", "Private key", " a\\s\tb\n[private-key]", FALSE);
}

static void write_text(GSubprocess *process, const char *text)
{
    GOutputStream *input = g_subprocess_get_stdin_pipe(process);
    g_autoptr(GError) error = NULL;

    g_output_stream_write_all(input, text, strlen(text), NULL, NULL, &error);
    g_assert_no_error(error);
}

/* Reads as many bytes as are expected, and no more. */
static void assert_read(GSubprocess *process, const char *expected)
{
    GInputStream *output = g_subprocess_get_stdout_pipe(process);
    g_autofree char *text = g_malloc0(strlen(expected) + 1);
    g_autoptr(GError) error = NULL;
    gsize n;

    g_input_stream_read_all(output, text, strlen(expected), &n, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==, expected);
}

static void assert_end(GSubprocess *process)
{
    GInputStream *output = g_subprocess_get_stdout_pipe(process);
    g_autoptr(GError) error = NULL;
    char c;

    g_assert_true(g_subprocess_wait_check(process, NULL, &error));
    g_assert_cmpint(g_input_stream_read(output, &c, 1, NULL, &error), ==, 0);
}

#define VALUES "private-key\n" PRIVATE "\npreshared-key\n" PSK "\n\n\n"

/* The older form: what there is, then an end once the agent has it. */
static void test_values(void)
{
    g_autoptr(GSubprocess) process = start((const char *const[]){COMMON, "-i", NULL});

    write_text(process, SECRET("preshared-key", PSK) SECRET("private-key", PRIVATE) "DONE\n");
    assert_read(process, VALUES);
    /* An agent may not have read it yet: the program is still there until it is told. */
    write_text(process, "QUI\nQUITS\n");
    g_assert_nonnull(g_subprocess_get_identifier(process));
    write_text(process, "QUIT\n");
    assert_end(process);
}

/* An agent that closes its end has said QUIT. */
static void test_values_closed(void)
{
    g_autoptr(GSubprocess) process = start((const char *const[]){COMMON, "-i", NULL});
    gint64 start_time = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;

    write_text(process, SECRET("preshared-key", PSK) SECRET("private-key", PRIVATE) "DONE\n");
    assert_read(process, VALUES);
    g_output_stream_close(g_subprocess_get_stdin_pipe(process), NULL, &error);
    g_assert_no_error(error);
    assert_end(process);
    /* Not because it had waited for long enough. */
    g_assert_cmpint(g_get_monotonic_time() - start_time, <, 15 * G_USEC_PER_SEC);
}

/* Several peers, and values that are no keys: they are the agent's, not for us to judge here. */
static void test_values_of_peers(void)
{
    g_autofree char *output =
        RUN(SECRET("peer2-preshared-key", "second") SECRET("private-key", PRIVATE)
                SECRET("peer10-preshared-key", "tenth") SECRET("unknown", "x") "DONE\nQUIT\n",
            0, NULL, COMMON);

    g_assert_cmpstr(output, ==,
                    "private-key\n" PRIVATE
                    "\npeer2-preshared-key\nsecond\npeer10-preshared-key\ntenth\n\n\n");
}

/* Who may not be asked is not: NetworkManager will come again. */
static void test_values_without_interaction(void)
{
    g_autofree char *output = RUN(SECRET("preshared-key", PSK) "DONE\nQUIT\n", 0, NULL, COMMON);

    g_assert_cmpstr(output, ==, "preshared-key\n" PSK "\n\n\n");
}

/* Half an answer would be taken for a whole one. */
static void test_values_nowhere_to_ask(void)
{
    g_autofree char *said = NULL;
    g_autofree char *output = RUN(SECRET("preshared-key", PSK) "DONE\n", 1, &said, COMMON, "-i");

    g_assert_cmpstr(output, ==, "");
    g_assert_nonnull(strstr(said, "The VPN “office” needs a key"));
    g_assert_nonnull(strstr(said, "nmcli --ask"));
    g_assert_null(strstr(said, PSK));
}

static void test_faults(void)
{
    g_autofree char *nothing = NULL;
    g_autofree char *foreign = NULL;
    g_autofree char *unnamed = NULL;
    g_autofree char *nothing_output = RUN("DONE\n", 1, &nothing, FORM, "-i");
    g_autofree char *foreign_output = RUN("DONE\n", 1, &foreign, "-u", "x", "-n", "office", "-s",
                                          "org.freedesktop.NetworkManager.vpnc");
    g_autofree char *unnamed_output = RUN("DONE\n", 1, &unnamed, "-i");

    g_assert_cmpstr(nothing_output, ==, "");
    g_assert_nonnull(strstr(nothing, "No connection came on standard input"));
    g_assert_cmpstr(foreign_output, ==, "");
    g_assert_nonnull(strstr(foreign, "org.freedesktop.NetworkManager.vpnc"));
    g_assert_cmpstr(unnamed_output, ==, "");
    g_assert_nonnull(strstr(unnamed, "-u, -n and -s"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    program = argv[1];
    g_setenv("LC_ALL", "C.UTF-8", TRUE);
    g_unsetenv("LANGUAGE");
    g_test_add_func("/auth-dialog/form", test_form);
    g_test_add_func("/auth-dialog/form-without-interaction", test_form_without_interaction);
    g_test_add_func("/auth-dialog/form-again", test_form_again);
    g_test_add_func("/auth-dialog/hints", test_hints);
    g_test_add_func("/auth-dialog/strange-value", test_strange_value);
    g_test_add_func("/auth-dialog/values", test_values);
    g_test_add_func("/auth-dialog/values-closed", test_values_closed);
    g_test_add_func("/auth-dialog/values-of-peers", test_values_of_peers);
    g_test_add_func("/auth-dialog/values-without-interaction", test_values_without_interaction);
    g_test_add_func("/auth-dialog/values-nowhere-to-ask", test_values_nowhere_to_ask);
    g_test_add_func("/auth-dialog/faults", test_faults);
    return g_test_run();
}
