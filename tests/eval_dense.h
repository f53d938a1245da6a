/* eval_dense - Cellpose's matching done the plain way, on the full matrix, to test against. */
#ifndef LP_EVAL_DENSE_H
#define LP_EVAL_DENSE_H

#include "host/eval.h"
#include "lp_test.h"

/* cost [n][m], n <= m: the assignment of every row to a column of its own with the least sum
 * (Hungarian method, O(n m^2)). col [n]. */
static inline void dense_assign(const double *cost, int n, int m, int *col)
{
    double *u = calloc((size_t)n + 1, sizeof *u), *v = calloc((size_t)m + 1, sizeof *v);
    double *least = malloc(((size_t)m + 1) * sizeof *least);
    int *row = calloc((size_t)m + 1, sizeof *row), *way = calloc((size_t)m + 1, sizeof *way);
    char *used = malloc((size_t)m + 1);
    int i, j;

    assert_true(u && v && least && row && way && used);
    for (i = 1; i <= n; i++) {
        int j0 = 0;

        row[0] = i;
        for (j = 0; j <= m; j++) {
            least[j] = INFINITY;
            used[j] = 0;
        }
        do {
            int i0 = row[j0], j1 = 0;
            double delta = INFINITY;

            used[j0] = 1;
            for (j = 1; j <= m; j++) {
                double c;

                if (used[j]) continue;
                c = cost[(size_t)(i0 - 1) * m + j - 1] - u[i0] - v[j];
                if (c < least[j]) {
                    least[j] = c;
                    way[j] = j0;
                }
                if (least[j] < delta) {
                    delta = least[j];
                    j1 = j;
                }
            }
            for (j = 0; j <= m; j++) {
                if (used[j]) {
                    u[row[j]] += delta;
                    v[j] -= delta;
                } else {
                    least[j] -= delta;
                }
            }
            j0 = j1;
        } while (row[j0]);
        for (; j0; j0 = way[j0]) row[j0] = row[way[j0]];
    }
    for (j = 1; j <= m; j++)
        if (row[j]) col[row[j] - 1] = j - 1;
    free(u);
    free(v);
    free(least);
    free(row);
    free(way);
    free(used);
}

/* metrics.py's _true_positive: its costs, all pairs. iou [nt][np]. *best: sum of IoU + the number
 * of pairs >= th, weighted as there, of the assignment. */
static inline int dense_true_positive(const double *iou, int nt, int np, double th, double *best)
{
    int n = nt < np ? nt : np, m = nt < np ? np : nt, i, j, tp = 0;
    double *cost = malloc((size_t)n * m * sizeof *cost + 1);
    int *col = malloc((size_t)n * sizeof *col + 1);

    assert_true(cost && col);
    *best = 0;
    for (i = 0; i < n; i++)
        for (j = 0; j < m; j++) {
            double v = nt < np ? iou[(size_t)i * np + j] : iou[(size_t)j * np + i];

            cost[(size_t)i * m + j] = -(v >= th) - v / (2 * n);
        }
    dense_assign(cost, n, m, col);
    for (i = 0; i < n; i++) {
        double v = nt < np ? iou[(size_t)i * np + col[i]] : iou[(size_t)col[i] * np + i];

        tp += v >= th;
        *best -= cost[(size_t)i * m + col[i]];
    }
    free(cost);
    free(col);
    return tp;
}

#endif
