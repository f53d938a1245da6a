#include "read_unpack.h"

#include <stdlib.h>
#include <string.h>

#include <bzlib.h>
#include <zlib.h>

enum { IN_BYTES = 1 << 16 };

struct lp_unpack {
    lp_pack kind;
    lp_unpack_fill fill;
    void *ctx;
    z_stream gz;
    bz_stream bz;
    int open;    /* a member's state is allocated */
    int members; /* members finished */
    int in_eof;  /* fill has returned 0 */
    int done;    /* nothing follows */
    const char
        *why;     /* why it failed; libbz2 overruns its stack where it is called after an error */
    size_t pos;   /* next unread byte of in */
    size_t avail; /* bytes of in */
    uint8_t in[IN_BYTES];
};

lp_pack lp_unpack_kind(const uint8_t *head, size_t n)
{
    if (n >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8) return LP_PACK_GZIP;
    if (n >= 4 && !memcmp(head, "BZh", 3) && head[3] >= '1' && head[3] <= '9') return LP_PACK_BZIP2;
    return LP_PACK_NONE;
}

lp_unpack *lp_unpack_new(lp_pack kind, lp_unpack_fill fill, void *ctx)
{
    lp_unpack *u = calloc(1, sizeof *u);

    if (!u) return NULL;
    u->kind = kind;
    u->fill = fill;
    u->ctx = ctx;
    return u;
}

static void end_member(lp_unpack *u)
{
    if (u->open && u->kind == LP_PACK_GZIP) inflateEnd(&u->gz);
    if (u->open && u->kind == LP_PACK_BZIP2) BZ2_bzDecompressEnd(&u->bz);
    u->open = 0;
}

void lp_unpack_free(lp_unpack *u)
{
    if (!u) return;
    end_member(u);
    free(u);
}

/* Makes at least want bytes of input available if the stream has them. */
static const char *need(lp_unpack *u, size_t want)
{
    long n;

    if (u->avail - u->pos >= want) return NULL;
    memmove(u->in, u->in + u->pos, u->avail - u->pos);
    u->avail -= u->pos;
    u->pos = 0;
    while (u->avail < want && !u->in_eof) {
        n = u->fill(u->ctx, u->in + u->avail, IN_BYTES - u->avail);
        if (n < 0) return "cannot be read";
        if (n == 0) u->in_eof = 1;
        u->avail += (size_t)n;
    }
    return NULL;
}

static const char *begin_member(lp_unpack *u)
{
    const char *why = need(u, 4);
    int rc;

    if (why) return why;
    if (lp_unpack_kind(u->in + u->pos, u->avail - u->pos) != u->kind) {
        u->done = 1;
        return u->members ? NULL : "is not a packed stream";
    }
    memset(&u->gz, 0, sizeof u->gz);
    memset(&u->bz, 0, sizeof u->bz);
    rc = u->kind == LP_PACK_GZIP ? inflateInit2(&u->gz, 16 + MAX_WBITS)
                                 : BZ2_bzDecompressInit(&u->bz, 0, 0);
    if (rc) return "cannot be unpacked: out of memory";
    u->open = 1;
    return NULL;
}

/* One step of the decoder. *end is set where the member is complete. */
static const char *step(lp_unpack *u, uint8_t *out, size_t n, size_t *made, int *end)
{
    size_t in = u->avail - u->pos, left;
    int rc;

    if (n > 1u << 30) n = 1u << 30;
    if (u->kind == LP_PACK_GZIP) {
        u->gz.next_in = u->in + u->pos;
        u->gz.avail_in = (uInt)in;
        u->gz.next_out = out;
        u->gz.avail_out = (uInt)n;
        rc = inflate(&u->gz, Z_NO_FLUSH);
        left = u->gz.avail_in;
        *made = n - u->gz.avail_out;
        *end = rc == Z_STREAM_END;
        if (rc == Z_MEM_ERROR) return "cannot be unpacked: out of memory";
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) return "has damaged gzip data";
    } else {
        u->bz.next_in = (char *)u->in + u->pos;
        u->bz.avail_in = (unsigned)in;
        u->bz.next_out = (char *)out;
        u->bz.avail_out = (unsigned)n;
        rc = BZ2_bzDecompress(&u->bz);
        left = u->bz.avail_in;
        *made = n - u->bz.avail_out;
        *end = rc == BZ_STREAM_END;
        if (rc == BZ_MEM_ERROR) return "cannot be unpacked: out of memory";
        if (rc != BZ_OK && rc != BZ_STREAM_END) return "has damaged bzip2 data";
    }
    u->pos = u->avail - left;
    if (!*made && !*end && left == in && u->in_eof) return "ends in the middle of its packed data";
    return NULL;
}

const char *lp_unpack_read(lp_unpack *u, uint8_t *buf, size_t n, size_t *got)
{
    const char *why = u->why;
    size_t k = 0, made;
    int end;

    while (k < n && !u->done && !why) {
        if (!u->open && ((why = begin_member(u)) || u->done)) break;
        if ((why = need(u, 1))) break;
        why = step(u, buf + k, n - k, &made, &end);
        if (why) break;
        k += made;
        if (end) {
            u->members++;
            end_member(u);
        }
    }
    *got = k;
    u->why = why;
    return why;
}
