#include "outline.h"

#include <stdlib.h>
#include <string.h>

#include "label_index.h"

/* Borders are followed along the cracks between pixels, inside on the right. Each crack
 * loop is met once: walking right along the top of a pixel marks that pixel, and a loop is
 * only begun at an unmarked top. Loops around holes run the other way (negative area) and
 * are dropped. */

typedef struct {
    int32_t (*p)[2];
    size_t n, cap;
} chain;

typedef struct {
    size_t at;     /* first point in the pool */
    int64_t n;     /* points; 0 = none yet */
    int64_t score; /* border pixels, what Cellpose chooses the piece by */
} piece;

typedef struct {
    const lp_labels *lb;
    uint8_t *top_done; /* [Ly][Lx] */
    chain pool;
    lp_outline_kind kind;
    int failed;
} tracer;

/* Directions: 0 right, 1 down, 2 left, 3 up. */
static const int dir_y[4] = {0, 1, 0, -1}, dir_x[4] = {1, 0, -1, 0};
/* Pixel to the right of a crack that leaves corner (y, x) in each direction, and to its left. */
static const int right_y[4] = {0, 0, -1, -1}, right_x[4] = {0, -1, -1, 0};
static const int left_y[4] = {-1, 0, 0, -1}, left_x[4] = {0, 0, -1, -1};

static int inside(const lp_labels *lb, int y, int x, uint32_t id)
{
    return y >= 0 && x >= 0 && y < lb->Ly && x < lb->Lx && lb->data[(size_t)y * lb->Lx + x] == id;
}

static void push(tracer *t, int y, int x)
{
    chain *c = &t->pool;

    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 4096;
        int32_t(*p)[2] = realloc(c->p, cap * sizeof *p);

        if (!p) {
            t->failed = 1;
            return;
        }
        c->p = p;
        c->cap = cap;
    }
    c->p[c->n][0] = y;
    c->p[c->n++][1] = x;
}

/* Follows the loop whose first crack is the top of pixel (y0, x0). Appends its points to the
 * pool and returns twice its signed area; *pixels gets the length of its pixel chain. */
static int64_t follow(tracer *t, int y0, int x0, int64_t *pixels)
{
    const lp_labels *lb = t->lb;
    uint32_t id = lb->data[(size_t)y0 * lb->Lx + x0];
    int y = y0, x = x0, d = 0, last_y = -1, last_x = -1, last_d = -1;
    int64_t area = 0, n = 0;

    do {
        int py = y + right_y[d], px = x + right_x[d], turn;

        if (d == 0) t->top_done[(size_t)py * lb->Lx + px] = 1;
        if (py != last_y || px != last_x) {
            n++;
            if (t->kind == LP_OUTLINE_PIXELS) push(t, py, px);
            last_y = py;
            last_x = px;
        }
        if (t->kind == LP_OUTLINE_CORNERS && d != last_d) push(t, y, x);
        last_d = d;
        area += (int64_t)x * dir_y[d] - (int64_t)y * dir_x[d];
        y += dir_y[d];
        x += dir_x[d];
        /* At the next corner: left where the pixel ahead on the left is inside (pixels that
         * touch at a corner belong together), else on where the one on the right is. */
        if (inside(lb, y + left_y[d], x + left_x[d], id))
            turn = 3;
        else if (inside(lb, y + right_y[d], x + right_x[d], id))
            turn = 0;
        else
            turn = 1;
        d = (d + turn) & 3;
    } while (y != y0 || x != x0 || d != 0);
    /* The first pixel is met again at the end, unless it is the only one. */
    if (n > 1 && last_y == y0 && last_x == x0) {
        n--;
        if (t->kind == LP_OUTLINE_PIXELS && t->pool.n) t->pool.n--;
    }
    *pixels = n;
    return area;
}

/* Clockwise as followed; OpenCV goes the other way round from the same first pixel. */
static void reverse_tail(int32_t (*p)[2], int64_t n)
{
    int64_t i, j;

    for (i = 1, j = n - 1; i < j; i++, j--) {
        int32_t s[2] = {p[i][0], p[i][1]};

        memcpy(p[i], p[j], sizeof s);
        memcpy(p[j], s, sizeof s);
    }
}

static void trace_all(tracer *t, const lp_label_index *ix, piece *best)
{
    const lp_labels *lb = t->lb;
    int y, x;

    for (y = 0; y < lb->Ly; y++)
        for (x = 0; x < lb->Lx && !t->failed; x++) {
            size_t i = (size_t)y * lb->Lx + x, at = t->pool.n;
            uint32_t id = lb->data[i];
            int64_t pixels, area;
            piece *b;

            if (!id || t->top_done[i] || (y && lb->data[i - lb->Lx] == id)) continue;
            area = follow(t, y, x, &pixels);
            b = &best[lp_label_index_find(ix, id)];
            if (area > 0 && pixels > b->score) {
                b->at = at;
                b->n = (int64_t)(t->pool.n - at);
                b->score = pixels;
            } else {
                t->pool.n = at;
            }
        }
}

static lp_status gather(const tracer *t, lp_label_index *ix, const piece *best, lp_outlines *o,
                        lp_err *err)
{
    int64_t total = 0, i;

    o->n = ix->n;
    o->start = malloc(((size_t)ix->n + 1) * sizeof *o->start);
    for (i = 0; i < ix->n; i++) total += best[i].n;
    o->yx = malloc(((size_t)total + 1) * sizeof *o->yx);
    if (!o->start || !o->yx) return lp_fail_mem(err, "outlines", (double)total * sizeof *o->yx);
    for (total = 0, i = 0; i < ix->n; i++) {
        o->start[i] = total;
        memcpy(o->yx + total, t->pool.p + best[i].at, (size_t)best[i].n * sizeof *o->yx);
        if (t->kind == LP_OUTLINE_PIXELS) reverse_tail(o->yx + total, best[i].n);
        total += best[i].n;
    }
    o->start[ix->n] = total;
    o->ids = ix->ids;
    ix->ids = NULL;
    return LP_OK;
}

lp_status lp_outline_trace(const lp_labels *lb, lp_outline_kind kind, lp_outlines *out, lp_err *err)
{
    tracer t = {.lb = lb, .kind = kind};
    lp_label_index ix = {0};
    lp_outlines o = {0};
    piece *best = NULL;
    lp_status st;

    if ((st = lp_label_index_new(lb, &ix, err))) goto done;
    best = calloc((size_t)ix.n + 1, sizeof *best);
    t.top_done = calloc((size_t)lb->Ly * lb->Lx, 1);
    if (best && t.top_done) trace_all(&t, &ix, best);
    if (!best || !t.top_done || t.failed) {
        st = lp_fail_mem(err, "outlines", (double)lb->Ly * lb->Lx);
        goto done;
    }
    if ((st = gather(&t, &ix, best, &o, err))) goto done;
    *out = o;
    memset(&o, 0, sizeof o);
done:
    lp_outlines_free(&o);
    free(t.pool.p);
    free(t.top_done);
    free(best);
    lp_label_index_free(&ix);
    return st;
}

void lp_outlines_free(lp_outlines *o)
{
    if (!o) return;
    free(o->ids);
    free(o->start);
    free(o->yx);
    memset(o, 0, sizeof *o);
}
