/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-service-log.c: what the service's log shows, and how a failure is put into words.
 */
#include "config.h"

#include <syslog.h>

#include "service/service-attempts.h"
#include "log/culvert-log.h"

static void test_level(void)
{
    g_assert_cmpint(culvert_log_parse_level(NULL), ==, LOG_NOTICE);
    g_assert_cmpint(culvert_log_parse_level(""), ==, LOG_NOTICE);
    g_assert_cmpint(culvert_log_parse_level("loud"), ==, LOG_NOTICE);
    g_assert_cmpint(culvert_log_parse_level("8"), ==, LOG_NOTICE);
    g_assert_cmpint(culvert_log_parse_level("-1"), ==, LOG_NOTICE);
    g_assert_cmpint(culvert_log_parse_level("0"), ==, LOG_EMERG);
    g_assert_cmpint(culvert_log_parse_level("7"), ==, LOG_DEBUG);
}

static void test_syslog_level(void)
{
    g_assert_cmpint(culvert_log_syslog_level(G_LOG_LEVEL_ERROR | G_LOG_FLAG_FATAL), ==, LOG_ERR);
    g_assert_cmpint(culvert_log_syslog_level(G_LOG_LEVEL_CRITICAL), ==, LOG_ERR);
    g_assert_cmpint(culvert_log_syslog_level(G_LOG_LEVEL_WARNING), ==, LOG_WARNING);
    g_assert_cmpint(culvert_log_syslog_level(G_LOG_LEVEL_MESSAGE), ==, LOG_NOTICE);
    g_assert_cmpint(culvert_log_syslog_level(G_LOG_LEVEL_INFO), ==, LOG_INFO);
    g_assert_cmpint(culvert_log_syslog_level(G_LOG_LEVEL_DEBUG), ==, LOG_DEBUG);
}

static void assert_clean(const char *message, const char *expected)
{
    g_autofree char *clean = culvert_log_clean(message);

    g_assert_cmpstr(clean, ==, expected);
}

static void test_clean(void)
{
    assert_clean("“Büro” is fine", "“Büro” is fine");
    assert_clean("a\nforged <info> line\x1b[2J", "a\\x0aforged <info> line\\x1b[2J");
    assert_clean("\xff", "\xef\xbf\xbd");
}

static GInetSocketAddress *endpoint(const char *address)
{
    return G_INET_SOCKET_ADDRESS(g_inet_socket_address_new_from_string(address, 51820));
}

static const char *line(GPtrArray *report, guint i)
{
    g_assert_cmpuint(i, <, report->len);
    return g_ptr_array_index(report, i);
}

static void test_silent(void)
{
    g_autoptr(CulvertAttempts) attempts = culvert_attempts_new();
    g_autoptr(GInetSocketAddress) four = endpoint("192.0.2.1");
    g_autoptr(GInetSocketAddress) six = endpoint("2001:db8::1");
    g_autoptr(GPtrArray) report = NULL;

    g_assert_cmpuint(culvert_attempts_add(attempts, "vpn.example:51820", four, NULL), ==, 1);
    g_assert_cmpuint(culvert_attempts_add(attempts, "vpn.example:51820", six, NULL), ==, 1);
    g_assert_cmpuint(culvert_attempts_add(attempts, "vpn.example:51820", four, NULL), ==, 2);
    g_assert_cmpuint(culvert_attempts_add(attempts, "192.0.2.1:51820", four, NULL), ==, 1);
    report = culvert_attempts_report(attempts, "KEY=", 1234, FALSE);
    g_assert_cmpuint(report->len, ==, 9);
    g_assert_cmpstr(line(report, 0), ==,
                    "“vpn.example:51820” at 192.0.2.1:51820: tried 2 times, no answer");
    g_assert_cmpstr(line(report, 1), ==,
                    "“vpn.example:51820” at [2001:db8::1]:51820: tried once, no answer");
    g_assert_cmpstr(line(report, 2), ==, "192.0.2.1:51820: tried once, no answer");
    g_assert_true(g_str_has_prefix(line(report, 3), "Likely causes"));
    g_assert_true(g_str_has_prefix(line(report, 4), "- the gateway is off, or a firewall"));
    g_assert_true(g_str_has_prefix(line(report, 7), "- the gateway does not know this"));
    g_assert_cmpstr(line(report, 8), ==, "This computer's public key is KEY=");
}

/* The gateway answers initiations whose preshared key is wrong; only we notice. */
static void test_wrong_preshared_key(void)
{
    g_autoptr(CulvertAttempts) attempts = culvert_attempts_new();
    g_autoptr(GInetSocketAddress) four = endpoint("192.0.2.1");
    g_autoptr(GPtrArray) report = NULL;

    culvert_attempts_add(attempts, "192.0.2.1:51820", four, NULL);
    report = culvert_attempts_report(attempts, "KEY=", 1234, TRUE);
    g_assert_cmpstr(line(report, 0), ==, "192.0.2.1:51820: tried once, no valid answer");
    g_assert_nonnull(g_strstr_len(line(report, 1), -1, "preshared key is not the one"));
}

/* A name without address: no key can be to blame. */
static void test_unresolved(void)
{
    g_autoptr(CulvertAttempts) attempts = culvert_attempts_new();
    g_autoptr(GError) first = g_error_new(G_RESOLVER_ERROR, 0, "no server");
    g_autoptr(GError) last = g_error_new(G_RESOLVER_ERROR, 0, "no such name");
    g_autoptr(GPtrArray) report = NULL;

    culvert_attempts_add(attempts, "vpn.exmaple:51820", NULL, first);
    g_assert_cmpuint(culvert_attempts_add(attempts, "vpn.exmaple:51820", NULL, last), ==, 2);
    report = culvert_attempts_report(attempts, "KEY=", 1234, FALSE);
    g_assert_cmpuint(report->len, ==, 4);
    g_assert_cmpstr(line(report, 0), ==,
                    "“vpn.exmaple:51820”: the name could not be resolved, tried 2 times: no such "
                    "name");
    g_assert_cmpstr(line(report, 1), ==, "Likely causes:");
    g_assert_cmpstr(line(report, 2), ==, "- the name is misspelt");
}

/* No route: neither gateway nor keys are to blame. */
static void test_unsent(void)
{
    g_autoptr(CulvertAttempts) attempts = culvert_attempts_new();
    g_autoptr(GInetSocketAddress) four = endpoint("192.0.2.1");
    g_autoptr(GInetSocketAddress) six = endpoint("2001:db8::1");
    g_autoptr(GError) error = g_error_new(G_IO_ERROR, 0, "Network is unreachable");
    g_autoptr(GPtrArray) alone = NULL;
    g_autoptr(GPtrArray) both = NULL;

    culvert_attempts_add(attempts, "[2001:db8::1]:51820", six, NULL);
    culvert_attempts_unsent(attempts, six, error);
    alone = culvert_attempts_report(attempts, "KEY=", 1234, FALSE);
    g_assert_cmpuint(alone->len, ==, 4);
    g_assert_cmpstr(line(alone, 0), ==,
                    "[2001:db8::1]:51820: tried once, could not be sent: Network is unreachable");
    g_assert_true(g_str_has_prefix(line(alone, 2), "- this computer is not connected"));

    culvert_attempts_add(attempts, "192.0.2.1:51820", four, NULL);
    both = culvert_attempts_report(attempts, "KEY=", 1234, FALSE);
    g_assert_cmpstr(line(both, 1), ==, "192.0.2.1:51820: tried once, no answer");
    g_assert_nonnull(strstr(line(both, 2), "WireGuard is silent"));
}

static void test_no_endpoint(void)
{
    g_autoptr(CulvertAttempts) attempts = culvert_attempts_new();
    g_autoptr(GPtrArray) report = culvert_attempts_report(attempts, "KEY=", 1234, FALSE);

    g_assert_cmpuint(report->len, ==, 2);
    g_assert_true(g_str_has_prefix(line(report, 0), "No peer has an endpoint"));
    g_assert_nonnull(g_strstr_len(line(report, 0), -1, "UDP port 1234"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-log/level", test_level);
    g_test_add_func("/service-log/syslog-level", test_syslog_level);
    g_test_add_func("/service-log/clean", test_clean);
    g_test_add_func("/service-attempts/silent", test_silent);
    g_test_add_func("/service-attempts/wrong-preshared-key", test_wrong_preshared_key);
    g_test_add_func("/service-attempts/unresolved", test_unresolved);
    g_test_add_func("/service-attempts/unsent", test_unsent);
    g_test_add_func("/service-attempts/no-endpoint", test_no_endpoint);
    return g_test_run();
}
