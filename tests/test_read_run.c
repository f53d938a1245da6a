/* Saved runs: what is written is read; damage and other versions are said. */
#include "tmp_dir.h"

#include <hdf5.h>
#include <unistd.h>

#include "host/merge.h"
#include "host/read_run.h"
#include "host/run_bytes.h"
#include "host/write_run.h"

enum { LY = 90, LX = 110 };

static lp_layers *some_layers(int n)
{
    static uint32_t lb[LY * LX];
    lp_layers *s = NULL;
    int i, k, p;

    assert_int_equal(lp_layers_new(LY, LX, &s, NULL), LP_OK);
    for (i = 0; i < n; i++) {
        float error[4] = {0.1f * (float)i, NAN, 0.3f, 0};

        memset(lb, 0, sizeof lb);
        for (k = 0; k < 4; k++) /* label 3 has no pixels; 4 has runs apart in a row */
            for (p = 0; p < LY * LX && k != 2; p++) {
                int y = p / LX - 20 * k - 14, x = p % LX - 20 * k - 14, d = y * y + x * x;

                if (d < (8 + i) * (8 + i) && (k < 3 || d > 9)) lb[p] = (uint32_t)k + 1;
            }
        if (i == 1) memset(lb, 0, sizeof lb); /* a diameter that found nothing */
        assert_int_equal(lp_layers_add(s, 16 + 2 * i, lb, i == 1 ? 0 : 4, error, NULL, NULL),
                         LP_OK);
    }
    return s;
}

static void save(const char *path, const lp_layers *s)
{
    static uint32_t masks[LY * LX];
    lp_labels lb = {masks, LY, LX};
    lp_run_file f = {.image = "x.mrc",
                     .model = "m.h5",
                     .page = 3,
                     .min_size = 12,
                     .model_sha256 = "12ab",
                     .flow_threshold = 0.6,
                     .cellprob_threshold = -1,
                     .pixel_nm = 0.25,
                     .masks = &lb,
                     .candidates = s};
    lp_err err;

    if (lp_write_run(path, &f, &err)) fail_msg("%s", err.msg);
}

/* NaN is the same as NaN. */
static void same_floats(const float *a, const float *b, size_t n)
{
    assert_memory_equal(a, b, n * sizeof *a);
}

static void round_trip(void **state)
{
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x_lipopose.h5");
    int n, i;

    (void)state;
    for (n = 1; n < 6; n++) {
        lp_layers *s = some_layers(n);
        lp_saved_run r = {0};
        lp_err err;

        save(path, s);
        if (lp_read_run(path, &r, &err)) fail_msg("%s", err.msg);
        assert_string_equal(r.image, "x.mrc");
        assert_string_equal(r.model, "m.h5");
        assert_string_equal(r.model_sha256, "12ab");
        assert_true(r.flow_threshold == 0.6 && r.cellprob_threshold == -1);
        assert_true(r.page == 3 && r.min_size == 12 && r.pixel_nm == 0.25);
        assert_true(r.layers->Ly == LY && r.layers->Lx == LX && r.layers->n == n);
        for (i = 0; i < n; i++) {
            const lp_layer *a = &s->layer[i], *b = &r.layers->layer[i];

            assert_true(a->diameter == b->diameter && a->masks.n == b->masks.n);
            assert_memory_equal(a->masks.first, b->masks.first, (a->masks.n + 1) * 8);
            assert_memory_equal(a->masks.run, b->masks.run,
                                a->masks.first[a->masks.n] * sizeof(lp_run));
            same_floats(a->flow_error, b->flow_error, a->masks.n);
            same_floats(a->cellprob, b->cellprob, a->masks.n);
        }
        lp_saved_run_free(&r);
        assert_null(r.layers);
        lp_layers_free(&s);
    }
    lp_tmp_remove(dir);
}

static void set_version(const char *path, int v)
{
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), a = H5Aopen(f, "version", H5P_DEFAULT);

    assert_true(H5Awrite(a, H5T_NATIVE_INT, &v) >= 0);
    H5Aclose(a);
    H5Fclose(f);
}

static void refused(const char *path, lp_status want, const char *text)
{
    lp_saved_run r = {0};
    lp_err err;

    assert_int_equal(lp_read_run(path, &r, &err), want);
    assert_null(r.layers);
    assert_non_null(strstr(err.msg, path));
    if (!strstr(err.msg, text)) fail_msg("%s lacks %s", err.msg, text);
    assert_null(strchr(err.msg, '\n'));
}

static void other_files(void **state)
{
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x_lipopose.h5");
    lp_layers *s = some_layers(3);
    hid_t f;
    FILE *out;

    (void)state;
    refused(path, LP_EIO, "No such file");
    save(path, s);
    set_version(path, 2);
    refused(path, LP_EFORMAT, "another version");
    save(path, NULL);
    refused(path, LP_EFORMAT, "--diameters");
    save(path, s);
    f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(f, "candidates/size", H5P_DEFAULT);
    H5Fclose(f);
    refused(path, LP_EFORMAT, "candidates/size");
    refused(path, LP_EFORMAT, "segment the micrograph again");
    assert_non_null(out = fopen(path, "wb"));
    fputs("hello, no HDF5 here", out);
    fclose(out);
    refused(path, LP_EFORMAT, "");
    lp_layers_free(&s);
    lp_tmp_remove(dir);
}

/* A file cut short says what to do, wherever it ends. */
static void truncated(void **state)
{
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x_lipopose.h5");
    lp_layers *s = some_layers(3);
    long n, cut;
    FILE *f;

    (void)state;
    save(path, s);
    assert_non_null(f = fopen(path, "rb"));
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    n = ftell(f);
    fclose(f);
    for (cut = n - 1; cut >= 8; cut -= n / 9) {
        assert_int_equal(truncate(path, cut), 0);
        refused(path, LP_EFORMAT, "segment the micrograph again");
    }
    lp_layers_free(&s);
    lp_tmp_remove(dir);
}

/* One byte changed or cut off: the same masks, others that lie in the image, or an error. */
static void damaged_bytes(void **state)
{
    lp_layers *s = some_layers(1);
    unsigned char *p = NULL;
    size_t n, i;
    int failed = 0;

    (void)state;
    assert_int_equal(lp_run_bytes_encode(&s->layer[0].masks, &p, &n, NULL), LP_OK);
    for (i = 0; i < 3 * n; i++) {
        size_t at = i % n, k;
        unsigned char old = p[at], *copy = malloc(i < n ? at + 1 : n);
        lp_runs r = {0};
        lp_err err;

        assert_non_null(copy);
        p[at] = i < n ? old : i < 2 * n ? (unsigned char)(old ^ 1) : (unsigned char)(old | 0xf8);
        memcpy(copy, p, i < n ? at : n);
        if (lp_run_bytes_decode(copy, i < n ? at : n, 4, LY, LX, "x", &r, &err)) {
            failed++;
            assert_null(r.run);
        } else {
            assert_true(i >= n);
            for (k = 0; k < r.first[r.n]; k++) {
                const lp_run *u = &r.run[k];

                assert_true(u->y >= 0 && u->y < LY && u->x0 >= 0 && u->x0 < u->x1 && u->x1 <= LX);
            }
            free(r.first);
            free(r.run);
        }
        p[at] = old;
        free(copy);
    }
    assert_true(failed > (int)n);
    for (i = 0; i < 3; i++) { /* 4 masks, none beyond row and column 81: in 82 x 82, not in less */
        lp_runs r = {0};
        lp_status st =
            lp_run_bytes_decode(p, n, 4, i == 1 ? 81 : 82, i == 2 ? 81 : 82, "x", &r, NULL);

        assert_int_equal(st, i ? LP_EFORMAT : LP_OK);
        free(r.first);
        free(r.run);
    }
    free(p);
    lp_layers_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(other_files),
        cmocka_unit_test(truncated),
        cmocka_unit_test(damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
