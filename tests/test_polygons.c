/* Polygons of label images: by hand, their properties on random ones, and the way through
 * files and back. */
#include "tmp_dir.h"

#include "host/polygons.h"
#include "host/read_outlines.h"
#include "host/write_geojson.h"
#include "host/write_outlines.h"

static int64_t area2(const lp_polygons *g, int64_t r)
{
    int64_t s = 0, i, from = g->start[r], to = g->start[r + 1];

    for (i = from; i < to; i++) {
        const int32_t *p = g->yx[i], *q = g->yx[i + 1 < to ? i + 1 : from];

        s += (int64_t)p[1] * q[0] - (int64_t)q[1] * p[0];
    }
    return s;
}

static void expect_ring(const lp_polygons *g, int64_t r, const int32_t (*yx)[2], int64_t n)
{
    int64_t i;

    assert_int_equal(g->start[r + 1] - g->start[r], n);
    for (i = 0; i < n; i++) {
        assert_int_equal(g->yx[g->start[r] + i][0], yx[i][0]);
        assert_int_equal(g->yx[g->start[r] + i][1], yx[i][1]);
    }
}

#define N(a) (int64_t)(sizeof(a) / sizeof((a)[0]))

static void by_hand(void **state)
{
    uint32_t d[5 * 6] = {
        1, 0, 2, 2, 2, 0, /* 1: two pieces that touch at a corner */
        0, 1, 2, 0, 2, 0, /* 2: a ring */
        0, 1, 2, 2, 2, 0, /* */
        0, 0, 0, 0, 0, 0, /* */
        7, 7, 7, 0, 0, 0, /* */
    };
    static const int32_t one[][2] = {{0, 0}, {0, 1}, {1, 1}, {1, 0}};
    static const int32_t two[][2] = {{1, 1}, {1, 2}, {3, 2}, {3, 1}};
    static const int32_t ring[][2] = {{0, 2}, {0, 5}, {3, 5}, {3, 2}};
    static const int32_t line[][2] = {{4, 0}, {4, 3}, {5, 3}, {5, 0}};
    lp_labels lb = {d, 5, 6};
    lp_polygons g;

    (void)state;
    assert_int_equal(lp_polygons_trace(&lb, &g, NULL), LP_OK);
    assert_int_equal(g.n, 4);
    assert_int_equal(g.n_rings, 5);
    assert_int_equal(g.polygon[0].label, 1);
    assert_int_equal(g.polygon[1].label, 1);
    assert_int_equal(g.polygon[2].label, 2);
    assert_int_equal(g.polygon[2].n_rings, 2);
    assert_int_equal(g.polygon[3].label, 7);
    expect_ring(&g, 0, one, N(one));
    expect_ring(&g, 1, two, N(two));
    expect_ring(&g, 2, ring, N(ring));
    assert_int_equal(area2(&g, 3), -2);
    assert_int_equal(g.start[4] - g.start[3], 4);
    expect_ring(&g, 4, line, N(line));
    lp_polygons_free(&g);
}

/* A hole that touches the outside at a corner: parted there, not a loop that meets itself. */
static void pinched(void **state)
{
    uint32_t d[4 * 4] = {
        3, 3, 3, 0, /* */
        3, 0, 3, 0, /* the hole and (2, 2) share the corner (2, 2) */
        3, 3, 0, 0, /* */
        0, 0, 0, 0, /* */
    };
    uint32_t e[4 * 4] = {
        0, 4, 4, 4, /* */
        4, 0, 0, 4, /* (1, 0) and (0, 1) touch at a corner and are joined the other way round */
        4, 0, 0, 4, /* */
        4, 4, 4, 4, /* */
    };
    lp_labels lb = {d, 4, 4};
    lp_polygons g;

    (void)state;
    assert_int_equal(lp_polygons_trace(&lb, &g, NULL), LP_OK);
    assert_int_equal(g.n, 1);
    assert_int_equal(g.n_rings, 2);
    assert_int_equal(area2(&g, 0), 16); /* with the hole */
    assert_int_equal(area2(&g, 1), -2);
    lp_polygons_free(&g);
    lb.data = e;
    assert_int_equal(lp_polygons_trace(&lb, &g, NULL), LP_OK);
    assert_int_equal(g.n, 1);
    assert_int_equal(g.n_rings, 2);
    assert_int_equal(area2(&g, 0), 30);
    assert_int_equal(area2(&g, 1), -8);
    lp_polygons_free(&g);
}

static uint32_t next(uint32_t *s)
{
    return *s = *s * 1664525u + 1013904223u;
}

/* Blocks of random labels, so that pieces, holes and corners of every kind appear. */
static void fill(lp_labels *lb, uint32_t seed, int n_labels, int block)
{
    int y, x;

    for (y = 0; y < lb->Ly; y++)
        for (x = 0; x < lb->Lx; x++) {
            uint32_t s =
                seed * 977u + (uint32_t)(y / block) * 7919u + (uint32_t)(x / block) * 104729u;
            uint32_t v;

            next(&s);
            v = (next(&s) >> 16) % (uint32_t)(n_labels + 1);
            lb->data[(size_t)y * lb->Lx + x] = v * 3; /* labels with gaps */
        }
}

static int by_yx(const void *a, const void *b)
{
    const int32_t *p = a, *q = b;

    if (p[0] != q[0]) return p[0] < q[0] ? -1 : 1;
    return (p[1] > q[1]) - (p[1] < q[1]);
}

/* Outer rings come first and are positive, holes negative; the areas are the label's; no ring
 * passes a corner twice, and it turns at every point. */
static void check_rings(const lp_labels *lb, const lp_polygons *g)
{
    int64_t area[64] = {0}, i, r;
    size_t k, n = (size_t)lb->Ly * lb->Lx;

    for (k = 0; k < n; k++) area[lb->data[k]]++;
    for (i = 0; i < g->n; i++)
        for (r = g->polygon[i].first; r < g->polygon[i].first + g->polygon[i].n_rings; r++) {
            int64_t m = g->start[r + 1] - g->start[r], a = area2(g, r), j;
            int32_t(*copy)[2] = malloc((size_t)m * sizeof *copy);

            assert_non_null(copy);
            assert_true(r == g->polygon[i].first ? a > 0 : a < 0);
            area[g->polygon[i].label] -= a / 2;
            memcpy(copy, g->yx + g->start[r], (size_t)m * sizeof *copy);
            for (j = 0; j < m; j++) {
                const int32_t *p = copy[j], *q = copy[(j + 1) % m], *s = copy[(j + 2) % m];

                assert_true((p[0] == q[0]) != (p[1] == q[1]));
                assert_true((p[0] == q[0]) == (q[1] == s[1]));
            }
            qsort(copy, (size_t)m, sizeof *copy, by_yx);
            for (j = 1; j < m; j++) assert_true(by_yx(copy[j - 1], copy[j]) < 0);
            free(copy);
        }
    for (k = 1; k < 64; k++) assert_int_equal(area[k], 0);
}

/* Written for QuPath or ImageJ and read back: the same pixels. */
static void through_file(const lp_labels *lb, const char *name)
{
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, name);
    lp_particle *p = NULL;
    lp_labels back;
    lp_err err;
    int64_t n = 0;
    size_t i;

    assert_int_equal(lp_measure_particles(lb, NULL, NULL, NULL, 0, 30, &p, &n, NULL), LP_OK);
    if (strstr(name, ".zip") ? lp_write_rois(path, lb, &err)
                             : lp_write_geojson(path, lb, p, n, 0.5, &err))
        fail_msg("%s", err.msg);
    if (lp_read_outlines(path, lb->Ly, lb->Lx, &back, &err)) fail_msg("%s", err.msg);
    for (i = 0; i < (size_t)lb->Ly * lb->Lx; i++) {
        /* Labels come back as positions. */
        uint32_t want = lb->data[i], got = back.data[i];

        assert_int_equal(got ? p[got - 1].id : 0, want);
    }
    lp_labels_free(&back);
    free(p);
    lp_tmp_remove(dir);
}

static void random_labels(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 40}, {40, 1}, {7, 13}, {64, 64}, {65, 63}};
    uint32_t seed;
    size_t k;

    (void)state;
    for (k = 0; k < sizeof size / sizeof *size; k++)
        for (seed = 1; seed <= 12; seed++) {
            lp_labels lb;
            lp_polygons g;

            assert_int_equal(lp_labels_new(&lb, size[k][0], size[k][1], NULL), LP_OK);
            fill(&lb, seed, 1 + (int)seed % 4, 1 + (int)seed / 7);
            assert_int_equal(lp_polygons_trace(&lb, &g, NULL), LP_OK);
            check_rings(&lb, &g);
            lp_polygons_free(&g);
            through_file(&lb, "x_outlines.geojson");
            through_file(&lb, "x_rois.zip");
            lp_labels_free(&lb);
        }
}

static void checkerboard(void **state)
{
    lp_labels lb;
    lp_polygons g;
    int y, x;

    (void)state;
    assert_int_equal(lp_labels_new(&lb, 300, 300, NULL), LP_OK);
    for (y = 0; y < 300; y++)
        for (x = 0; x < 300; x++) lb.data[y * 300 + x] = (uint32_t)(y + x) % 2 + 1;
    assert_int_equal(lp_polygons_trace(&lb, &g, NULL), LP_OK);
    assert_int_equal(g.n, 90000);
    assert_int_equal(g.n_rings, 90000);
    lp_polygons_free(&g);
    lp_labels_free(&lb);
}

static void geojson_text(void **state)
{
    uint32_t d[3 * 4] = {0, 9, 0, 0, 0, 9, 0, 9, 0, 0, 0, 0};
    lp_labels lb = {d, 3, 4};
    lp_particle p = {.id = 9,
                     .support = 2.5,
                     .n_diameters = 3,
                     .area = 3,
                     .diameter = 1.954,
                     .circularity = 1,
                     .mean_cellprob = NAN,
                     .flow_error = NAN};
    char *dir = lp_tmp_dir(), *s;
    const char *path = lp_tmp_path(dir, "x.geojson");

    (void)state;
    assert_int_equal(lp_write_geojson(path, &lb, &p, 1, 0, NULL), LP_OK);
    s = lp_tmp_read(path, NULL);
    assert_string_equal(
        s, "{\"type\":\"FeatureCollection\",\"features\":[\n"
           "{\"type\":\"Feature\",\"geometry\":{\"type\":\"MultiPolygon\",\"coordinates\":["
           "[[[1,0],[2,0],[2,2],[1,2],[1,0]]],[[[3,1],[4,1],[4,2],[3,2],[3,1]]]]},"
           "\"properties\":{\"objectType\":\"annotation\",\"name\":\"9\",\"measurements\":{"
           "\"support\":2.5,\"n_diameters\":3,\"area_px\":3,\"diameter_px\":1.954,"
           "\"circularity\":1}}}\n]}\n");
    free(s);
    memset(d, 0, sizeof d);
    assert_int_equal(lp_write_geojson(path, &lb, NULL, 0, 0, NULL), LP_OK);
    s = lp_tmp_read(path, NULL);
    assert_string_equal(s, "{\"type\":\"FeatureCollection\",\"features\":[\n]}\n");
    free(s);
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),       cmocka_unit_test(pinched),
        cmocka_unit_test(random_labels), cmocka_unit_test(checkerboard),
        cmocka_unit_test(geojson_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
