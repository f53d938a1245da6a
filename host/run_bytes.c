#include "run_bytes.h"

#include <stdlib.h>

#define MAX_BYTES 5 /* of a number of 32 bits */

static unsigned char *put(unsigned char *p, uint32_t v)
{
    while (v >= 128) {
        *p++ = (unsigned char)(v | 128);
        v >>= 7;
    }
    *p++ = (unsigned char)v;
    return p;
}

static unsigned char *put_signed(unsigned char *p, int32_t v)
{
    return put(p, v < 0 ? ~((uint32_t)v << 1) : (uint32_t)v << 1);
}

lp_status lp_run_bytes_encode(const lp_runs *r, unsigned char **out, size_t *n, lp_err *err)
{
    uint64_t n_runs = r->first[r->n];
    size_t room = (size_t)(r->n + 3 * n_runs) * MAX_BYTES + 1;
    unsigned char *bytes = malloc(room), *p = bytes, *smaller;
    lp_run before = {0};
    uint32_t l;

    if (!bytes) return lp_fail_mem(err, "masks as bytes", (double)room);
    for (l = 0; l < r->n; l++) {
        const lp_run *u = r->run + r->first[l], *end = r->run + r->first[l + 1];
        lp_run last = before;

        p = put(p, (uint32_t)(end - u));
        if (u < end) before = *u;
        for (; u < end; u++) {
            p = put_signed(p, u->y - last.y);
            p = put_signed(p, u->x0 - last.x0);
            p = put_signed(p, (u->x1 - u->x0) - (last.x1 - last.x0));
            last = *u;
        }
    }
    *n = (size_t)(p - bytes);
    smaller = realloc(bytes, *n + 1);
    *out = smaller ? smaller : bytes;
    return LP_OK;
}

typedef struct {
    const unsigned char *p, *end;
    int bad;
} reader;

static uint32_t get(reader *r)
{
    uint32_t v = 0;
    int k;

    for (k = 0; k < MAX_BYTES; k++) {
        unsigned char b;

        if (r->p == r->end) break;
        b = *r->p++;
        if (k == MAX_BYTES - 1 && b > 15) break;
        v |= (uint32_t)(b & 127) << 7 * k;
        if (b < 128) return v;
    }
    r->bad = 1;
    return 0;
}

static int64_t get_signed(reader *r)
{
    uint32_t v = get(r);

    return v & 1 ? -(int64_t)(v >> 1) - 1 : (int64_t)(v >> 1);
}

static lp_status damaged(const char *where, const char *what, lp_err *err)
{
    return lp_fail(err, LP_EFORMAT, "%s: the masks of a diameter are damaged: %s", where, what);
}

lp_status lp_run_bytes_decode(const unsigned char *p, size_t n, uint32_t n_masks, int Ly, int Lx,
                              const char *where, lp_runs *out, lp_err *err)
{
    reader r = {.p = p, .end = p + n};
    lp_runs s = {.n = n_masks};
    lp_run before = {0};
    uint64_t n_runs = 0, room = n / 3 + 1; /* a run takes three bytes at least */
    int64_t area = 0;
    lp_status st;
    uint32_t l;
    lp_run *smaller;

    if (n_masks > n) return damaged(where, "too few bytes", err);
    s.first = malloc((n_masks + (size_t)1) * sizeof *s.first);
    s.run = malloc(room * sizeof *s.run);
    if (!s.first || !s.run) {
        st = lp_fail_mem(err, where, 8.0 * n_masks + 4.0 * (double)n);
        goto done;
    }
    s.first[0] = 0;
    for (l = 0; l < n_masks; l++) {
        uint32_t count = get(&r), k;
        lp_run last = before;

        if (r.bad || count > room - n_runs) {
            st = damaged(where, "too few bytes", err);
            goto done;
        }
        for (k = 0; k < count; k++) {
            int64_t y = last.y + get_signed(&r), x0 = last.x0 + get_signed(&r);
            int64_t x1 = x0 + (last.x1 - last.x0) + get_signed(&r);

            if (r.bad || y < 0 || y >= Ly || x0 < 0 || x1 <= x0 || x1 > Lx ||
                (k && (y < last.y || (y == last.y && x0 <= last.x1)))) {
                st = damaged(where, "pixels outside the image or out of order", err);
                goto done;
            }
            last = (lp_run){(int32_t)y, (int32_t)x0, (int32_t)x1};
            if (!k) before = last;
            s.run[n_runs++] = last;
            area += x1 - x0;
        }
        s.first[l + 1] = n_runs;
    }
    if (r.p != r.end || area > (int64_t)Ly * Lx) {
        st = damaged(where, r.p != r.end ? "bytes left over" : "more pixels than the image", err);
        goto done;
    }
    smaller = realloc(s.run, (n_runs ? n_runs : 1) * sizeof *s.run);
    if (smaller) s.run = smaller;
    *out = s;
    return LP_OK;
done:
    free(s.first);
    free(s.run);
    return st;
}
