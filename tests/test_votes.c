/* Runs, votes and components against the plainest counting there is. */
#include "lp_test.h"

#include "host/layers.h"
#include "host/rng.h"
#include "kernels/group.h"
#include "kernels/votes.h"

static const int sizes[][2] = {{1, 1}, {1, 40}, {40, 1}, {7, 13}, {61, 67}};
enum { N_SIZES = 5, MAX_PX = 61 * 67, BIG_PX = 130 * 70 };

/* Blocks of one to a few pixels, touching each other. */
static void labels(uint32_t *lb, lp_rng *r, int Ly, int Lx, uint32_t n)
{
    int y, x;

    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++) {
            double u = lp_rng_uniform(r);

            lb[y * Lx + x] = u < 0.3 ? 0 : u < 0.5 ? (uint32_t)(lp_rng_uniform(r) * (n + 1)) : 1;
            if (u > 0.6 && x) lb[y * Lx + x] = lb[y * Lx + x - 1];
            if (u > 0.8 && y) lb[y * Lx + x] = lb[(y - 1) * Lx + x];
            if (lb[y * Lx + x] > n) lb[y * Lx + x] = n;
        }
}

static lp_layers *layer(const uint32_t *lb, int Ly, int Lx, uint32_t n)
{
    lp_layers *s = NULL;

    assert_int_equal(lp_layers_new(Ly, Lx, &s, NULL), LP_OK);
    assert_int_equal(lp_layers_add(s, 30, lb, n, NULL, NULL, NULL), LP_OK);
    return s;
}

static void runs(void **state)
{
    static uint32_t lb[MAX_PX], back[MAX_PX];
    lp_rng r;
    int k, x;

    (void)state;
    lp_rng_init(&r, 1, 0, 0);
    for (k = 0; k < N_SIZES; k++) {
        int Ly = sizes[k][0], Lx = sizes[k][1], p;
        lp_runs_box box[9];
        const lp_runs *m;
        lp_layers *s;
        uint32_t l, l2;
        uint64_t i;

        labels(lb, &r, Ly, Lx, 8);
        s = layer(lb, Ly, Lx, 8);
        m = &s->layer[0].masks;
        memset(back, 0, sizeof back);
        for (l = 0; l < 8; l++)
            for (i = m->first[l]; i < m->first[l + 1]; i++) {
                const lp_run *u = &m->run[i];

                for (x = u->x0; x < u->x1; x++) back[u->y * Lx + x] = l + 1;
                if (i > m->first[l])
                    assert_true(u[-1].y < u->y || (u[-1].y == u->y && u[-1].x1 < u->x0));
            }
        assert_memory_equal(back, lb, (size_t)Ly * Lx * sizeof *lb);
        lp_runs_box_ref(box, m);
        for (l = 0; l < 8; l++) {
            lp_runs_box b = {0, Ly, 0, Lx, 0};

            for (p = 0; p < Ly * Lx; p++) {
                if (lb[p] != l + 1) continue;
                b.area++;
                if (p / Lx < b.y0) b.y0 = p / Lx;
                if (p / Lx >= b.y1) b.y1 = p / Lx + 1;
                if (p % Lx < b.x0) b.x0 = p % Lx;
                if (p % Lx >= b.x1) b.x1 = p % Lx + 1;
            }
            if (!b.area) b = (lp_runs_box){0};
            assert_true(box[l].area == b.area && box[l].y0 == b.y0 && box[l].y1 == b.y1);
            assert_true(box[l].x0 == b.x0 && box[l].x1 == b.x1);
        }
        /* Overlap with the mask shifted by one label: of two masks of different images. */
        for (p = 0; p < Ly * Lx; p++) back[p] = (uint32_t)(p / 3 % 9);
        {
            lp_layers *q = layer(back, Ly, Lx, 8);
            const lp_runs *o = &q->layer[0].masks;

            for (l = 0; l < 8; l++)
                for (l2 = 0; l2 < 8; l2++) {
                    int64_t common = 0;

                    for (p = 0; p < Ly * Lx; p++) common += lb[p] == l + 1 && back[p] == l2 + 1;
                    assert_true(lp_runs_common_ref(m->run + m->first[l],
                                                   m->first[l + 1] - m->first[l],
                                                   o->run + o->first[l2],
                                                   o->first[l2 + 1] - o->first[l2]) == common);
                }
            lp_layers_free(&q);
        }
        lp_layers_free(&s);
    }
}

/* Fills a component, numbering in raster order: recursion by repeated sweeps. */
static uint32_t sweep(uint32_t *out, const uint16_t *v, const uint16_t *ax, const uint16_t *ay,
                      int t, int Ly, int Lx)
{
    uint32_t n = 0;
    int p, q, y, x, more;

    memset(out, 0, (size_t)Ly * Lx * sizeof *out);
    for (p = 0; p < Ly * Lx; p++) {
        if (v[p] <= t || out[p]) continue;
        out[p] = ++n;
        do {
            more = 0;
            for (y = 0; y < Ly; y++)
                for (x = 0; x < Lx; x++) {
                    q = y * Lx + x;
                    if (x + 1 < Lx && v[q] > t && v[q + 1] > t && (!ax || ax[q] > t) &&
                        (out[q] == n) != (out[q + 1] == n)) {
                        out[q] = out[q + 1] = n;
                        more = 1;
                    }
                    if (y + 1 < Ly && v[q] > t && v[q + Lx] > t && (!ay || ay[q] > t) &&
                        (out[q] == n) != (out[q + Lx] == n)) {
                        out[q] = out[q + Lx] = n;
                        more = 1;
                    }
                }
        } while (more);
    }
    return n;
}

static void votes(void **state)
{
    static uint32_t lb[MAX_PX], got[MAX_PX], want[MAX_PX];
    static uint16_t v[MAX_PX], ax[MAX_PX], ay[MAX_PX], v2[MAX_PX], ax2[MAX_PX], ay2[MAX_PX];
    lp_rng r;
    int k, i, t, p;

    (void)state;
    lp_rng_init(&r, 2, 0, 0);
    for (k = 0; k < N_SIZES; k++) {
        int Ly = sizes[k][0], Lx = sizes[k][1];
        size_t bytes = (size_t)Ly * Lx * sizeof *v;

        memset(v, 0, bytes), memset(ax, 0, bytes), memset(ay, 0, bytes);
        memset(v2, 0, bytes), memset(ax2, 0, bytes), memset(ay2, 0, bytes);
        for (i = 0; i < 6; i++) {
            lp_layers *s;

            labels(lb, &r, Ly, Lx, 5);
            s = layer(lb, Ly, Lx, 5);
            for (t = 0; t < Ly; t += 1 + i) { /* in bands of rows */
                lp_votes_add_ref(v, &s->layer[0].masks, Lx, t, t + 1 + i);
                lp_votes_add_pairs_ref(ax, ay, &s->layer[0].masks, Lx, t, t + 1 + i);
            }
            lp_layers_free(&s);
            for (p = 0; p < Ly * Lx; p++) {
                if (!lb[p]) continue;
                v2[p]++;
                if (p % Lx < Lx - 1) ax2[p] += lb[p] == lb[p + 1];
                if (p / Lx < Ly - 1) ay2[p] += lb[p] == lb[p + Lx];
            }
        }
        assert_memory_equal(v, v2, bytes);
        assert_memory_equal(ax, ax2, bytes);
        assert_memory_equal(ay, ay2, bytes);
        for (t = 0; t < 7; t++) {
            uint32_t n = sweep(want, v, NULL, NULL, t, Ly, Lx);

            assert_int_equal(lp_votes_components_ref(got, v, NULL, NULL, t, Ly, Lx), n);
            assert_memory_equal(got, want, (size_t)Ly * Lx * sizeof *got);
            n = sweep(want, v, ax, ay, t, Ly, Lx);
            assert_int_equal(lp_votes_components_ref(got, v, ax, ay, t, Ly, Lx), n);
            assert_memory_equal(got, want, (size_t)Ly * Lx * sizeof *got);
        }
    }
}

/* Components as runs, painted as the plain version numbers them. */
static void paint(uint32_t *out, const uint16_t *v, const uint16_t *ax, const uint16_t *ay, int t,
                  int Ly, int Lx)
{
    static lp_run run[BIG_PX + 1];
    static uint32_t first[BIG_PX + 1], root[BIG_PX + 1], number[BIG_PX + 1];
    const lp_run guard = {-1, -2, -3};
    uint32_t n = 0, i;
    int x, y;

    lp_votes_runs_count_cpu(first, v, ax, t, Ly, Lx);
    assert_true(first[0] == 0 && first[Ly] <= (uint32_t)(Ly * Lx));
    run[first[Ly]] = guard;
    root[first[Ly]] = 77;
    lp_votes_runs_cpu(run, first, v, ax, t, Ly, Lx);
    lp_votes_roots_cpu(root, run, first, ay, t, Ly, Lx);
    assert_memory_equal(&run[first[Ly]], &guard, sizeof guard);
    assert_int_equal(root[first[Ly]], 77);
    memset(out, 0, (size_t)Ly * Lx * sizeof *out);
    for (y = 0; y < Ly; y++)
        for (i = first[y]; i < first[y + 1]; i++) {
            assert_true(run[i].y == y && run[i].x0 >= 0 && run[i].x1 > run[i].x0);
            assert_true(run[i].x1 <= Lx && (i == first[y] || run[i].x0 >= run[i - 1].x1));
            assert_true(root[i] <= i && root[root[i]] == root[i]);
            number[i] = root[i] == i ? ++n : number[root[i]];
            for (x = run[i].x0; x < run[i].x1; x++) out[y * Lx + x] = number[i];
        }
}

/* The tuned versions against the plain ones, also over the borders of bands of rows. */
static void tuned(void **state)
{
    static const int big[][2] = {{1, 1}, {1, 90}, {200, 1}, {64, 33}, {65, 31}, {130, 70}, {3, 70}};
    static uint32_t lb[BIG_PX], want[BIG_PX], got[BIG_PX];
    static uint16_t v[BIG_PX], ax[BIG_PX], ay[BIG_PX], v2[BIG_PX], ax2[BIG_PX], ay2[BIG_PX];
    lp_rng r;
    size_t k;
    int i, t, n;

    (void)state;
    lp_rng_init(&r, 8, 0, 0);
    for (k = 0; k < sizeof big / sizeof *big; k++)
        for (n = 0; n < 8; n += 7) { /* no diameter, seven of them */
            int Ly = big[k][0], Lx = big[k][1];
            size_t bytes = (size_t)Ly * Lx * sizeof *v;
            const lp_runs *m[7];
            lp_layers *s[7];
            void *scratch;

            memset(v, 0, bytes), memset(ax, 0, bytes), memset(ay, 0, bytes);
            memset(v2, 7, bytes), memset(ax2, 7, bytes), memset(ay2, 7, bytes);
            for (i = 0; i < n; i++) {
                labels(lb, &r, Ly, Lx, i == 3 ? 0 : 5);
                s[i] = layer(lb, Ly, Lx, 5);
                m[i] = &s[i]->layer[0].masks;
                lp_votes_add_ref(v, m[i], Lx, 0, Ly);
                lp_votes_add_pairs_ref(ax, ay, m[i], Lx, 0, Ly);
            }
            scratch = malloc(lp_votes_count_scratch(m, n, Ly));
            assert_non_null(scratch);
            lp_votes_count_cpu(v2, NULL, NULL, m, n, Ly, Lx, scratch);
            assert_memory_equal(v2, v, bytes);
            memset(v2, 7, bytes);
            lp_votes_count_cpu(v2, ax2, ay2, m, n, Ly, Lx, scratch);
            assert_memory_equal(v2, v, bytes);
            assert_memory_equal(ax2, ax, bytes);
            assert_memory_equal(ay2, ay, bytes);
            for (t = 0; t < 8; t++) {
                lp_votes_components_ref(want, v, NULL, NULL, t, Ly, Lx);
                paint(got, v, NULL, NULL, t, Ly, Lx);
                assert_memory_equal(got, want, (size_t)Ly * Lx * sizeof *got);
                lp_votes_components_ref(want, v, ax, ay, t, Ly, Lx);
                paint(got, v, ax, ay, t, Ly, Lx);
                assert_memory_equal(got, want, (size_t)Ly * Lx * sizeof *got);
            }
            free(scratch);
            for (i = 0; i < n; i++) lp_layers_free(&s[i]);
        }
}

/* Groups against trying all pairs, and the majority against counting. */
static void groups(void **state)
{
    enum { L = 100, N = 120 };
    static uint32_t lb[L * L];
    static lp_group_mask mask[N];
    lp_layers *s[N];
    uint32_t got[N], want[N], seed[N], ng, n = 0, i, j;
    lp_rng r;
    void *scratch;

    (void)state;
    lp_rng_init(&r, 4, 0, 0);
    for (i = 0; i < N; i++) {
        int cy = (int)(lp_rng_uniform(&r) * 4) * 25 + (int)(lp_rng_uniform(&r) * 5);
        int cx = (int)(lp_rng_uniform(&r) * 4) * 25 + (int)(lp_rng_uniform(&r) * 5);
        int size = 4 + (int)(lp_rng_uniform(&r) * (i % 10 ? 14 : 60)), y, x;

        memset(lb, 0, sizeof lb);
        for (y = cy; y < cy + size && y < L; y++)
            for (x = cx; x < cx + size && x < L; x++) lb[y * L + x] = 1;
        s[i] = layer(lb, L, L, 1);
        mask[i].run = s[i]->layer[0].masks.run;
        mask[i].n = s[i]->layer[0].masks.first[1];
        lp_runs_box_ref(&mask[i].box, &s[i]->layer[0].masks);
    }
    for (i = 0; i < N; i++) {
        double best = 0;

        want[i] = n;
        for (j = 0; j < n; j++) {
            double c = (double)lp_runs_common_ref(mask[i].run, mask[i].n, mask[seed[j]].run,
                                                  mask[seed[j]].n);
            double iou = c / (double)(mask[i].box.area + mask[seed[j]].box.area - (int64_t)c);

            if (iou >= 0.5 && iou > best) {
                best = iou;
                want[i] = j;
            }
        }
        if (want[i] == n) seed[n++] = i;
    }
    scratch = malloc(lp_group_assign_scratch(mask, N, L, L));
    assert_non_null(scratch);
    ng = lp_group_assign_ref(got, mask, N, 0.5, L, L, scratch);
    assert_int_equal(ng, n);
    assert_true(n > 20 && n < N - 20);
    assert_memory_equal(got, want, sizeof got);
    free(scratch);
    {
        const lp_group_mask *member[N];
        static lp_run out[N * L];
        static int64_t weight[N], row[L + 1], sum[L * L], total;
        uint64_t next[N], k, n_out;
        lp_runs_box all = {1, 0, L, 0, L};
        int x, p;

        memset(sum, 0, sizeof sum);
        total = 0;
        for (i = 0; i < N; i++) {
            member[i] = &mask[i];
            weight[i] = i % 7;
            /* Most of the weight around one place, so that there is a majority. */
            if (mask[i].box.y0 < 10 && mask[i].box.x0 < 10) weight[i] = 1000;
            total += weight[i];
            for (k = 0; k < mask[i].n; k++)
                for (x = mask[i].run[k].x0; x < mask[i].run[k].x1; x++)
                    sum[mask[i].run[k].y * L + x] += weight[i];
        }
        n_out = lp_group_outline_ref(out, member, weight, N, 0.5, &all, row, next);
        memset(lb, 0, sizeof lb);
        for (k = 0; k < n_out; k++)
            for (x = out[k].x0; x < out[k].x1; x++) lb[out[k].y * L + x] = 1;
        for (p = x = 0; p < L * L; p++) {
            assert_int_equal(lb[p], 2 * sum[p] > total);
            x += (int)lb[p];
        }
        assert_true(x > 4);
    }
    for (i = 0; i < N; i++) lp_layers_free(&s[i]);
}

/* Half of the weight is no majority. */
static void half(void **state)
{
    static const lp_run run[2] = {{0, 0, 6}, {0, 4, 9}};
    lp_group_mask mask[2] = {{&run[0], 1, {6, 0, 1, 0, 6}}, {&run[1], 1, {5, 0, 1, 4, 9}}};
    const lp_group_mask *member[2] = {&mask[0], &mask[1]};
    int64_t weight[2] = {5, 5}, row[10];
    lp_runs_box box = {1, 0, 1, 0, 9};
    uint64_t next[2];
    lp_run out[2];

    (void)state;
    assert_int_equal(lp_group_outline_ref(out, member, weight, 2, 0.5, &box, row, next), 1);
    assert_true(out[0].y == 0 && out[0].x0 == 4 && out[0].x1 == 6);
    weight[1] = 6;
    assert_int_equal(lp_group_outline_ref(out, member, weight, 2, 0.5, &box, row, next), 1);
    assert_true(out[0].x0 == 4 && out[0].x1 == 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),   cmocka_unit_test(votes), cmocka_unit_test(tuned),
        cmocka_unit_test(groups), cmocka_unit_test(half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
