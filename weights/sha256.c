#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    uint32_t h[8];
    uint64_t n; /* bytes so far */
} state;

static const uint32_t k256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* Round i + k of a run whose values a..h stand in v[a]..v[h]; k follows from a. */
#define ROUND(a, b, c, d, e, f, g, h)                                                              \
    do {                                                                                           \
        int k = i + (8 - a) % 8;                                                                   \
        uint32_t t = v[h] + (ror(v[e], 6) ^ ror(v[e], 11) ^ ror(v[e], 25)) +                       \
                     ((v[e] & v[f]) ^ (~v[e] & v[g])) + k256[k] + w[k];                            \
        v[d] += t;                                                                                 \
        v[h] = t + (ror(v[a], 2) ^ ror(v[a], 13) ^ ror(v[a], 22)) +                                \
               ((v[a] & v[b]) ^ (v[a] & v[c]) ^ (v[b] & v[c]));                                    \
    } while (0)

static void block(state *s, const unsigned char *p)
{
    uint32_t w[64], v[8];
    int i;

    for (i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) +
               (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, s->h, sizeof v);
    for (i = 0; i < 64; i += 8) { /* eight rounds, after which each value is back in its place */
        ROUND(0, 1, 2, 3, 4, 5, 6, 7);
        ROUND(7, 0, 1, 2, 3, 4, 5, 6);
        ROUND(6, 7, 0, 1, 2, 3, 4, 5);
        ROUND(5, 6, 7, 0, 1, 2, 3, 4);
        ROUND(4, 5, 6, 7, 0, 1, 2, 3);
        ROUND(3, 4, 5, 6, 7, 0, 1, 2);
        ROUND(2, 3, 4, 5, 6, 7, 0, 1);
        ROUND(1, 2, 3, 4, 5, 6, 7, 0);
    }
    for (i = 0; i < 8; i++) s->h[i] += v[i];
}

static void start(state *s)
{
    static const uint32_t h0[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(s->h, h0, sizeof h0);
    s->n = 0;
}

/* Whole blocks of 64 bytes. */
static void add(state *s, const unsigned char *p, size_t n)
{
    s->n += n;
    for (; n >= 64; n -= 64, p += 64) block(s, p);
}

/* The last n < 64 bytes. */
static void finish(state *s, const unsigned char *p, size_t n, char *hex)
{
    unsigned char last[128] = {0};
    uint64_t bits = (s->n + n) * 8;
    size_t len = n < 56 ? 64 : 128;
    int i;

    if (n) memcpy(last, p, n);
    last[n] = 0x80;
    for (i = 0; i < 8; i++) last[len - 1 - (size_t)i] = (unsigned char)(bits >> 8 * i);
    block(s, last);
    if (len == 128) block(s, last + 64);
    for (i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08x", (unsigned)s->h[i]);
}

void lp_sha256(const void *data, size_t n, char *hex)
{
    const unsigned char *p = data;
    state s;

    start(&s);
    add(&s, p, n / 64 * 64);
    finish(&s, p + n / 64 * 64, n % 64, hex);
}

lp_status lp_sha256_file(const char *path, char *hex, lp_err *err)
{
    enum { SIZE = 1 << 18 };
    unsigned char *buf = malloc(SIZE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    lp_status st = LP_OK;
    size_t n = 0;
    ssize_t k;
    state s;

    if (!buf || fd < 0) {
        st = buf ? lp_fail(err, LP_EIO, "%s: %s", path, strerror(errno))
                 : lp_fail_mem(err, path, SIZE);
        goto done;
    }
    start(&s);
    while ((k = read(fd, buf + n, SIZE - n)) != 0) {
        if (k < 0) {
            if (errno == EINTR) continue;
            st = lp_fail(err, LP_EIO, "%s: %s", path, strerror(errno));
            goto done;
        }
        n += (size_t)k;
        if (n == SIZE) {
            add(&s, buf, n);
            n = 0;
        }
    }
    add(&s, buf, n / 64 * 64);
    finish(&s, buf + n / 64 * 64, n % 64, hex);
done:
    if (fd >= 0) close(fd);
    free(buf);
    return st;
}
