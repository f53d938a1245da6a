/* The model file: what is saved comes back bit for bit, and a file with anything missing,
 * extra, of a wrong shape or type is refused by naming it. */
#include "weights_make.h"

#include <errno.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const int small[] = {2, 4, 6, 5};

static lp_weights *with_extras(void)
{
    lp_weights *w = mk_weights(small, 4, 3);
    int i;

    w->diam_range[0] = 12.5;
    w->diam_range[1] = 80;
    w->size = calloc(1, sizeof *w->size);
    assert_non_null(w->size);
    w->size->n = 5;
    w->size->A = malloc(5 * sizeof(double));
    w->size->smean = malloc(5 * sizeof(double));
    for (i = 0; i < 5; i++) {
        w->size->A[i] = i / 3.0;
        w->size->smean[i] = -i / 7.0;
    }
    w->size->ymean = 0.1;
    w->size->diam_mean = 30;
    w->test_ly = 8;
    w->test_lx = 16;
    w->test_x = calloc(2 * 8 * 16, sizeof(float));
    w->test_y = calloc(3 * 8 * 16, sizeof(float));
    assert_true(w->test_x && w->test_y);
    w->test_x[200] = 0.1f;
    w->test_y[300] = -7.7f;
    return w;
}

static void save(const lp_weights *w, const char *path, int half)
{
    lp_err err;

    if (lp_weights_save(w, path, half, &err)) fail_msg("%s", err.msg);
}

static lp_weights *reopen(const char *path)
{
    lp_weights *w = NULL;
    lp_err err;

    if (lp_weights_open(path, &w, &err)) fail_msg("%s", err.msg);
    return w;
}

static void round_trip(void **state)
{
    lp_weights *w = with_extras(), *r;
    int half;
    unsigned char *a, *b;
    size_t na, nb;

    (void)state;
    for (half = 0; half < 2; half++) {
        save(w, mk_path("a.h5"), half);
        r = reopen(mk_path("a.h5"));
        mk_same(w, r); /* the values are multiples of 1/64: exact in float16 */
        assert_true(r->diam_range[0] == 12.5 && r->diam_range[1] == 80);
        assert_string_equal(r->source, "made.pth");
        assert_string_equal(r->source_sha256, "00ff");
        assert_string_equal(r->licence, "CC0 \xc3\xa9");
        assert_int_equal(r->size->n, 5);
        assert_memory_equal(r->size->A, w->size->A, 5 * sizeof(double));
        assert_memory_equal(r->size->smean, w->size->smean, 5 * sizeof(double));
        assert_true(r->size->ymean == 0.1 && r->size->diam_mean == 30);
        assert_int_equal(r->test_ly, 8);
        assert_int_equal(r->test_lx, 16);
        assert_memory_equal(r->test_x, w->test_x, 2 * 8 * 16 * sizeof(float));
        assert_memory_equal(r->test_y, w->test_y, 3 * 8 * 16 * sizeof(float));
        assert_non_null(lp_weights_get(r, "output.2.bias"));
        assert_null(lp_weights_get(r, "output.2.bia"));
        save(r, mk_path("b.h5"), half); /* same model, same bytes */
        a = mk_slurp(mk_path("a.h5"), &na);
        b = mk_slurp(mk_path("b.h5"), &nb);
        assert_int_equal(na, nb);
        assert_memory_equal(a, b, na);
        free(a);
        free(b);
        lp_weights_free(&r);
        assert_null(r);
    }
    lp_weights_free(&w);
    lp_weights_free(&w);
    lp_weights_free(NULL);
}

static void shapes(void **state)
{
    static const int deep[] = {1, 2, 3, 2, 3, 2, 3, 2}, two[] = {3, 5, 4};
    lp_weights *w = mk_weights(deep, 8, 5), *r;

    (void)state;
    save(w, mk_path("deep.h5"), 0);
    r = reopen(mk_path("deep.h5"));
    mk_same(w, r);
    lp_weights_free(&r);
    lp_weights_free(&w);
    w = mk_weights(two, 3, 1);
    save(w, mk_path("two.h5"), 1);
    r = reopen(mk_path("two.h5"));
    mk_same(w, r);
    lp_weights_free(&r);
    lp_weights_free(&w);
}

static float *tensor(lp_weights *w, const char *name)
{
    return (float *)(size_t)lp_weights_get(w, name);
}

static void half_rounds(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3), *r;
    float *v = tensor(w, "downsample.down.res_down_1.conv.conv_0.2.weight");
    float *b = tensor(w, "downsample.down.res_down_1.conv.conv_0.2.bias");
    unsigned char *p;
    size_t n;
    lp_err err;

    (void)state;
    v[3] = 1.0004f;
    b[1] = 1e6f; /* one-dimensional: stays float32 */
    save(w, mk_path("h.h5"), 1);
    r = reopen(mk_path("h.h5"));
    assert_true(tensor(r, "downsample.down.res_down_1.conv.conv_0.2.weight")[3] == 1.0f);
    assert_true(tensor(r, "downsample.down.res_down_1.conv.conv_0.2.bias")[1] == 1e6f);
    assert_int_equal(lp_weights_round_half(w, "w", &err), LP_OK);
    mk_same(w, r);
    lp_weights_free(&r);
    v[3] = 70000;
    assert_int_equal(lp_weights_save(w, mk_path("h.h5"), 1, &err), LP_EARG);
    assert_non_null(strstr(err.msg, "res_down_1.conv.conv_0.2.weight"));
    assert_int_equal(lp_weights_round_half(w, "w", &err), LP_EARG);
    p = mk_slurp(mk_path("h.h5"), &n); /* the old file is still whole */
    assert_true(n > 1000);
    free(p);
    r = reopen(mk_path("h.h5"));
    lp_weights_free(&r);
    lp_weights_free(&w);
}

static void bad_values(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3);
    float *v = tensor(w, "output.0.running_var"), old = v[1];
    lp_err err;

    (void)state;
    assert_int_equal(lp_weights_check(w, "w", &err), LP_OK);
    v[1] = NAN;
    assert_int_equal(lp_weights_check(w, "w", &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "output.0.running_var"));
    assert_int_equal(lp_weights_save(w, mk_path("nan.h5"), 0, &err), LP_EFORMAT);
    assert_int_not_equal(access(mk_path("nan.h5"), F_OK), 0);
    v[1] = -INFINITY;
    assert_int_equal(lp_weights_check(w, "w", &err), LP_EFORMAT);
    v[1] = -0.5f;
    assert_int_equal(lp_weights_check(w, "w", &err), LP_EFORMAT);
    v[1] = old;
    w->diam_mean = 0;
    assert_int_equal(lp_weights_check(w, "w", &err), LP_EFORMAT);
    w->diam_mean = 30;
    w->nbase[1] = 5;
    assert_int_equal(lp_weights_check(w, "w", &err), LP_EFORMAT);
    w->nbase[1] = 0;
    assert_int_equal(lp_weights_check(w, "w", &err), LP_EFORMAT);
    w->nbase[1] = 4;
    assert_int_equal(lp_weights_check(w, "w", &err), LP_OK);
    lp_weights_free(&w);
}

static void not_models(void **state)
{
    unsigned char b[600] = {0};
    lp_weights *w = NULL;
    lp_err err;

    (void)state;
    mk_refused(mk_path("absent.h5"), LP_EMISSING, "cannot open");
    mk_file(mk_path("empty"), "", 0);
    mk_refused(mk_path("empty"), LP_EFORMAT, "empty");
    mk_file(mk_path("text"), "hello", 5);
    mk_refused(mk_path("text"), LP_EFORMAT, "not a model");
    mk_file(mk_path("npy"), "\x93NUMPY\1\0", 8);
    mk_refused(mk_path("npy"), LP_EFORMAT, "--size");
    memcpy(b + 257, "ustar", 5);
    mk_file(mk_path("tar"), b, sizeof b);
    mk_refused(mk_path("tar"), LP_EFORMAT, "tar file");
    mk_file(mk_path("hdf"), "\x89HDF\r\n\x1a\n", 8);
    mk_refused(mk_path("hdf"), LP_EFORMAT, "HDF5");
    assert_int_not_equal(lp_weights_open(mk_folder, &w, &err), LP_OK);
}

/* Opens name.h5, changed by one of the functions below, and wants a refusal. */
static void change(void (*fn)(hid_t file), const char *part)
{
    static lp_weights *w;
    hid_t f;

    w = with_extras();
    save(w, mk_path("c.h5"), 0);
    lp_weights_free(&w);
    f = H5Fopen(mk_path("c.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(f >= 0);
    fn(f);
    H5Fclose(f);
    mk_refused(mk_path("c.h5"), LP_EFORMAT, part);
}

#define SET "/state/output.2.bias"

static void put(hid_t f, const char *name, hid_t type, int ndim, const hsize_t *dims, int fill)
{
    hid_t s = ndim ? H5Screate_simple(ndim, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t d = H5Dcreate2(f, name, type, s, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    static const double zero[64];

    assert_true(d >= 0);
    if (fill) assert_true(H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zero) >= 0);
    H5Dclose(d);
    H5Sclose(s);
}

static void set_number(hid_t f, const char *name, double v)
{
    hid_t a = H5Aopen(f, name, H5P_DEFAULT);

    assert_true(a >= 0 && H5Awrite(a, H5T_NATIVE_DOUBLE, &v) >= 0);
    H5Aclose(a);
}

static void no_set(hid_t f)
{
    H5Ldelete(f, SET, H5P_DEFAULT);
}
static void more_set(hid_t f)
{
    hsize_t n = 3;
    put(f, "/state/output.9.bias", H5T_IEEE_F32LE, 1, &n, 1);
}
static void other_shape(hid_t f)
{
    hsize_t n = 4;
    no_set(f);
    put(f, SET, H5T_IEEE_F32LE, 1, &n, 1);
}
static void other_type(hid_t f)
{
    hsize_t n = 3;
    no_set(f);
    put(f, SET, H5T_STD_I32LE, 1, &n, 1);
}
static void double_type(hid_t f)
{
    hsize_t n = 3;
    no_set(f);
    put(f, SET, H5T_IEEE_F64LE, 1, &n, 1);
}
static void never_written(hid_t f)
{
    hsize_t n[4] = {4096, 4096, 3, 3}; /* 600 MB that the file does not have */
    H5Ldelete(f, "/state/downsample.down.res_down_0.conv.conv_1.2.weight", H5P_DEFAULT);
    put(f, "/state/downsample.down.res_down_0.conv.conv_1.2.weight", H5T_IEEE_F32LE, 4, n, 0);
}
static void group_instead(hid_t f)
{
    no_set(f);
    H5Gclose(H5Gcreate2(f, SET, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}
static void soft_link(hid_t f)
{
    no_set(f);
    H5Lcreate_soft("/state/output.0.bias", f, SET, H5P_DEFAULT, H5P_DEFAULT);
}
static void external_link(hid_t f)
{
    no_set(f);
    H5Lcreate_external("/etc/passwd", "/x", f, SET, H5P_DEFAULT, H5P_DEFAULT);
}
static void external_data(hid_t f)
{
    hsize_t n = 3;
    hid_t s = H5Screate_simple(1, &n, NULL), p = H5Pcreate(H5P_DATASET_CREATE), d;

    no_set(f);
    H5Pset_external(p, "/etc/passwd", 0, 12);
    d = H5Dcreate2(f, SET, H5T_IEEE_F32LE, s, H5P_DEFAULT, p, H5P_DEFAULT);
    assert_true(d >= 0);
    H5Dclose(d);
    H5Pclose(p);
    H5Sclose(s);
}
static void no_state(hid_t f)
{
    H5Ldelete(f, "/state", H5P_DEFAULT);
}
static void newer(hid_t f)
{
    set_number(f, "version", 2);
}
static void older(hid_t f)
{
    set_number(f, "version", 0);
}
static void other_sz(hid_t f)
{
    set_number(f, "sz", 5);
}
static void other_diam(hid_t f)
{
    set_number(f, "diam_labels", 23);
}
static void no_nbase(hid_t f)
{
    H5Adelete(f, "nbase");
}
static void no_format(hid_t f)
{
    H5Adelete(f, "format");
}
static void no_smean(hid_t f)
{
    H5Ldelete(f, "/size/smean", H5P_DEFAULT);
}
static void short_size(hid_t f)
{
    hsize_t n = 4;
    H5Ldelete(f, "/size/A", H5P_DEFAULT);
    H5Ldelete(f, "/size/smean", H5P_DEFAULT);
    put(f, "/size/A", H5T_IEEE_F64LE, 1, &n, 1);
    put(f, "/size/smean", H5T_IEEE_F64LE, 1, &n, 1);
}
static void no_test_y(hid_t f)
{
    H5Ldelete(f, "/selftest/y", H5P_DEFAULT);
}

static void damaged(void **state)
{
    (void)state;
    change(no_set, "missing output.2.bias");
    change(more_set, "extra output.9.bias");
    change(other_shape, "output.2.bias is 4, not 3");
    change(other_type, "/state/output.2.bias is not float32 or float16");
    change(double_type, "/state/output.2.bias is not float32 or float16");
    change(never_written, "fewer bytes stored");
    change(group_instead, "/state/output.2.bias is no dataset");
    change(soft_link, "/state");
    change(external_link, "/state");
    change(external_data, "/state/output.2.bias lies in another file");
    change(no_state, "no group /state");
    change(newer, "made by a newer lipopose");
    change(older, "version");
    change(other_sz, "attribute sz");
    change(other_diam, "attribute diam_labels");
    change(no_nbase, "no attribute nbase");
    change(no_format, "no attribute format");
    change(no_smean, "/size/smean is missing");
    change(short_size, "style of 4");
    change(no_test_y, "/selftest/y is missing");
}

/* Other writers: scalars as one-element datasets and the reverse, integers as counters,
 * contiguous or big-endian numbers, many chunks. */
static void other_writers(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3), *r;
    hsize_t one = 1, dims[4] = {4, 2, 3, 3}, chunk[4] = {2, 2, 3, 2};
    const char *name = "/state/downsample.down.res_down_0.conv.conv_0.2.weight";
    hid_t f, d, s, p;
    double v;

    (void)state;
    save(w, mk_path("o.h5"), 0);
    f = H5Fopen(mk_path("o.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(f >= 0);
    H5Ldelete(f, "/state/output.0.num_batches_tracked", H5P_DEFAULT);
    put(f, "/state/output.0.num_batches_tracked", H5T_STD_I64LE, 1, &one, 1);
    *tensor(w, "output.0.num_batches_tracked") = 0;
    H5Ldelete(f, "/state/diam_mean", H5P_DEFAULT);
    put(f, "/state/diam_mean", H5T_IEEE_F32BE, 0, NULL, 0);
    d = H5Dopen2(f, "/state/diam_mean", H5P_DEFAULT);
    v = 30;
    assert_true(H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &v) >= 0);
    H5Dclose(d);
    H5Ldelete(f, name, H5P_DEFAULT);
    s = H5Screate_simple(4, dims, NULL);
    p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(p, 4, chunk);
    H5Pset_shuffle(p);
    H5Pset_deflate(p, 4);
    H5Pset_fletcher32(p);
    d = H5Dcreate2(f, name, H5T_IEEE_F32LE, s, H5P_DEFAULT, p, H5P_DEFAULT);
    assert_true(d >= 0);
    assert_true(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                         lp_weights_get(w, name + 7)) >= 0);
    H5Dclose(d);
    H5Pclose(p);
    H5Sclose(s);
    H5Fclose(f);
    r = reopen(mk_path("o.h5"));
    mk_same(w, r);
    lp_weights_free(&r);
    lp_weights_free(&w);
}

/* Cut off or with bytes changed: an error, or by luck a model, but never more. */
static void cut_and_changed(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3), *r;
    unsigned char *p;
    size_t n, i;
    lp_err err;

    (void)state;
    save(w, mk_path("w.h5"), 1);
    p = mk_slurp(mk_path("w.h5"), &n);
    for (i = 0; i < 24; i++) {
        mk_file(mk_path("cut.h5"), p, n * i / 24);
        r = NULL;
        assert_int_not_equal(lp_weights_open(mk_path("cut.h5"), &r, &err), LP_OK);
        assert_null(r);
    }
    /* the text heap: its first object said to be larger than the heap, then of size 0 */
    for (i = 0; i + 32 < n && memcmp(p + i, "GCOL", 4); i++) continue;
    assert_true(i + 32 < n);
    p[i + 16 + 8 + 6] = 0xfb;
    mk_file(mk_path("heap.h5"), p, n);
    mk_refused(mk_path("heap.h5"), LP_EFORMAT, "HDF5 heap");
    memset(p + i + 16, 0, 16);
    mk_file(mk_path("heap.h5"), p, n);
    mk_refused(mk_path("heap.h5"), LP_EFORMAT, "HDF5 heap");
    free(p);
    lp_weights_free(&w);
}

static void no_room(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3);
    struct rlimit old, little;
    int before = mk_count_files();
    lp_err err;

    (void)state;
    assert_int_equal(lp_weights_save(w, mk_path("no/such/folder.h5"), 0, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "folder.h5: cannot write: "));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    little = old;
    little.rlim_cur = 8192;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(lp_weights_save(w, mk_path("full.h5"), 0, &err), LP_EIO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_non_null(strstr(err.msg, "full.h5"));
    assert_int_equal(mk_count_files(), before);
    save(w, mk_path("full.h5"), 0);
    lp_weights_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),    cmocka_unit_test(shapes),
        cmocka_unit_test(half_rounds),   cmocka_unit_test(bad_values),
        cmocka_unit_test(not_models),    cmocka_unit_test(damaged),
        cmocka_unit_test(other_writers), cmocka_unit_test(cut_and_changed),
        cmocka_unit_test(no_room)};
    return cmocka_run_group_tests(tests, mk_setup, mk_teardown);
}
