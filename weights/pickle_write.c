#include "pickle_write.h"

#include <stdlib.h>
#include <string.h>

#include "../host/utf8.h"

static void put(lp_pickler *b, const void *data, size_t n)
{
    if (b->failed) return;
    if (b->n + n > b->cap) {
        size_t cap = 2 * (b->n + n) + 4096;
        unsigned char *p = realloc(b->p, cap);

        if (!p) {
            b->failed = 1;
            return;
        }
        b->p = p;
        b->cap = cap;
    }
    memcpy(b->p + b->n, data, n);
    b->n += n;
}

static void put_le(lp_pickler *b, uint64_t v, int n)
{
    unsigned char q[8];
    int i;

    for (i = 0; i < n; i++) q[i] = (unsigned char)(v >> 8 * i);
    put(b, q, (size_t)n);
}

void lp_pickler_op(lp_pickler *b, const char *op)
{
    put(b, op, strlen(op));
}

void lp_pickler_zero(lp_pickler *b)
{
    put(b, "", 1);
}

void lp_pickler_int(lp_pickler *b, int64_t v)
{
    lp_pickler_op(b, "J");
    put_le(b, (uint64_t)v, 4);
}

void lp_pickler_double(lp_pickler *b, double v)
{
    unsigned char q[8];
    uint64_t u;
    int i;

    memcpy(&u, &v, 8);
    for (i = 0; i < 8; i++) q[i] = (unsigned char)(u >> (56 - 8 * i));
    lp_pickler_op(b, "G");
    put(b, q, 8);
}

void lp_pickler_str(lp_pickler *b, const char *s)
{
    const char *p;
    uint64_t n = 0;

    for (p = s; *p;) {
        int k = lp_utf8_length(p);

        n += k ? (uint64_t)k : 3;
        p += k ? k : 1;
    }
    lp_pickler_op(b, "X");
    put_le(b, n, 4);
    for (p = s; *p;) {
        int k = lp_utf8_length(p);

        if (k) {
            put(b, p, (size_t)k);
            p += k;
        } else { /* U+DC00 + the byte, 0x80 .. 0xFF */
            unsigned char c = (unsigned char)*p++, q[3] = {0xED, (unsigned char)(0xB0 | c >> 6),
                                                           (unsigned char)(0x80 | (c & 0x3F))};

            put(b, q, 3);
        }
    }
}

void lp_pickler_bytes(lp_pickler *b, uint64_t n)
{
    lp_pickler_op(b, "\x8e");
    put_le(b, n, 8);
}

void lp_pickler_free(lp_pickler *b)
{
    free(b->p);
    memset(b, 0, sizeof *b);
}
