/* Synthetic micrographs as data: the same bytes for a seed, labels that agree with the list, places
 * that keep their rules, options that are checked, files. What they look like: test_synth_optics.c.
 */
#include "synth_picture.h"
#include "tmp_dir.h"

#include <omp.h>
#include <sys/stat.h>

#include "host/synth_draw.h"
#include "host/synth_files.h"
#include "host/synth_scene.h"
#include "host/write_masks.h"

#define PI 3.14159265358979323846
#define PINNED 0xb7b726af3155c25ull

static void seed_fixes_every_byte(void **state)
{
    lp_synth_options o;
    picture a, b;
    int threads = omp_get_max_threads();

    (void)state;
    small(&o);
    omp_set_num_threads(1);
    a = render(&o, 11);
    omp_set_num_threads(3);
    b = render(&o, 11);
    assert_true(same(&a, &b));
    done(&b);
    omp_set_num_threads(threads);
    b = render(&o, 12);
    assert_false(same(&a, &b));
    assert_memory_not_equal(a.im.data, b.im.data, 4096);
    done(&a);
    done(&b);
    assert_true(lp_synth_seed(1, 2) != lp_synth_seed(2, 1));
    assert_true(lp_synth_seed(1, 2) != lp_synth_seed(1, 3));
    assert_true(lp_synth_seed(1, 2) == lp_synth_seed(1, 2));
}

/* FNV-1a of a picture made once: a change of any bit on any machine or compiler shows.
 * Change the numbers only together with the generator. */
static void bytes_are_pinned(void **state)
{
    lp_synth_options o;
    picture p;
    uint64_t h = 14695981039346656037ull;
    size_t i;

    (void)state;
    small(&o);
    p = render(&o, 2023);
    for (i = 0; i < (size_t)p.im.Ly * p.im.Lx; i++) {
        h = (h ^ (uint32_t)p.im.data[i]) * 1099511628211ull;
        h = (h ^ p.lb.data[i]) * 1099511628211ull;
    }
    if (h != PINNED) fail_msg("hash is 0x%llx", (unsigned long long)h);
    done(&p);
}

static void labels_agree_with_the_list(void **state)
{
    lp_synth_options o;
    picture p;
    int64_t *area;
    int i, y, x, isolated = 0, cut = 0, kinds = 0;
    double lo = 1e9, hi = 0;

    (void)state;
    lp_synth_defaults(&o);
    o.blebs = 0.5;
    p = render(&o, 5);
    assert_in_range(p.n, 30, 80);
    area = calloc((size_t)p.n + 1, sizeof *area);
    for (i = 0; i < 1024 * 1024; i++) {
        if (p.lb.data[i] > (uint32_t)p.n) fail_msg("label %u of %d", p.lb.data[i], p.n);
        area[p.lb.data[i]]++;
    }
    for (i = 0; i < p.n; i++) {
        const lp_synth_particle *q = p.list + i;
        double disc = PI * q->diameter * q->diameter / 4;

        assert_int_equal(q->id, i + 1);
        assert_int_equal(q->area, area[i + 1]);
        assert_true(q->area >= LP_SYNTH_MIN_AREA && q->visible > 0.0 && q->visible <= 1.0);
        LP_ASSERT_CLOSE(q->visible * disc, (double)q->area, 1e-6, 1e-9);
        kinds |= 1 << q->kind;
        if (q->diameter < lo) lo = q->diameter;
        if (q->diameter > hi) hi = q->diameter;
        if (q->visible < 1.0) {
            cut++;
            continue;
        }
        isolated++;
        y = (int)floor(q->y + 0.5);
        x = (int)floor(q->x + 0.5);
        assert_int_equal(p.lb.data[y * 1024 + x], q->id);
    }
    assert_true(isolated > 10 && cut > 5 && kinds == 7);
    /* 25 to 150 px; 4 %: the bleb's size comes from a coarse grid, small discs are pixels */
    assert_true(lo > 25 * 0.96 && hi < 150 * 1.04);
    LP_ASSERT_CLOSE(p.im.pixel_nm, 0.8, 0, 0);
    free(area);
    done(&p);
}

static void round_particles_are_discs(void **state)
{
    lp_synth_options o;
    picture p;
    int i, y, x, seen = 0;

    (void)state;
    lp_synth_easy(&o);
    o.Ly = o.Lx = 512;
    o.irregular = 0.0;
    o.blebs = 0.0;
    o.diameter_min = o.diameter_max = 40.0; /* 50 px */
    p = render(&o, 1);
    for (i = 0; i < p.n; i++) {
        const lp_synth_particle *q = p.list + i;

        if (q->touches_edge) continue;
        seen++;
        assert_true(q->visible == 1.0); /* nothing overlaps in easy pictures */
        LP_ASSERT_CLOSE(q->diameter, 50.0, 0.25, 0);
        for (y = (int)q->y - 30; y <= q->y + 30; y++)
            for (x = (int)q->x - 30; x <= q->x + 30; x++) {
                double r = hypot(y - q->y, x - q->x);

                if (y < 0 || x < 0 || y >= 512 || x >= 512) continue;
                if (r < 24.0) assert_int_equal(p.lb.data[y * 512 + x], q->id);
                if (r > 26.0) assert_int_not_equal(p.lb.data[y * 512 + x], q->id);
            }
    }
    assert_true(seen >= 5);
    done(&p);
}

/* Relative distance to particle q: below 1 inside. */
static double relative(const lp_synth_particle *q, int y, int x)
{
    return hypot(y - q->y, x - q->x) / (q->diameter / 2);
}

static void overlaps_are_split_by_relative_distance(void **state)
{
    lp_synth_options o;
    picture p;
    int i, y, x, contested = 0;

    (void)state;
    lp_synth_defaults(&o);
    o.Ly = o.Lx = 400;
    o.irregular = o.blebs = 0.0;
    o.crowding = 1.0;
    o.density = 0.4;
    p = render(&o, 2);
    for (y = 0; y < 400; y++)
        for (x = 0; x < 400; x++) {
            uint32_t id = p.lb.data[y * 400 + x];
            double mine, best = 1.0;

            if (!id) continue;
            mine = relative(p.list + id - 1, y, x);
            for (i = 0; i < p.n; i++) {
                double u = relative(p.list + i, y, x);

                if (i + 1 == (int)id || u >= 0.95) continue;
                contested++;
                if (u < best) best = u;
            }
            /* 0.05: centre and diameter in the list are those of pixels */
            if (!(mine < best + 0.05)) fail_msg("pixel %d, %d has label %u", y, x, id);
        }
    assert_true(contested > 500);
    done(&p);
}

static void placement_keeps_its_rules(void **state)
{
    lp_synth_options o;
    lp_synth_shape *s;
    int n, i, j, overlaps = 0;
    double area = 0;

    (void)state;
    lp_synth_defaults(&o);
    o.Ly = o.Lx = 2048;
    assert_int_equal(lp_synth_place(&o, 4, &s, &n, NULL), LP_OK);
    for (i = 0; i < n; i++) {
        area += PI * s[i].req * s[i].req;
        for (j = 0; j < i; j++) {
            double d = hypot(s[i].y - s[j].y, s[i].x - s[j].x);
            double small_r = s[i].req < s[j].req ? s[i].req : s[j].req;

            assert_true(d >= s[i].req + s[j].req - 0.6001 * small_r);
            if (d < s[i].req + s[j].req) overlaps++;
        }
    }
    LP_ASSERT_CLOSE(area / (2198.0 * 2198.0), o.density, 0.01, 0);
    assert_true(overlaps > n / 8);
    free(s);
    o.crowding = 0.0;
    assert_int_equal(lp_synth_place(&o, 4, &s, &n, NULL), LP_OK);
    for (i = 0; i < n; i++)
        for (j = 0; j < i; j++)
            assert_true(hypot(s[i].y - s[j].y, s[i].x - s[j].x) >= s[i].extent + s[j].extent);
    free(s);
    o.density = 0.6; /* more than fits: fewer, but it ends */
    o.Ly = o.Lx = 300;
    assert_int_equal(lp_synth_place(&o, 4, &s, &n, NULL), LP_OK);
    free(s);
    o.density = 0.0;
    assert_int_equal(lp_synth_place(&o, 4, &s, &n, NULL), LP_OK);
    assert_int_equal(n, 0);
    free(s);
}

static void options_are_checked(void **state)
{
    static const char *bad[][2] = {
        {"size", "0"},          {"size", "12x"},      {"size", "100x200x3"}, {"size", "1e9"},
        {"size", ""},           {"size", "100.5"},    {"size", "0x40"},      {"size", "64x0x40"},
        {"dose", "0x1"},        {"pixel_nm", "0"},    {"pixel_nm", "-1"},    {"dose", "nan"},
        {"dose", "inf"},        {"dose", "12k"},      {"dose", ""},          {"density", "0.9"},
        {"shells", "1.1"},      {"defocus", "1:2:3"}, {"defocus", "x"},      {"contamination", "6"},
        {"amp_contrast", "-1"}, {"voltage_kv", "0"},  {"defocus", "2:"},
    };
    lp_synth_options o, before;
    lp_err err;
    size_t k;

    (void)state;
    lp_synth_defaults(&o);
    assert_int_equal(lp_synth_check(&o, &err), LP_OK);
    before = o;
    for (k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        err.msg[0] = 0;
        if (lp_synth_set(&o, bad[k][0], bad[k][1], &err) != LP_EARG)
            fail_msg("--%s %s was accepted", bad[k][0], bad[k][1]);
        assert_non_null(strstr(err.msg, bad[k][0]));
        assert_memory_equal(&o, &before, sizeof o);
    }
    assert_int_equal(lp_synth_set(&o, "nonsense", "1", &err), LP_EMISSING);
    assert_int_equal(lp_synth_set(&o, "size", "512x768", &err), LP_OK);
    assert_true(o.Ly == 512 && o.Lx == 768);
    assert_int_equal(lp_synth_set(&o, "size", "640", &err), LP_OK);
    assert_true(o.Ly == 640 && o.Lx == 640);
    assert_int_equal(lp_synth_set(&o, "defocus", "1.5", &err), LP_OK);
    assert_true(o.defocus_min == 1.5 && o.defocus_max == 1.5);
    assert_int_equal(lp_synth_set(&o, "defocus", "1:4", &err), LP_OK);
    assert_true(o.defocus_min == 1.0 && o.defocus_max == 4.0);
    assert_int_equal(lp_synth_set(&o, "diameter-max", "90", &err), LP_OK);
    assert_true(o.diameter_max == 90.0);
    assert_int_equal(lp_synth_check(&o, &err), LP_OK);
    o.diameter_min = 91;
    assert_int_equal(lp_synth_check(&o, &err), LP_EARG);
    o.diameter_min = 1; /* 1.25 px */
    assert_int_equal(lp_synth_check(&o, &err), LP_EARG);
    lp_synth_defaults(&o);
    o.Ly = o.Lx = 131072;
    assert_int_equal(lp_synth_check(&o, &err), LP_EARG);
    lp_synth_defaults(&o);
    o.dose = NAN;
    assert_int_equal(lp_synth_check(&o, &err), LP_EARG);
    assert_int_equal(lp_synth_render(&o, 1, NULL, NULL, NULL, NULL, &err), LP_EARG);
}

static void odd_sizes(void **state)
{
    static const int sizes[][2] = {{16, 16}, {16, 700}, {513, 17}};
    size_t k;

    (void)state;
    for (k = 0; k < 3; k++) {
        lp_synth_options o;
        picture p;
        int i;

        lp_synth_defaults(&o);
        o.contamination = 5.0;
        o.defocus_min = -20.0;
        o.defocus_max = 20.0;
        o.Ly = sizes[k][0];
        o.Lx = sizes[k][1];
        p = render(&o, k);
        for (i = 0; i < o.Ly * o.Lx; i++)
            assert_true(p.im.data[i] >= 0.0f && isfinite(p.im.data[i]));
        done(&p);
    }
}

static void files_are_written_and_named(void **state)
{
    char *root = lp_tmp_dir(), dir[1200], path[1300], line[256];
    lp_synth_options o;
    lp_synth_paths names;
    lp_image im;
    struct stat sb;
    picture p;
    FILE *f;
    lp_err err;
    int rows = 0;

    (void)state;
    snprintf(dir, sizeof dir, "%s/a/b", root);
    assert_int_equal(lp_synth_make_dirs(dir, &err), LP_OK);
    assert_int_equal(lp_synth_make_dirs(dir, &err), LP_OK); /* again */
    assert_int_equal(lp_synth_paths_new(&names, dir, 7, LP_SYNTH_TIFF, &err), LP_OK);
    assert_non_null(strstr(names.image, "/a/b/synth_0007.tif"));
    assert_non_null(strstr(names.labels, "/a/b/labels/synth_0007_masks.tif"));
    small(&o);
    p = render(&o, 1);
    assert_int_equal(lp_synth_write_tiff(names.image, &p.im, &err), LP_OK);
    assert_int_equal(lp_write_masks(names.labels, &p.lb, 0.8, &err), LP_OK);
    assert_int_equal(lp_synth_write_truth(names.truth, p.list, p.n, 0.8, &err), LP_OK);
    assert_int_equal(stat(names.image, &sb), 0);
    assert_true(sb.st_size > 225 * 301 * 2 && sb.st_size < 225 * 301 * 2 + 2000); /* 16 bits */
    f = fopen(names.truth, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) rows++;
    fclose(f);
    assert_int_equal(rows, p.n + 1);
    /* Above 16 bits: float32. */
    im = p.im;
    im.data[0] = 70000.0f;
    assert_int_equal(lp_synth_write_tiff(names.image, &im, &err), LP_OK);
    assert_int_equal(stat(names.image, &sb), 0);
    assert_true(sb.st_size > 225 * 301 * 4);
    unlink(names.image);
    unlink(names.labels);
    unlink(names.truth);
    /* A folder's name taken by a file; a folder that is not there. */
    snprintf(path, sizeof path, "%s/file", dir);
    fclose(fopen(path, "w"));
    assert_int_equal(lp_synth_make_dirs(path, &err), LP_EIO);
    assert_non_null(strstr(err.msg, path));
    unlink(path);
    snprintf(path, sizeof path, "%s/none/x.tif", dir);
    assert_int_equal(lp_synth_write_tiff(path, &p.im, &err), LP_EIO);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(lp_synth_write_truth(path, p.list, p.n, 0.8, &err), LP_EIO);
    snprintf(path, sizeof path, "%s/labels", dir);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing was left behind */
    snprintf(path, sizeof path, "%s/a", root);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(root), 0);
    free(root);
    lp_synth_paths_free(&names);
    done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_fixes_every_byte),
        cmocka_unit_test(bytes_are_pinned),
        cmocka_unit_test(labels_agree_with_the_list),
        cmocka_unit_test(round_particles_are_discs),
        cmocka_unit_test(overlaps_are_split_by_relative_distance),
        cmocka_unit_test(placement_keeps_its_rules),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(files_are_written_and_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
