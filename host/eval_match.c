#include "eval_match.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    const lp_eval_edge *edge;
    int64_t *start;    /* [nt+1] */
    double *u, *v;     /* [nt], [np] dual variables */
    int32_t *pred_of;  /* [nt] */
    int32_t *true_of;  /* [np] */
    double *dist;      /* [np] shortest path so far, infinite where not reached */
    int32_t *from;     /* [np] row that the path comes from */
    uint8_t *done;     /* [np] */
    int32_t *frontier; /* [np] columns reached in this search */
    int32_t n_frontier;
} matcher;

/* The nearest column that is not done, the first in order among equals; -1 where there is none. */
static int32_t nearest(const matcher *m)
{
    int32_t best = -1, k;

    for (k = 0; k < m->n_frontier; k++) {
        int32_t p = m->frontier[k];

        if (m->done[p]) continue;
        if (best < 0 || m->dist[p] < m->dist[best] || (m->dist[p] == m->dist[best] && p < best))
            best = p;
    }
    return best;
}

static void relax(matcher *m, int32_t t, double base)
{
    int64_t k;

    for (k = m->start[t]; k < m->start[t + 1]; k++) {
        int32_t p = m->edge[k].p;
        double d = base - m->edge[k].w - m->u[t] - m->v[p];

        if (m->done[p] || !(d < m->dist[p])) continue;
        if (m->dist[p] == INFINITY) m->frontier[m->n_frontier++] = p;
        m->dist[p] = d;
        m->from[p] = t;
    }
}

/* Adds row t0: finds the cheapest path from it to a free column, or to a row that is cheaper left
 * unmatched, and shifts the matches along it. */
static void insert(matcher *m, int32_t t0)
{
    double base = 0, alone = INFINITY;
    int32_t t = t0, alone_row = t0, p, k;

    m->n_frontier = 0;
    for (;;) {
        relax(m, t, base);
        if (base - m->u[t] < alone) {
            alone = base - m->u[t];
            alone_row = t;
        }
        p = nearest(m);
        if (p < 0 || alone <= m->dist[p]) {
            base = alone;
            p = -1;
            break;
        }
        base = m->dist[p];
        if (m->true_of[p] < 0) break;
        m->done[p] = 1;
        t = m->true_of[p];
    }
    m->u[t0] += base;
    for (k = 0; k < m->n_frontier; k++) {
        int32_t q = m->frontier[k];

        if (m->done[q]) {
            m->u[m->true_of[q]] += base - m->dist[q];
            m->v[q] -= base - m->dist[q];
        }
        m->dist[q] = INFINITY;
        m->done[q] = 0;
    }
    t = p < 0 ? alone_row : m->from[p];
    for (;;) {
        int32_t freed = m->pred_of[t];

        m->pred_of[t] = p;
        if (p >= 0) m->true_of[p] = t;
        if (t == t0) break;
        p = freed;
        t = m->from[p];
    }
}

lp_status lp_eval_assign(const lp_eval_edge *edge, int64_t n, int32_t nt, int32_t np,
                         int32_t *pred_of, lp_err *err)
{
    matcher m = {.edge = edge, .pred_of = pred_of};
    size_t a = (size_t)nt + 1, b = (size_t)np + 1;
    lp_status st = LP_OK;
    int64_t k;
    int32_t i;

    m.start = calloc(a + 1, sizeof *m.start);
    m.u = calloc(a, sizeof *m.u);
    m.v = calloc(b, sizeof *m.v);
    m.true_of = malloc(b * sizeof *m.true_of);
    m.dist = malloc(b * sizeof *m.dist);
    m.from = malloc(b * sizeof *m.from);
    m.done = calloc(b, 1);
    m.frontier = malloc(b * sizeof *m.frontier);
    if (!m.start || !m.u || !m.v || !m.true_of || !m.dist || !m.from || !m.done || !m.frontier) {
        st = lp_fail_mem(err, "matching of particles", 24.0 * a + 37.0 * b);
        goto done;
    }
    for (k = 0; k < n; k++) m.start[edge[k].t + 1]++;
    for (i = 0; i < nt; i++) {
        m.start[i + 1] += m.start[i];
        pred_of[i] = -1;
    }
    for (i = 0; i < np; i++) {
        m.true_of[i] = -1;
        m.dist[i] = INFINITY;
    }
    for (i = 0; i < nt; i++)
        if (m.start[i] < m.start[i + 1]) insert(&m, i);
done:
    free(m.start);
    free(m.u);
    free(m.v);
    free(m.true_of);
    free(m.dist);
    free(m.from);
    free(m.done);
    free(m.frontier);
    return st;
}
