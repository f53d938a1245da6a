/* The HDF5 run file and the flow pictures, read back. */
#include "tmp_dir.h"

#include <hdf5.h>
#include <omp.h>
#include <signal.h>
#include <sys/resource.h>
#include <tiffio.h>

#include "host/write_flows.h"
#include "host/write_run.h"

typedef struct {
    lp_labels lb;
    float *flows, *cellprob;
} fields;

static void fields_new(fields *f, int Ly, int Lx)
{
    size_t n = (size_t)Ly * Lx, i;

    memset(f, 0, sizeof *f);
    assert_int_equal(lp_labels_new(&f->lb, Ly, Lx, NULL), LP_OK);
    f->flows = malloc(2 * n * sizeof(float));
    f->cellprob = malloc(n * sizeof(float));
    assert_non_null(f->flows);
    assert_non_null(f->cellprob);
    for (i = 0; i < n; i++) {
        f->lb.data[i] = (uint32_t)(i / 50 % 3 * 1000 * i);
        f->flows[i] = sinf((float)i * 0.01f);
        f->flows[n + i] = cosf((float)i * 0.01f);
        f->cellprob[i] = (float)i;
    }
}

static void fields_free(fields *f)
{
    lp_labels_free(&f->lb);
    free(f->flows);
    free(f->cellprob);
}

static lp_run_file record(const fields *f)
{
    lp_run_file r = {.image = "x.mrc",
                     .model = "m.h5",
                     .page = 3,
                     .min_size = 15,
                     .niter = 200,
                     .diameter = 30.5,
                     .flow_threshold = 0.4,
                     .cellprob_threshold = -1,
                     .pixel_nm = 0.25,
                     .masks = &f->lb,
                     .flows = f->flows,
                     .cellprob = f->cellprob};
    return r;
}

static void check_set(hid_t file, const char *name, hid_t type, const void *want, int rank, int Ly,
                      int Lx)
{
    hid_t d = H5Dopen2(file, name, H5P_DEFAULT), s;
    size_t n = (size_t)(rank == 3 ? 2 : 1) * Ly * Lx * 4;
    hsize_t dims[3];
    void *got = malloc(n);

    assert_true(d >= 0);
    s = H5Dget_space(d);
    assert_int_equal(H5Sget_simple_extent_dims(s, dims, NULL), rank);
    assert_int_equal(dims[rank - 2], Ly);
    assert_int_equal(dims[rank - 1], Lx);
    assert_true(H5Dread(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, got) >= 0);
    assert_memory_equal(got, want, n);
    free(got);
    H5Sclose(s);
    H5Dclose(d);
}

static void check_text(hid_t file, const char *name, const char *want)
{
    hid_t a = H5Aopen(file, name, H5P_DEFAULT), t = H5Aget_type(a);
    char got[200] = "";

    assert_true(H5Tget_size(t) < sizeof got);
    assert_true(H5Aread(a, t, got) >= 0);
    assert_string_equal(got, want);
    H5Tclose(t);
    H5Aclose(a);
}

static double get_number(hid_t file, const char *name)
{
    hid_t a = H5Aopen(file, name, H5P_DEFAULT);
    double v = NAN;

    assert_true(a >= 0);
    assert_true(H5Aread(a, H5T_NATIVE_DOUBLE, &v) >= 0);
    H5Aclose(a);
    return v;
}

static void run_file(void **state)
{
    static const int size[][2] = {{1, 1}, {7, 13}, {1, 700}, {700, 901}};
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x_lipopose.h5");
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        int Ly = size[i][0], Lx = size[i][1];
        lp_run_file r;
        fields fs;
        lp_err err;
        hid_t f;

        fields_new(&fs, Ly, Lx);
        r = record(&fs);
        assert_int_equal(lp_write_run(path, &r, &err), LP_OK);
        f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        assert_true(f >= 0);
        check_text(f, "format", "lipopose-run");
        check_text(f, "image", "x.mrc");
        check_text(f, "model_sha256", "");
        assert_true(get_number(f, "version") == 1 && get_number(f, "page") == 3);
        assert_true(get_number(f, "niter") == 200 && get_number(f, "min_size") == 15);
        assert_true(get_number(f, "diameter") == 30.5 && get_number(f, "pixel_nm") == 0.25);
        assert_true(get_number(f, "flow_threshold") == 0.4);
        assert_true(get_number(f, "cellprob_threshold") == -1);
        check_set(f, "masks", H5T_NATIVE_UINT32, fs.lb.data, 2, Ly, Lx);
        check_set(f, "flows", H5T_NATIVE_FLOAT, fs.flows, 3, Ly, Lx);
        check_set(f, "cellprob", H5T_NATIVE_FLOAT, fs.cellprob, 2, Ly, Lx);
        H5Fclose(f);
        r.flows = NULL;
        r.cellprob = NULL;
        assert_int_equal(lp_write_run(path, &r, &err), LP_OK);
        f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
        assert_true(H5Lexists(f, "masks", H5P_DEFAULT) > 0);
        assert_int_equal(H5Lexists(f, "flows", H5P_DEFAULT), 0);
        H5Fclose(f);
        fields_free(&fs);
    }
    assert_int_equal(lp_tmp_count(dir, NULL), 1);
    lp_tmp_remove(dir);
}

static void same_bytes(void **state)
{
    char *dir = lp_tmp_dir(), *a, *b;
    const char *one = lp_tmp_path(dir, "a.h5"), *two = lp_tmp_path(dir, "longer_name.h5");
    int threads = omp_get_max_threads();
    size_t n, m;
    lp_run_file r;
    fields fs;

    (void)state;
    fields_new(&fs, 600, 600);
    r = record(&fs);
    omp_set_num_threads(1);
    assert_int_equal(lp_write_run(one, &r, NULL), LP_OK);
    usleep(1100000); /* HDF5 would store whole seconds */
    omp_set_num_threads(5);
    assert_int_equal(lp_write_run(two, &r, NULL), LP_OK);
    omp_set_num_threads(threads);
    a = lp_tmp_read(one, &n);
    b = lp_tmp_read(two, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
    fields_free(&fs);
    lp_tmp_remove(dir);
}

static void full_disk(void **state)
{
    char *dir = lp_tmp_dir();
    const char *h5 = lp_tmp_path(dir, "x_lipopose.h5"),
               *tif = lp_tmp_path(dir, "x_dP_cp_masks.tif");
    struct rlimit old, small;
    lp_status st, st2;
    lp_err err, err2;
    lp_run_file r;
    fields fs;

    (void)state;
    fields_new(&fs, 300, 300);
    r = record(&fs);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 10000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    st = lp_write_run(h5, &r, &err);
    st2 = lp_write_flows_dp(tif, fs.flows, 300, 300, &err2);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(st, LP_EIO);
    assert_int_equal(st2, LP_EIO);
    assert_non_null(strstr(err.msg, h5));
    assert_non_null(strstr(err2.msg, tif));
    assert_non_null(strstr(err2.msg, "File too large"));
    assert_int_equal(lp_tmp_count(dir, NULL), 0);
    fields_free(&fs);
    lp_tmp_remove(dir);
}

/* Flows along +y, -y, +x, -x of length 0 and 1: hue by hand from dx_to_circ. */
static void flow_picture(void **state)
{
    static float flows[2][1][5] = {{{1, -1, 0, 0, 0}}, {{0, 0, 1, -1, 0}}};
    /* angle pi, 2 pi, 3/2 pi, 1/2 pi: red = (cos + 1) / 2 x 255, cut to whole numbers */
    static const int red[5] = {0, 255, 127, 127, 0};
    uint16_t row[15];
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x.tif");
    float back[5];
    TIFF *t;
    int i;

    (void)state;
    assert_int_equal(lp_write_flows_rgb(path, &flows[0][0][0], 1, 5, NULL), LP_OK);
    t = TIFFOpen(path, "r");
    assert_non_null(t);
    assert_int_equal(TIFFReadScanline(t, row, 0, 0), 1);
    for (i = 0; i < 5; i++) assert_int_equal(row[3 * i], red[i] * 257);
    /* Along +x the angle is 3/2 pi: green sees cos(2 pi + pi / 6), blue cos(2 pi + 5 pi / 6). */
    assert_int_equal(row[3 * 2 + 1], 237 * 257);
    assert_int_equal(row[3 * 2 + 2], 17 * 257);
    assert_int_equal(row[13], 0);
    TIFFClose(t);
    assert_int_equal(lp_write_flows_dp(path, &flows[0][0][0], 1, 5, NULL), LP_OK);
    t = TIFFOpen(path, "r");
    assert_non_null(t);
    assert_int_equal(TIFFNumberOfDirectories(t), 2);
    assert_int_equal(TIFFSetDirectory(t, 1), 1);
    assert_int_equal(TIFFReadScanline(t, back, 0, 0), 1);
    assert_memory_equal(back, flows[1][0], sizeof back);
    TIFFClose(t);
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_file),
        cmocka_unit_test(same_bytes),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(flow_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
