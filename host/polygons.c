#include "polygons.h"

#include <stdlib.h>
#include <string.h>

/* Borders are followed along the cracks between pixels, inside on the right, turning right where
 * two pixels of the same label touch at a corner: so a loop stays with its 4-connected piece. */

typedef struct {
    uint32_t piece; /* 1-based */
    int64_t first, n;
    int hole;
} ring;

typedef struct {
    const lp_labels *lb;
    uint32_t *piece;    /* [Ly][Lx] 4-connected pieces, 0 background */
    int32_t *seen;      /* [Ly + 1][Lx + 1] position + 1 of a corner on the current loop */
    uint8_t *top_done;  /* [Ly][Lx] */
    uint32_t *label_of; /* [n_pieces + 1] */
    uint32_t n_pieces;
    int32_t (*loop)[2]; /* the loop that is being followed */
    size_t n_loop, cap_loop;
    int32_t (*yx)[2];
    size_t n, cap;
    ring *r;
    size_t n_r, cap_r;
    int failed;
} tracer;

static int grow(void **p, size_t *cap, size_t need, size_t size)
{
    size_t c = *cap ? *cap : 1024;
    void *q;

    if (need <= *cap) return 1;
    while (c < need) c *= 2;
    if (!(q = realloc(*p, c * size))) return 0;
    *p = q;
    *cap = c;
    return 1;
}

static uint32_t root(uint32_t *up, uint32_t i)
{
    while (up[i] != i) i = up[i] = up[up[i]];
    return i;
}

/* Pieces, numbered in raster order of their first pixels. */
static int find_pieces(tracer *t)
{
    const lp_labels *lb = t->lb;
    uint32_t *up = NULL, n = 0, k, pieces = 0;
    size_t cap = 0, size = (size_t)lb->Ly * lb->Lx, i;
    int y, x;

    for (y = 0; y < lb->Ly; y++)
        for (x = 0; x < lb->Lx; x++) {
            size_t at = (size_t)y * lb->Lx + x;
            uint32_t id = lb->data[at], above = 0, left = 0;

            if (!id) continue;
            if (y && lb->data[at - lb->Lx] == id) above = root(up, t->piece[at - lb->Lx]);
            if (x && lb->data[at - 1] == id) left = root(up, t->piece[at - 1]);
            if (!above && !left) {
                if (!grow((void **)&up, &cap, (size_t)n + 2, sizeof *up)) {
                    free(up);
                    return 0;
                }
                n++;
                up[n] = above = n;
            } else if (!above || (left && left < above)) {
                if (above) up[above] = left;
                above = left;
            } else if (left) {
                up[left] = above;
            }
            t->piece[at] = above;
        }
    t->label_of = malloc(((size_t)n + 1) * sizeof *t->label_of);
    if (t->label_of) {
        /* A root is the smallest number of its piece: those before it have theirs already. */
        for (k = 1; k <= n; k++) up[k] = up[k] == k ? ++pieces : up[up[k]];
        for (i = 0; i < size; i++)
            if (t->piece[i]) {
                t->piece[i] = up[t->piece[i]];
                t->label_of[t->piece[i]] = lb->data[i];
            }
    }
    free(up);
    t->n_pieces = pieces;
    return t->label_of != NULL;
}

/* Takes the loop's points from k on as a ring. */
static void close_ring(tracer *t, size_t k, uint32_t piece)
{
    size_t n = t->n_loop - k, i, width = (size_t)t->lb->Lx + 1;
    int32_t(*p)[2] = t->loop + k;
    int64_t area = 0;

    if (!grow((void **)&t->yx, &t->cap, t->n + n, sizeof *t->yx) ||
        !grow((void **)&t->r, &t->cap_r, t->n_r + 1, sizeof *t->r)) {
        t->failed = 1;
        return;
    }
    for (i = 0; i < n; i++) {
        const int32_t *q = p[i + 1 < n ? i + 1 : 0];

        area += (int64_t)p[i][1] * q[0] - (int64_t)q[1] * p[i][0];
        t->seen[(size_t)p[i][0] * width + (size_t)p[i][1]] = 0;
    }
    memcpy(t->yx + t->n, p, n * sizeof *p);
    t->r[t->n_r++] = (ring){piece, (int64_t)t->n, (int64_t)n, area < 0};
    t->n += n;
    t->n_loop = k;
}

/* A corner of the loop; where it was here before, what lies between is a ring of its own. */
static void add_corner(tracer *t, int y, int x, uint32_t piece)
{
    size_t width = (size_t)t->lb->Lx + 1;
    int32_t *seen = &t->seen[(size_t)y * width + (size_t)x];

    if (*seen) close_ring(t, (size_t)*seen - 1, piece);
    if (t->failed || !grow((void **)&t->loop, &t->cap_loop, t->n_loop + 1, sizeof *t->loop)) {
        t->failed = 1;
        return;
    }
    t->loop[t->n_loop][0] = y;
    t->loop[t->n_loop][1] = x;
    *seen = (int32_t)++t->n_loop;
}

static int inside(const tracer *t, int y, int x, uint32_t piece)
{
    return y >= 0 && x >= 0 && y < t->lb->Ly && x < t->lb->Lx &&
           t->piece[(size_t)y * t->lb->Lx + x] == piece;
}

/* The loop whose first crack is the top of pixel (y0, x0). */
static void follow(tracer *t, int y0, int x0)
{
    /* Directions: 0 right, 1 down, 2 left, 3 up; the pixels to the right and to the left of a
     * crack that leaves corner (y, x). */
    static const int dir_y[4] = {0, 1, 0, -1}, dir_x[4] = {1, 0, -1, 0};
    static const int right_y[4] = {0, 0, -1, -1}, right_x[4] = {0, -1, -1, 0};
    static const int left_y[4] = {-1, 0, 0, -1}, left_x[4] = {0, 0, -1, -1};
    uint32_t piece = t->piece[(size_t)y0 * t->lb->Lx + x0];
    int y = y0, x = x0, d = 0, last = -1;

    t->n_loop = 0;
    do {
        if (d == 0) t->top_done[(size_t)y * t->lb->Lx + x] = 1;
        if (d != last) add_corner(t, y, x, piece);
        last = d;
        y += dir_y[d];
        x += dir_x[d];
        if (!inside(t, y + right_y[d], x + right_x[d], piece))
            d = (d + 1) & 3;
        else if (inside(t, y + left_y[d], x + left_x[d], piece))
            d = (d + 3) & 3;
    } while (!t->failed && (y != y0 || x != x0 || d != 0));
    if (!t->failed) close_ring(t, 0, piece);
}

static void trace_all(tracer *t)
{
    const lp_labels *lb = t->lb;
    int y, x;

    for (y = 0; y < lb->Ly; y++)
        for (x = 0; x < lb->Lx && !t->failed; x++) {
            size_t i = (size_t)y * lb->Lx + x;

            if (t->piece[i] && !t->top_done[i] && !(y && t->piece[i - lb->Lx] == t->piece[i]))
                follow(t, y, x);
        }
}

static int by_label(const void *a, const void *b)
{
    const lp_polygon *p = a, *q = b;

    if (p->label != q->label) return p->label < q->label ? -1 : 1;
    return (p->first > q->first) - (p->first < q->first); /* still the piece */
}

/* Rings by polygon, the outer one first, polygons by label. */
static int gather(tracer *t, lp_polygons *o)
{
    int64_t *at = malloc(((size_t)t->n_pieces + 1) * sizeof *at), i, k, points = 0;
    lp_polygon *p = calloc((size_t)t->n_pieces + 1, sizeof *p);
    int64_t *slot = malloc((t->n_r + 1) * sizeof *slot);

    o->start = malloc((t->n_r + 1) * sizeof *o->start);
    o->yx = malloc((t->n + 1) * sizeof *o->yx);
    o->polygon = p;
    if (!at || !p || !slot || !o->start || !o->yx) {
        free(at);
        free(slot);
        return 0;
    }
    o->n = t->n_pieces;
    o->n_rings = (int64_t)t->n_r;
    for (i = 0; i < o->n; i++) p[i] = (lp_polygon){t->label_of[i + 1], i + 1, 0};
    if (o->n) qsort(p, (size_t)o->n, sizeof *p, by_label);
    for (i = 0; i < o->n; i++) at[p[i].first] = i;
    for (i = 0; i < o->n_rings; i++) p[at[t->r[i].piece]].n_rings++;
    for (i = 0, k = 0; i < o->n; i++) {
        p[i].first = k;
        k += p[i].n_rings;
        p[i].n_rings = 1; /* the outer ring's place; holes follow */
    }
    for (i = 0; i < o->n_rings; i++) {
        lp_polygon *q = &p[at[t->r[i].piece]];

        slot[t->r[i].hole ? q->first + q->n_rings++ : q->first] = i;
    }
    for (k = 0; k < o->n_rings; k++) {
        const ring *r = &t->r[slot[k]];

        o->start[k] = points;
        memcpy(o->yx + points, t->yx + r->first, (size_t)r->n * sizeof *o->yx);
        points += r->n;
    }
    o->start[k] = points;
    free(at);
    free(slot);
    return 1;
}

lp_status lp_polygons_trace(const lp_labels *lb, lp_polygons *out, lp_err *err)
{
    size_t n = (size_t)lb->Ly * lb->Lx;
    tracer t = {.lb = lb};
    lp_polygons o = {0};
    lp_status st = LP_OK;
    int ok;

    t.piece = calloc(n, sizeof *t.piece);
    t.top_done = calloc(n, 1);
    t.seen = calloc(((size_t)lb->Ly + 1) * ((size_t)lb->Lx + 1), sizeof *t.seen);
    ok = t.piece && t.top_done && t.seen && find_pieces(&t);
    if (ok) trace_all(&t);
    if (!ok || t.failed || !gather(&t, &o)) {
        lp_polygons_free(&o);
        st = lp_fail_mem(err, "outlines", 9.0 * (double)n);
    } else {
        *out = o;
    }
    free(t.piece);
    free(t.top_done);
    free(t.seen);
    free(t.label_of);
    free(t.loop);
    free(t.yx);
    free(t.r);
    return st;
}

void lp_polygons_free(lp_polygons *p)
{
    if (!p) return;
    free(p->polygon);
    free(p->start);
    free(p->yx);
    memset(p, 0, sizeof *p);
}
