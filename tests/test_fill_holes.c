/* Holes: nested masks, the two behaviours, and what is not a hole. Also sizes, boxes
 * and numbers of labels. */
#include <omp.h>

#include "kernels/fill_holes.h"
#include "lp_scene.h"

/* Draws '.' as 0 and digits as labels; rows are separated by '/'. */
static uint32_t *draw(const char *s, int *Ly, int *Lx)
{
    uint32_t *labels = malloc(strlen(s) * sizeof *labels), *v = labels;
    const char *c;

    assert_non_null(labels);
    *Ly = 1;
    *Lx = (int)strcspn(s, "/");
    for (c = s; *c; c++) {
        if (*c == '/')
            ++*Ly;
        else
            *v++ = *c == '.' ? 0 : (uint32_t)(*c - '0');
    }
    return labels;
}

static void fill(uint32_t *labels, int Ly, int Lx, uint32_t n, int compat)
{
    lp_label_info *info = malloc((n + (size_t)1) * sizeof *info);
    size_t bytes;
    float *scratch;

    assert_non_null(info);
    lp_relabel_info_ref(info, n, labels, Ly, Lx);
    bytes = lp_fill_holes_scratch(info, n);
    scratch = lp_guard_new(bytes / sizeof(float) + 1);
    lp_fill_holes_ref(labels, info, n, Lx, compat, scratch);
    lp_guard_check(scratch, bytes / sizeof(float) + 1);
    lp_guard_free(scratch);
    free(info);
}

static void expect(const char *before, int compat, const char *after)
{
    int Ly, Lx;
    uint32_t *labels = draw(before, &Ly, &Lx), *want = draw(after, &Ly, &Lx);

    fill(labels, Ly, Lx, 9, compat);
    assert_memory_equal(labels, want, (size_t)Ly * Lx * sizeof *labels);
    free(labels);
    free(want);
}

static void by_hand(void **state)
{
    int k;

    (void)state;
    for (k = 0; k < 2; k++) {
        expect("1", k, "1");
        expect("111/1.1/111", k, "111/111/111");
        expect("111/1.1/1.1", k, "111/1.1/1.1"); /* open to the border */
        expect(".1./1.1/.1.", k, ".1./111/.1."); /* background is 4-connected */
        expect("1111/1..1/1.11/1111", k, "1111/1111/1111/1111");
        expect("11111/1...1/1.1.1/1...1/11111", k, "11111/11111/11111/11111/11111");
        expect("11111/1.111/1...1/111.1/111.1", k, "11111/1.111/1...1/111.1/111.1");
        expect("1.1/111/...", k, "1.1/111/...");
    }
    /* A mask in a hole: kept, or overwritten as in Cellpose. */
    expect("11111/1...1/1.2.1/1...1/11111", 0, "11111/11111/11211/11111/11111");
    expect("11111/1...1/1.2.1/1...1/11111", 1, "11111/11111/11111/11111/11111");
    /* Nested holes, whichever number the outer mask has. */
    expect("1111111/1.....1/1.222.1/1.2.2.1/1.222.1/1.....1/1111111", 0,
           "1111111/1111111/1122211/1122211/1122211/1111111/1111111");
    expect("2222222/2.....2/2.111.2/2.1.1.2/2.111.2/2.....2/2222222", 0,
           "2222222/2222222/2211122/2211122/2211122/2222222/2222222");
    /* A hole of 1 that leads to the border of the box of 1 only through 2. */
    expect("1111/1..1/12.1/1211", 0, "1111/1..1/12.1/1211");
}

/* The definition, by brute force: a pixel is filled if no 4-path through foreign pixels
 * leads from it to the border of the box. */
static void slow_fill(uint32_t *labels, const lp_label_info *f, uint32_t l, int Lx)
{
    int h = f->y1 - f->y0, w = f->x1 - f->x0, y, x, changed = 1;
    uint8_t *out = calloc((size_t)h * w + 1, 1);

    assert_non_null(out);
    while (changed) {
        changed = 0;
        for (y = 0; y < h; y++)
            for (x = 0; x < w; x++) {
                uint8_t *o = out + y * w + x;

                if (*o || labels[(f->y0 + y) * Lx + f->x0 + x] == l) continue;
                if (y == 0 || x == 0 || y == h - 1 || x == w - 1 || o[-w] || o[w] || o[-1] || o[1])
                    *o = 1, changed = 1;
            }
    }
    for (y = 0; y < h; y++)
        for (x = 0; x < w; x++) {
            uint32_t *v = labels + (f->y0 + y) * Lx + f->x0 + x;

            if (!out[y * w + x] && *v == 0) *v = l;
        }
    free(out);
}

static void random_masks(void **state)
{
    uint64_t seed = 11;
    int round, before = omp_get_max_threads();

    (void)state;
    for (round = 0; round < 300; round++) {
        enum { Ly = 19, Lx = 23 };
        uint32_t a[Ly * Lx], b[Ly * Lx], n = 1 + lp_rand(&seed) % 3, l;
        uint32_t fraction = 1 + lp_rand(&seed) % 4;
        lp_label_info info[4];
        int i;

        omp_set_num_threads(1 + round % 8);
        for (i = 0; i < Ly * Lx; i++)
            a[i] = lp_rand(&seed) % 5 < fraction ? 1 + lp_rand(&seed) % n : 0;
        memcpy(b, a, sizeof a);
        fill(a, Ly, Lx, n, 0);
        lp_relabel_info_ref(info, n, b, Ly, Lx);
        /* Boxes by area, then label; three at most. */
        for (i = 0; i < 3; i++) {
            uint32_t best = 0;

            for (l = 1; l <= n; l++) {
                int64_t s = (int64_t)(info[l].y1 - info[l].y0) * (info[l].x1 - info[l].x0);
                int64_t t =
                    (int64_t)(info[best].y1 - info[best].y0) * (info[best].x1 - info[best].x0);

                if (info[l].count && (!best || s < t)) best = l;
            }
            if (!best) break;
            slow_fill(b, info + best, best, Lx);
            info[best].count = 0;
        }
        assert_memory_equal(a, b, sizeof a);
    }
    omp_set_num_threads(before);
}

static void relabel(void **state)
{
    uint32_t labels[] = {0, 5, 5, 2, 0, 5, 3, 3, 3}, map[] = {0, 1, 1, 0, 1, 1};
    static const uint32_t want[] = {0, 1, 1, 2, 0, 1, 0, 0, 0};
    lp_label_info info[6];
    uint64_t scratch[5];

    (void)state;
    lp_relabel_info_ref(info, 5, labels, 3, 3);
    assert_int_equal(info[1].count, 0);
    assert_int_equal(info[1].first, UINT32_MAX);
    assert_int_equal(info[5].count, 3);
    assert_int_equal(info[5].first, 1);
    assert_int_equal(info[5].y0, 0);
    assert_int_equal(info[5].y1, 2);
    assert_int_equal(info[5].x0, 1);
    assert_int_equal(info[5].x1, 3);
    assert_int_equal(lp_relabel_order_ref(map, 5, info, scratch), 2);
    assert_int_equal(map[5], 1);
    assert_int_equal(map[2], 2);
    assert_int_equal(map[1] + map[3] + map[4], 0);
    lp_relabel_apply_ref(labels, map, 3, 3);
    assert_memory_equal(labels, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(random_masks),
        cmocka_unit_test(relabel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
