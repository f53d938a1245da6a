/* Whole merges on the device against those on the CPU: the same bytes. */
#include <cuda_runtime_api.h>
#include <omp.h>

#include "../merge_scene.h"
#include "host_mem.h"
#include "merge_random.h"
#include "simt_test.h"

#include "host/card_mem_cuda.h"
#include "host/merge_cuda.h"

static void same_double(double a, double b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

static void same_merge_on(lp_device_mem *mem, const lp_layers *s, const lp_merge_options *o)
{
    size_t n_px = (size_t)s->Ly * s->Lx, p;
    float *image = malloc(n_px * sizeof *image);
    lp_particle_table t = {.image = image};
    lp_merged want = {0}, got = {0};
    lp_err err;
    uint32_t l;

    assert_non_null(image);

    if (lp_merge(s, o, &want, &err)) fail_msg("%s", err.msg);
    for (p = 0; p < n_px; p++) image[p] = (float)(p * 2654435761u % 1009) - 300;
    if (lp_merge_on(&lp_merge_stages_cuda, mem, s, o, &t, &got, &err)) fail_msg("%s", err.msg);
    {
        lp_labels lb = {want.masks, s->Ly, s->Lx};
        lp_particle *table;
        int64_t n;

        assert_int_equal(lp_measure_particles(&lb, image, NULL, NULL, 0, NAN, &table, &n, &err),
                         LP_OK);
        assert_true(t.n == n && n == want.n);
        assert_memory_equal(t.particle, table, (size_t)n * sizeof *table);
        free(table);
    }
    free(t.particle);
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.masks, want.masks, (size_t)s->Ly * s->Lx * sizeof *got.masks);
    same_double(got.support_max, want.support_max);
    for (l = 0; l < got.n; l++) {
        const lp_merged_particle *a = &got.particle[l], *q = &want.particle[l];

        same_double(a->support, q->support);
        assert_int_equal(a->n_diameters, q->n_diameters);
        same_double(a->diameter_min, q->diameter_min);
        same_double(a->diameter_max, q->diameter_max);
        same_double(a->level, q->level);
        same_double(a->flow_error, q->flow_error);
        same_double(a->cellprob, q->cellprob);
        same_double(a->agreement, q->agreement);
        same_double(a->company, q->company);
    }
    free(image);
    lp_merged_free(&want);
    lp_merged_free(&got);
}

static void same_merge(const lp_layers *s, const lp_merge_options *o)
{
    host_mem_state held = {0};
    lp_device_mem mem = host_mem(&held);

    same_merge_on(&mem, s, o);
    assert_true(held.held == 0 && held.bytes == 0);
}

static void random_scenes(void **state)
{
    static const int sizes[][4] = {/* Ly, Lx, discs, largest radius */
                                   {1, 1, 1, 1},     {1, 40, 4, 9},     {7, 13, 5, 6},
                                   {50, 61, 30, 10}, {33, 130, 12, 40}, {9, 400, 5, 200},
                                   {90, 140, 60, 9}};
    size_t k;
    int method;

    (void)state;
    for (k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int *z = sizes[k];
        lp_layers *s = random_layers(11 + k, z[0], z[1], 6, z[2], z[3]);

        for (method = 0; method < 3; method++) {
            lp_merge_options o = options((lp_merge_method)method, 0);

            o.flow_weight = 0.5;
            o.min_size = method == 1 ? 15 : 0;
            SIMT_SEEDS(seed)
            {
                if (seed && k > 4) continue;
                same_merge(s, &o);
            }
        }
        lp_layers_free(&s);
    }
}

/* Much overlaps where little is enough; where all must agree, hardly anything does. */
static void other_options(void **state)
{
    static const double iou[] = {0.01, 0.2, 0.9, 1}, share[] = {0, 0.25, 0.75, 0.99};
    lp_layers *s = random_layers(5, 40, 50, 12, 16, 14);
    int k;

    (void)state;
    for (k = 0; k < 4; k++) {
        lp_merge_options o = options(LP_MERGE_SCALE, k == 2 ? 5 : 0);

        o.iou = iou[k];
        o.outline = share[k];
        o.sigma = k & 1 ? 1 : 0.25;
        same_merge(s, &o);
    }
    lp_layers_free(&s);
}

/* Rows of particles, each of which overlaps the next by more than half: long chains of decisions.
 */
static void chains(void **state)
{
    static uint32_t lb[NPX];
    lp_layers *s = layers_new();
    lp_merge_options o = options(LP_MERGE_SCALE, 0);
    int i, k, p;

    (void)state;
    o.iou = 0.3;
    for (i = 0; i < 24; i++) {
        int n = 0;

        memset(lb, 0, sizeof lb);
        for (k = 0; k < 2; k++, n++)
            for (p = 0; p < 20 * 20; p++) {
                int x = 2 * i + 30 * k + p % 20 + (i * 7 + k) % 3;

                if (x < LX) lb[(10 + 30 * k + p / 20) * LX + x] = (uint32_t)n + 1;
            }
        add(s, 22.5 + 0.01 * i, lb, (uint32_t)n);
    }
    same_merge(s, &o);
    o.iou = 0.9; /* each a group of its own: the chain is one of acceptance */
    same_merge(s, &o);
    lp_layers_free(&s);
}

/* Which of two seeds a mask joins, where there is hardly a difference: masks are runs of one row,
 * three to a row. The third overlaps the first with 45002 / 90003 and the second with 45001 /
 * 90001, which is 1.2e-10 more; or both alike. */
static void close_calls(void **state)
{
    enum { ROWS = 6, N = 3 * ROWS, LX_LONG = 120000 };
    static uint32_t masks[ROWS * LX_LONG];
    int alike;

    (void)state;
    for (alike = 0; alike < 2; alike++) {
        lp_group_mask mask[N];
        lp_layers *s = NULL;
        size_t bytes;
        uint32_t want[N], got[N], n, i;
        void *scratch;
        lp_run run[N];

        assert_int_equal(lp_layers_new(ROWS, LX_LONG, &s, NULL), LP_OK);
        for (i = 0; i < N; i++) {
            const lp_run kind[3] = {
                {0, 54998 + alike, 110003 - 2 * alike}, {0, 9999, 65001}, {0, 20000, 100000}};
            int y = (int)(i % ROWS);
            lp_runs_box box;

            run[i] = kind[i / ROWS];
            run[i].y = y;
            box = (lp_runs_box){run[i].x1 - run[i].x0, y, y + 1, run[i].x0, run[i].x1};
            mask[i] = (lp_group_mask){&run[i], 1, box};
        }
        bytes = lp_group_assign_scratch(mask, N, ROWS, LX_LONG);
        scratch = malloc(bytes);
        assert_int_equal(lp_group_assign_ref(want, mask, N, 0.3, ROWS, LX_LONG, scratch), 2 * ROWS);
        assert_int_equal(want[2 * ROWS], alike ? 0 : ROWS);
        free(scratch);
        SIMT_SEEDS(seed)
        {
            host_mem_state held = {0};
            lp_device_mem mem = host_mem(&held);
            lp_merge_work *w = NULL;

            assert_int_equal(lp_merge_stages_cuda.open(&mem, s, masks, &w, NULL), LP_OK);
            assert_int_equal(lp_merge_stages_cuda.group(w, mask, N, 0.3, got, &n, NULL), LP_OK);
            assert_int_equal(n, 2 * ROWS);
            assert_memory_equal(got, want, sizeof want);
            lp_merge_stages_cuda.close(&w);
        }
        lp_layers_free(&s);
    }
}

/* The card's own memory and copies, on the executor's runtime. */
static void on_a_card(void **state)
{
    lp_layers *s = random_layers(21, 40, 50, 5, 20, 9);
    lp_card_queue q = {0};
    lp_device_mem mem;
    cudaStream_t stream;
    int method;

    (void)state;
    assert_int_equal(lp_card_open(0, 0, &q.card, NULL), LP_OK);
    assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), 0);
    q.stream = stream;
    assert_int_equal(lp_stage_new(q.card, stream, &q.stage, NULL), LP_OK);
    mem = lp_card_mem(&q);
    for (method = 0; method < 3; method++) {
        lp_merge_options o = options((lp_merge_method)method, 0);

        same_merge_on(&mem, s, &o);
        assert_int_equal(q.card->used, 0);
    }
    lp_stage_free(&q.stage);
    cudaStreamDestroy(stream);
    lp_card_close(&q.card);
    lp_layers_free(&s);
}

static void nothing(void **state)
{
    (void)state;
    scenes_of_nothing(same_merge);
}

/* Whichever allocation fails, it is said, and nothing is kept. */
static void no_room(void **state)
{
    lp_layers *s = random_layers(3, 12, 13, 3, 5, 6);
    int method, k;

    (void)state;
    for (method = 0; method < 3; method++)
        for (k = 1;; k++) {
            lp_merge_options o = options((lp_merge_method)method, 0);
            host_mem_state held = {.fail_at = k};
            lp_device_mem mem = host_mem(&held);
            lp_particle_table t = {0};
            lp_merged got = {0};
            lp_err err;
            lp_status st = lp_merge_on(&lp_merge_stages_cuda, &mem, s, &o, &t, &got, &err);

            assert_true(held.held == 0 && held.bytes == 0);
            if (!st) {
                assert_true(held.fail_at > 0 && k > 8);
                lp_merged_free(&got);
                free(t.particle);
                break;
            }
            assert_int_equal(st, LP_ENOMEM);
            assert_true(!got.masks && !t.particle);
        }
    lp_layers_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_scenes), cmocka_unit_test(other_options), cmocka_unit_test(chains),
        cmocka_unit_test(close_calls),   cmocka_unit_test(on_a_card),     cmocka_unit_test(nothing),
        cmocka_unit_test(no_room)};

    omp_set_num_threads(1); /* of the plain versions: waiting threads would cost more */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
