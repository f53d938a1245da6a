#include "train_probs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "read_text.h"

#define MAX_BYTES (1 << 26)
#define MAX_FIELD 4096

typedef struct {
    const char *at;
    size_t n;
} span;

static span trim(const char *a, const char *b)
{
    while (a < b && (*a == ' ' || *a == '\t' || *a == '"')) a++;
    while (b > a && (b[-1] == ' ' || b[-1] == '\t' || b[-1] == '\r' || b[-1] == '"')) b--;
    return (span){a, (size_t)(b - a)};
}

/* Without folder, and without extension. */
static span base_of(const char *s, size_t n, int cut)
{
    size_t i, from = 0, end = n;

    for (i = 0; i < n; i++)
        if (s[i] == '/') from = i + 1;
    for (i = n; cut && i > from + 1; i--)
        if (s[i - 1] == '.') {
            end = i - 1;
            break;
        }
    return (span){s + from, end - from};
}

static int same(span a, span b)
{
    return a.n == b.n && !memcmp(a.at, b.at, a.n);
}

/* The image that name means; -1: none, -2: several. */
static int find(span name, const char *const *path, int n)
{
    int i, cut, found;

    for (i = 0; i < n; i++)
        if (same(name, (span){path[i], strlen(path[i])})) return i;
    for (cut = 0; cut < 2; cut++) {
        span want = base_of(name.at, name.n, 0);

        for (i = 0, found = -1; i < n; i++)
            if (same(want, base_of(path[i], strlen(path[i]), cut))) found = found < 0 ? i : -2;
        if (found != -1) return found;
    }
    return -1;
}

static int number(span s, double *v)
{
    char text[64], *end;

    if (!s.n || s.n >= sizeof text) return 0;
    memcpy(text, s.at, s.n);
    text[s.n] = 0;
    *v = strtod(text, &end);
    return !*end && isfinite(*v);
}

lp_status lp_train_probs_parse(const char *text, size_t len, const char *const *path, int n,
                               double *sum, int *extra, int *extra_line, lp_err *err)
{
    double *w = malloc(((size_t)n + 1) * sizeof *w), total = 0, v;
    const char *p = text, *stop = text + len;
    int line = 0, i, more = 0, more_line = 0;
    lp_status st = LP_OK;

    if (!w) return lp_fail_mem(err, "weights", n * 8.0);
    for (i = 0; i < n; i++) w[i] = -1;
    for (; p < stop && !st; line++) {
        const char *nl = memchr(p, '\n', (size_t)(stop - p)), *end = nl ? nl : stop, *comma = end;
        span name, value, all = trim(p, end);

        if (!all.n) {
            p = nl ? nl + 1 : stop;
            continue;
        }
        while (comma > p && *--comma != ',') continue;
        name = trim(p, comma);
        value = *comma == ',' ? trim(comma + 1, end) : (span){end, 0};
        p = nl ? nl + 1 : stop;
        if (!name.n || name.n > MAX_FIELD || !number(value, &v)) {
            if (line == 0 && name.n && value.n) continue; /* a heading */
            st = lp_fail(err, LP_EFORMAT, "line %d: must be an image's name, a comma, a weight",
                         line + 1);
        } else if (v < 0) {
            st = lp_fail(err, LP_EFORMAT, "line %d: weight %g is below 0", line + 1, v);
        } else if ((i = find(name, path, n)) == -1) {
            more_line = more++ ? more_line : line + 1;
        } else if (i < 0) {
            st = lp_fail(err, LP_EFORMAT, "line %d: several images are called %.*s", line + 1,
                         name.n < 200 ? (int)name.n : 200, name.at);
        } else if (w[i] >= 0) {
            st =
                lp_fail(err, LP_EFORMAT, "line %d: %.500s has a weight already", line + 1, path[i]);
        } else {
            w[i] = v;
        }
    }
    for (i = 0; !st && i < n; i++) {
        if (w[i] < 0)
            st = lp_fail(err, LP_EARG, "image %.500s is not in it: give it a weight, 0 for never",
                         path[i]);
        else
            total += w[i];
    }
    if (!st && !(total > 0 && isfinite(total)))
        st = lp_fail(err, LP_EARG, "the weights add up to %g: some must be above 0", total);
    if (st) goto done;
    for (i = 0, v = 0; i < n; i++) sum[i] = (v += w[i]) / total;
    if (extra) *extra = more;
    if (extra_line) *extra_line = more_line;
done:
    free(w);
    return st;
}

lp_status lp_train_probs_read(const char *file, const char *const *path, int n, double *sum,
                              int *extra, int *extra_line, lp_err *err)
{
    char *text = NULL;
    size_t len = 0;
    lp_err why;
    lp_status st = lp_read_text(file, MAX_BYTES, &text, &len, err);

    if (st) return st;
    if ((st = lp_train_probs_parse(text, len, path, n, sum, extra, extra_line, &why)))
        st = lp_fail(err, st, "%.400s: %.600s", file, why.msg);
    free(text);
    return st;
}
