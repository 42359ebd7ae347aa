/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-noise.c: the handshake against the published vector (tests/vectors/), byte for byte in
 * both roles, and what must make it fail.
 */
#include "test-hex.h"
#include "wireguard/wg-aead.h"
#include "wireguard/wg-noise.h"

#define MAX_PAYLOAD  64
#define MAX_MESSAGES 8

typedef struct {
    guint8 payload[MAX_PAYLOAD];
    gsize payload_len;
    guint8 wire[2 * MAX_PAYLOAD + 64];
    gsize wire_len;
} Message;

typedef struct {
    guint8 prologue[MAX_PAYLOAD];
    gsize prologue_len;
    WgKey psk;
    WgKey init_static;
    WgKey init_ephemeral;
    WgKey resp_static;
    WgKey resp_ephemeral;
    WgKey resp_public;
    char *hash;
    Message messages[MAX_MESSAGES];
    guint n_messages;
} Vector;

static void take_bytes(guint8 *out, gsize *len, gsize max, const char *hex)
{
    g_autofree guint8 *bytes = unhex_alloc(hex, len);

    g_assert_cmpuint(*len, <=, max);
    memcpy(out, bytes, *len);
}

static void take_member(Vector *vector, const char *name, const char *value)
{
    Message *message = &vector->messages[MIN(vector->n_messages, MAX_MESSAGES - 1)];
    const struct {
        const char *name;
        WgKey *key;
    } keys[] = {
        {"init_psks", &vector->psk},
        {"init_static", &vector->init_static},
        {"init_ephemeral", &vector->init_ephemeral},
        {"init_remote_static", &vector->resp_public},
        {"resp_static", &vector->resp_static},
        {"resp_ephemeral", &vector->resp_ephemeral},
    };

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(name, keys[i].name))
            unhex(keys[i].key->bytes, WG_KEY_SIZE, value);
    if (g_str_equal(name, "protocol_name"))
        g_assert_cmpstr(value, ==, WG_CONSTRUCTION);
    if (g_str_equal(name, "init_prologue"))
        take_bytes(vector->prologue, &vector->prologue_len, MAX_PAYLOAD, value);
    if (g_str_equal(name, "handshake_hash"))
        vector->hash = g_strdup(value);
    if (g_str_equal(name, "payload"))
        take_bytes(message->payload, &message->payload_len, MAX_PAYLOAD, value);
    if (g_str_equal(name, "ciphertext")) {
        take_bytes(message->wire, &message->wire_len, sizeof message->wire, value);
        vector->n_messages++;
    }
}

/* The file has one vector; its members' names say enough about where they are. */
static Vector *load_vector(void)
{
    g_autofree char *path =
        g_test_build_filename(G_TEST_DIST, "..", "vectors", "noise_ikpsk2.json", NULL);
    g_autoptr(GRegex) member = g_regex_new("\"(\\w+)\":[\\s\\[]*\"(\\w*)\"", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    Vector *vector = g_new0(Vector, 1);

    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    g_regex_match(member, text, 0, &match);
    while (g_match_info_matches(match)) {
        g_autofree char *name = g_match_info_fetch(match, 1);
        g_autofree char *value = g_match_info_fetch(match, 2);

        take_member(vector, name, value);
        g_match_info_next(match, NULL);
    }
    g_assert_cmpuint(vector->n_messages, ==, 6);
    g_assert_nonnull(vector->hash);
    return vector;
}

static void vector_free(Vector *vector)
{
    g_free(vector->hash);
    g_free(vector);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vector, vector_free)

static void assert_keys_equal(const WgKey *a, const WgKey *b)
{
    g_assert_cmpmem(a->bytes, WG_KEY_SIZE, b->bytes, WG_KEY_SIZE);
}

static WgKey public_of(const WgKey *private_key)
{
    WgKey key;

    wg_key_public(&key, private_key);
    return key;
}

static WgKey shared_of(const WgKey *private_key, const WgKey *public_key)
{
    WgKey shared;

    g_assert_true(wg_dh(shared.bytes, private_key, public_key));
    return shared;
}

/* Our initiator's message, complete, compared with the vector's. */
static void initiate(const Vector *vector, WgNoise *noise)
{
    WgKey own = public_of(&vector->init_static);
    WgKey shared = shared_of(&vector->init_static, &vector->resp_public);
    const Message *message = &vector->messages[0];
    guint8 wire[sizeof message->wire];
    WgKey ephemeral;

    wg_noise_init(noise, vector->prologue, vector->prologue_len, &vector->resp_public);
    g_assert_true(wg_noise_write_initiation(noise, &vector->init_ephemeral, &own, &shared,
                                            &vector->resp_public, message->payload,
                                            message->payload_len, &ephemeral, wire + WG_KEY_SIZE,
                                            wire + 2 * WG_KEY_SIZE + WG_TAG_SIZE));
    memcpy(wire, ephemeral.bytes, WG_KEY_SIZE);
    g_assert_cmpmem(wire, 2 * WG_KEY_SIZE + 2 * WG_TAG_SIZE + message->payload_len, message->wire,
                    message->wire_len);
}

/* Our responder on the vector's first message. */
static void accept_initiation(const Vector *vector, WgNoise *noise)
{
    const Message *message = &vector->messages[0];
    const guint8 *sealed = message->wire + WG_KEY_SIZE;
    WgKey expected = public_of(&vector->init_static);
    guint8 payload[MAX_PAYLOAD];
    WgKey ephemeral;
    WgKey who;
    WgKey shared;

    memcpy(ephemeral.bytes, message->wire, WG_KEY_SIZE);
    wg_noise_init(noise, vector->prologue, vector->prologue_len, &vector->resp_public);
    g_assert_true(
        wg_noise_read_initiation_static(noise, &vector->resp_static, &ephemeral, sealed, &who));
    assert_keys_equal(&who, &expected);
    shared = shared_of(&vector->resp_static, &who);
    sealed += WG_KEY_SIZE + WG_TAG_SIZE;
    g_assert_true(wg_noise_read_initiation_payload(noise, &shared, sealed,
                                                   message->payload_len + WG_TAG_SIZE, payload));
    g_assert_cmpmem(payload, message->payload_len, message->payload, message->payload_len);
}

static void respond(const Vector *vector, WgNoise *noise)
{
    const Message *message = &vector->messages[1];
    WgKey initiator_ephemeral = public_of(&vector->init_ephemeral);
    WgKey initiator_static = public_of(&vector->init_static);
    guint8 wire[sizeof message->wire];
    WgKey ephemeral;

    g_assert_true(wg_noise_write_response(noise, &vector->resp_ephemeral, &initiator_ephemeral,
                                          &initiator_static, &vector->psk, message->payload,
                                          message->payload_len, &ephemeral, wire + WG_KEY_SIZE));
    memcpy(wire, ephemeral.bytes, WG_KEY_SIZE);
    g_assert_cmpmem(wire, WG_KEY_SIZE + WG_TAG_SIZE + message->payload_len, message->wire,
                    message->wire_len);
}

static gboolean take_response(const Vector *vector, WgNoise *noise, const guint8 *wire,
                              guint8 *payload)
{
    WgKey ephemeral;

    memcpy(ephemeral.bytes, wire, WG_KEY_SIZE);
    return wg_noise_read_response(noise, &vector->init_ephemeral, &vector->init_static, &ephemeral,
                                  &vector->psk, wire + WG_KEY_SIZE,
                                  vector->messages[1].wire_len - WG_KEY_SIZE, payload);
}

/* The vector's further messages: the initiator's first. */
static void check_transport(const Vector *vector, const WgNoise *noise)
{
    g_autoptr(WgAead) aead = wg_aead_new();
    WgKey keys[2];

    wg_noise_split(noise, &keys[0], &keys[1]);
    for (guint i = 2; i < vector->n_messages; i++) {
        const Message *message = &vector->messages[i];
        guint64 counter = (i - 2) / 2;
        guint8 wire[sizeof message->wire];
        guint8 payload[MAX_PAYLOAD];

        wg_aead_seal(aead, keys[i % 2].bytes, 1 + i % 2, counter, NULL, 0, message->payload,
                     message->payload_len, wire);
        g_assert_cmpmem(wire, message->payload_len + WG_TAG_SIZE, message->wire, message->wire_len);
        g_assert_true(wg_aead_open(aead, keys[i % 2].bytes, 1 + i % 2, counter, NULL, 0,
                                   message->wire, message->wire_len, payload));
        g_assert_cmpmem(payload, message->payload_len, message->payload, message->payload_len);
    }
}

static void test_initiator(void)
{
    g_autoptr(Vector) vector = load_vector();
    guint8 payload[MAX_PAYLOAD];
    WgNoise noise;

    initiate(vector, &noise);
    g_assert_true(take_response(vector, &noise, vector->messages[1].wire, payload));
    g_assert_cmpmem(payload, vector->messages[1].payload_len, vector->messages[1].payload,
                    vector->messages[1].payload_len);
    assert_hex(noise.hash, WG_HASH_SIZE, vector->hash);
    check_transport(vector, &noise);
}

static void test_responder(void)
{
    g_autoptr(Vector) vector = load_vector();
    WgNoise noise;

    accept_initiation(vector, &noise);
    respond(vector, &noise);
    assert_hex(noise.hash, WG_HASH_SIZE, vector->hash);
    check_transport(vector, &noise);
}

/* The two constants every WireGuard handshake starts from. */
static void test_wireguard_constants(void)
{
    WgKey responder = {{0}};
    guint8 hash[WG_HASH_SIZE];
    WgNoise noise;

    wg_noise_init(&noise, WG_IDENTIFIER, strlen(WG_IDENTIFIER), &responder);
    assert_hex(noise.chain, WG_HASH_SIZE,
               "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36");
    unhex(hash, sizeof hash, "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3");
    wg_hash(hash, hash, sizeof hash, responder.bytes, WG_KEY_SIZE);
    g_assert_cmpmem(noise.hash, WG_HASH_SIZE, hash, WG_HASH_SIZE);

    wg_noise_clear(&noise);
    for (guint i = 0; i < sizeof noise; i++)
        g_assert_cmpuint(((guint8 *) &noise)[i], ==, 0);
}

/* Each byte of either message counts. */
static void test_tampering(void)
{
    g_autoptr(Vector) vector = load_vector();
    Message *first = &vector->messages[0];
    Message *second = &vector->messages[1];
    guint8 payload[MAX_PAYLOAD];
    WgNoise noise;
    WgNoise spent;
    WgKey ephemeral;
    WgKey who;

    for (gsize i = 0; i < first->wire_len; i++) {
        const guint8 *sealed = first->wire + WG_KEY_SIZE;
        WgKey shared = shared_of(&vector->init_static, &vector->resp_public);

        first->wire[i] ^= 1;
        memcpy(ephemeral.bytes, first->wire, WG_KEY_SIZE);
        wg_noise_init(&noise, vector->prologue, vector->prologue_len, &vector->resp_public);
        gboolean known =
            wg_noise_read_initiation_static(&noise, &vector->resp_static, &ephemeral, sealed, &who);
        g_assert_cmpint(known, ==, i >= 2 * WG_KEY_SIZE + WG_TAG_SIZE);
        if (known)
            g_assert_false(wg_noise_read_initiation_payload(
                &noise, &shared, sealed + WG_KEY_SIZE + WG_TAG_SIZE,
                first->payload_len + WG_TAG_SIZE, payload));
        first->wire[i] ^= 1;
    }

    initiate(vector, &noise);
    for (gsize i = 0; i < second->wire_len; i++) {
        second->wire[i] ^= 1;
        spent = noise;
        g_assert_false(take_response(vector, &spent, second->wire, payload));
        second->wire[i] ^= 1;
    }
    g_assert_true(take_response(vector, &noise, second->wire, payload));
}

/* Somebody who does not know the preshared key cannot finish. */
static void test_wrong_psk(void)
{
    g_autoptr(Vector) vector = load_vector();
    guint8 payload[MAX_PAYLOAD];
    WgNoise noise;

    initiate(vector, &noise);
    vector->psk.bytes[31] ^= 0x80;
    g_assert_false(take_response(vector, &noise, vector->messages[1].wire, payload));

    initiate(vector, &noise);
    memset(&vector->psk, 0, sizeof vector->psk);
    g_assert_false(take_response(vector, &noise, vector->messages[1].wire, payload));
}

/* A public key of low order ends the handshake wherever it comes in. */
static void test_zero_results(void)
{
    g_autoptr(Vector) vector = load_vector();
    WgKey low = {{1}};
    WgKey zero = {{0}};
    WgKey own = public_of(&vector->init_static);
    WgKey good = public_of(&vector->init_ephemeral);
    WgKey shared = shared_of(&vector->init_static, &vector->resp_public);
    guint8 sealed_static[WG_KEY_SIZE + WG_TAG_SIZE];
    guint8 sealed[MAX_PAYLOAD + WG_TAG_SIZE] = {0};
    WgNoise noise;
    WgKey out;

    wg_noise_init(&noise, NULL, 0, &low);
    g_assert_false(wg_noise_write_initiation(&noise, &vector->init_ephemeral, &own, &shared, &low,
                                             "", 0, &out, sealed_static, sealed)); /* es */
    wg_noise_init(&noise, NULL, 0, &vector->resp_public);
    g_assert_false(wg_noise_write_initiation(&noise, &vector->init_ephemeral, &own, &zero,
                                             &vector->resp_public, "", 0, &out, sealed_static,
                                             sealed)); /* ss */
    wg_noise_init(&noise, NULL, 0, &vector->resp_public);
    g_assert_false(wg_noise_read_initiation_static(&noise, &vector->resp_static, &low,
                                                   sealed_static, &out)); /* es */

    /* The payload is sealed with the key that a zero result leads to, so only the result itself
     * gives it away. */
    accept_initiation(vector, &noise);
    guint8 derived[2 * WG_HASH_SIZE];
    g_autoptr(WgAead) aead = wg_aead_new();
    wg_kdf(derived, 2, noise.chain, zero.bytes, WG_KEY_SIZE);
    wg_aead_seal(aead, derived + WG_HASH_SIZE, 0, 0, noise.hash, WG_HASH_SIZE, sealed, 12, sealed);
    g_assert_false(wg_noise_read_initiation_payload(&noise, &zero, sealed, 12 + WG_TAG_SIZE,
                                                    out.bytes)); /* ss */

    accept_initiation(vector, &noise);
    g_assert_false(wg_noise_write_response(&noise, &vector->resp_ephemeral, &low, &own,
                                           &vector->psk, "", 0, &out, sealed)); /* ee */
    accept_initiation(vector, &noise);
    g_assert_false(wg_noise_write_response(&noise, &vector->resp_ephemeral, &good, &low,
                                           &vector->psk, "", 0, &out, sealed)); /* se */
    initiate(vector, &noise);
    g_assert_false(wg_noise_read_response(&noise, &vector->init_ephemeral, &vector->init_static,
                                          &low, &vector->psk, sealed, WG_TAG_SIZE,
                                          out.bytes)); /* ee */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-noise/initiator", test_initiator);                     /* row 2 */
    g_test_add_func("/wg-noise/responder", test_responder);                     /* row 2 */
    g_test_add_func("/wg-noise/wireguard-constants", test_wireguard_constants); /* row 2 */
    g_test_add_func("/wg-noise/tampering", test_tampering);                     /* row 3 */
    g_test_add_func("/wg-noise/wrong-psk", test_wrong_psk);                     /* row 3 */
    g_test_add_func("/wg-noise/zero-results", test_zero_results);               /* row 4 */
    return g_test_run();
}
