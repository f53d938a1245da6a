#include "read_tiff_pages.h"

#include <stdlib.h>
#include <string.h>

enum { NEW_SUBFILE_TYPE = 254, SUBFILE_TYPE = 255, PREDICTOR = 317, MAX_ENTRIES = 4096 };

typedef struct {
    lp_bytes *b;
    int big_endian, bigtiff;
} walk;

static uint64_t number(const walk *w, const uint8_t *p, int n)
{
    uint64_t v = 0;
    int i;

    for (i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * (w->big_endian ? n - 1 - i : i);
    return v;
}

typedef struct {
    int ok;        /* there is a directory */
    int full;      /* it is a full-resolution page */
    int predictor; /* 1 where absent */
    int64_t bytes; /* its length */
    uint64_t next; /* where the next one lies, 0 at the end */
} dir;

/* Reads the directory at `at`. */
static lp_status directory(const walk *w, uint64_t at, dir *d, lp_err *err)
{
    int head = w->bigtiff ? 8 : 2, entry = w->bigtiff ? 20 : 12, link = w->bigtiff ? 8 : 4;
    uint8_t first[1024], *buf = first;
    uint64_t count, i;
    size_t got, want;
    lp_status st;

    memset(d, 0, sizeof *d);
    d->full = d->predictor = 1;
    if (at < 8 || at > INT64_MAX / 2) return LP_OK;
    if ((st = lp_bytes_read(w->b, (int64_t)at, first, sizeof first, &got, err))) return st;
    if (got < (size_t)head) return LP_OK;
    count = number(w, first, head);
    if (count < 1 || count > MAX_ENTRIES) return LP_OK;
    want = (size_t)head + (size_t)count * (size_t)entry;
    if (want + (size_t)link > sizeof first) {
        buf = malloc(want + (size_t)link);
        if (!buf) return lp_fail_mem(err, lp_bytes_path(w->b), (double)want);
        st = lp_bytes_read(w->b, (int64_t)at, buf, want + (size_t)link, &got, err);
    }
    if (!st && got >= want) {
        d->ok = 1;
        d->bytes = (int64_t)want;
        for (i = 0; i < count; i++) {
            const uint8_t *e = buf + head + i * (uint64_t)entry;
            uint64_t tag = number(w, e, 2), type = number(w, e + 2, 2);
            uint64_t v = number(w, e + (w->bigtiff ? 12 : 8), type == 3 ? 2 : 4);

            if ((tag == NEW_SUBFILE_TYPE && (v & 5)) || (tag == SUBFILE_TYPE && v == 2))
                d->full = 0;
            if (tag == PREDICTOR) d->predictor = (int)(v & 0xffff);
        }
        /* A file may end right after its last entry: no next page then. */
        d->next = got >= want + (size_t)link ? number(w, buf + want, link) : 0;
    }
    if (buf != first) free(buf);
    return st;
}

typedef struct {
    uint64_t *at;
    uint8_t *full;
    int n, cap;
} list;

static int push(list *l, uint64_t at, int full)
{
    if (l->n == l->cap) {
        int cap = l->cap ? 2 * l->cap : 16;
        uint64_t *a = realloc(l->at, (size_t)cap * sizeof *a);
        uint8_t *f;

        if (!a) return -1;
        l->at = a;
        f = realloc(l->full, (size_t)cap);
        if (!f) return -1;
        l->full = f;
        l->cap = cap;
    }
    l->at[l->n] = at;
    l->full[l->n++] = (uint8_t)full;
    return 0;
}

/* Cuts a list that was seen to repeat with period `period` before the first repeat. */
static void cut_circle(list *l, int period)
{
    int i = 0;

    while (i + period < l->n && l->at[i] != l->at[i + period]) i++;
    if (i + period < l->n) l->n = i + period;
}

lp_status lp_tiff_pages_find(lp_bytes *b, lp_tiff_pages *p, lp_err *err)
{
    const char *path = lp_bytes_path(b);
    int mark = 0, period = 0, power = 1, k, n;
    uint64_t at;
    uint8_t head[16] = {0};
    walk w = {b, 0, 0};
    int64_t total = 0;
    list l = {0};
    dir d;
    lp_status st;
    size_t got;

    memset(p, 0, sizeof *p);
    if ((st = lp_bytes_read(b, 0, head, sizeof head, &got, err))) return st;
    if (got < 8) return lp_fail(err, LP_EFORMAT, "%s: TIFF header is cut short", path);
    w.big_endian = head[0] == 'M';
    w.bigtiff = number(&w, head + 2, 2) == 43;
    at = w.bigtiff ? number(&w, head + 8, 8) : number(&w, head + 4, 4);
    while (at && l.n < LP_TIFF_MAX_PAGES) {
        if ((st = directory(&w, at, &d, err))) goto done;
        /* Honest directories do not overlap; four, since a circle is walked up to three times. */
        total += d.bytes;
        if (!d.ok || total > 4 * lp_bytes_size(b)) {
            p->broken = 1;
            break;
        }
        if (push(&l, at, d.full)) {
            st = lp_fail_mem(err, path, (double)l.n * 9);
            goto done;
        }
        /* Brent's cycle detection: compare with the page at the last power of two. */
        if (l.n > 1 && l.at[mark] == at) {
            cut_circle(&l, period + 1);
            break;
        }
        if (++period == power || l.n == 1) {
            mark = l.n - 1;
            power = l.n == 1 ? 1 : 2 * power;
            period = 0;
        }
        at = d.next;
    }
    if (!l.n) {
        st = lp_fail(err, LP_EFORMAT,
                     "%s: TIFF without a page: its first directory lies at byte %llu of %lld; the "
                     "file is cut short or damaged",
                     path, (unsigned long long)at, (long long)lp_bytes_size(b));
        goto done;
    }
    for (k = n = 0; k < l.n; k++)
        if (l.full[k]) l.at[n++] = l.at[k];
    p->n = n ? n : 1;
    p->at = l.at;
    p->big_endian = w.big_endian;
    p->bigtiff = w.bigtiff;
    l.at = NULL;
done:
    free(l.at);
    free(l.full);
    return st;
}

lp_status lp_tiff_pages_predictor(lp_bytes *b, const lp_tiff_pages *p, int page, int *predictor,
                                  lp_err *err)
{
    const walk w = {b, p->big_endian, p->bigtiff};
    lp_status st;
    dir d;

    if ((st = directory(&w, p->at[page], &d, err))) return st;
    *predictor = d.predictor;
    return LP_OK;
}

void lp_tiff_pages_free(lp_tiff_pages *p)
{
    free(p->at);
    memset(p, 0, sizeof *p);
}
