/* test_inputs - from names to a list of images (host/inputs.h): order, what is left out, names
 * of results, collisions, folders, models by name. */
#include <sys/stat.h>

#include "lp_test.h"
#include "tmp_dir.h"

#include "host/inputs.h"

static char *dir;

static const char *at(const char *name)
{
    return lp_tmp_path(dir, name);
}

static void touch(const char *name)
{
    FILE *f = fopen(at(name), "wb");

    if (!f) fail_msg("cannot write %s", at(name));
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    dir = lp_tmp_dir();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lp_tmp_remove(dir);
    return 0;
}

static lp_inputs find(const lp_inputs_options *o, int n, const char **names)
{
    lp_inputs in = {0};
    lp_err err = {LP_OK, ""};

    if (lp_inputs_find((char *const *)(size_t)names, n, o, &in, &err)) fail_msg("%s", err.msg);
    return in;
}

static void refuse(const lp_inputs_options *o, int n, const char **names, lp_status want,
                   const char *part)
{
    lp_inputs in = {.n = -5};
    lp_err err = {LP_OK, ""};
    lp_status st = lp_inputs_find((char *const *)(size_t)names, n, o, &in, &err);

    if (st != want || in.n != -5 || !strstr(err.msg, part))
        fail_msg("status %d, '%s' instead of '%s'", st, err.msg, part);
}

static void is_base(const lp_inputs *in, int i, const char *base)
{
    const char *s = strrchr(in->item[i].base, '/');

    assert_true(i < in->n);
    assert_string_equal(s ? s + 1 : in->item[i].base, base);
}

static void folder(void **state)
{
    static const char *const make[] = {
        "img10.tif",   "img2.TIFF",      "img1.png",         "a.mrc.gz",
        "b.st.bz2",    "v.1.tif",        ".hidden.png",      "notes.txt",
        "x.jpg",       "a_cp_masks.tif", "a_overlay.png",    "a_particles.csv",
        "a_masks.png", "a_flows.tif",    "a_outlines.png",   "a_p0001_cp_masks.tif",
        "a_dP.tif",    "a_cellprob.tif", ".a.png.12-abc.tmp"};
    static const char *const want[] = {"a", "b", "img1", "img2", "img10", "v.1"};
    lp_inputs_options o = {0};
    lp_inputs in;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof make / sizeof *make; i++) touch(make[i]);
    assert_int_equal(mkdir(at("folder.tif"), 0777), 0);
    assert_int_equal(mkfifo(at("fifo.png"), 0666), 0);
    in = find(&o, 1, (const char *[]){dir});
    assert_int_equal(in.n, 6);
    for (i = 0; i < 6; i++) is_base(&in, (int)i, want[i]);
    assert_int_equal(strncmp(in.item[0].base, dir, strlen(dir)), 0);
    lp_inputs_free(&in);

    o.img_filter = "0";
    in = find(&o, 1, (const char *[]){dir});
    assert_int_equal(in.n, 1);
    is_base(&in, 0, "img10");
    lp_inputs_free(&in);
    o.mask_filter = "0";
    refuse(&o, 1, (const char *[]){dir}, LP_EARG, "--img_filter");
    o.img_filter = NULL;
    in = find(&o, 1, (const char *[]){dir});
    assert_int_equal(in.n, 5);
    lp_inputs_free(&in);
    /* What is named is taken, whatever its name. */
    in = find(&o, 2, (const char *[]){at("a_masks.png"), at("notes.txt")});
    assert_int_equal(in.n, 2);
    lp_inputs_free(&in);
    lp_inputs_free(NULL);
}

static void results_names(void **state)
{
    lp_inputs_options o = {0};
    lp_inputs in;
    char want[2048];

    (void)state;
    touch("one.png");
    o.savedir = "/some/where";
    in = find(&o, 1, (const char *[]){at("one.png")});
    assert_string_equal(in.item[0].base, "/some/where/one");
    lp_inputs_free(&in);
    o.savedir = "/some/where/";
    in = find(&o, 1, (const char *[]){at("one.png")});
    assert_string_equal(in.item[0].base, "/some/where/one");
    lp_inputs_free(&in);
    o.savedir = NULL;
    in = find(&o, 1, (const char *[]){at("one.png")});
    snprintf(want, sizeof want, "%s/one", dir);
    assert_string_equal(in.item[0].base, want);
    lp_inputs_free(&in);
    in = find(&o, 1, (const char *[]){"no-folder.tif"});
    assert_string_equal(in.item[0].base, "no-folder");
    lp_inputs_free(&in);
    in = find(&o, 1, (const char *[]){"a/.png"}); /* a name that is all extension */
    assert_int_equal(in.n, 1);
    lp_inputs_free(&in);
}

static void twice(void **state)
{
    lp_inputs_options o = {0};
    lp_inputs in;
    char other[2048];

    (void)state;
    touch("same.png");
    touch("same.tif");
    touch("fine.png");
    snprintf(other, sizeof other, "%s/../%s/same.png", dir, strrchr(dir, '/') + 1);
    in = find(&o, 4, (const char *[]){at("same.png"), other, at("fine.png"), at("same.png")});
    assert_int_equal(in.n, 2);
    is_base(&in, 0, "same");
    is_base(&in, 1, "fine");
    lp_inputs_free(&in);
    in = find(&o, 2, (const char *[]){"missing.png", "missing.png"});
    assert_int_equal(in.n, 1);
    lp_inputs_free(&in);
    refuse(&o, 3, (const char *[]){at("same.png"), at("fine.png"), at("same.tif")}, LP_EARG,
           "same.tif");
    refuse(&o, 2, (const char *[]){other, at("same.tif")}, LP_EARG, "both write");
    refuse(&o, 0, (const char *[]){NULL}, LP_EARG, "no images");
    refuse(&o, 1, (const char *[]){""}, LP_EARG, "empty name");
    assert_int_equal(mkdir(at("empty"), 0777), 0);
    refuse(&o, 1, (const char *[]){at("empty")}, LP_EARG, "no images");
}

static void one_level_down(void **state)
{
    lp_inputs_options o = {.look_one_level_down = 1};
    lp_inputs in;
    char savedir[2048], top[2048];
    struct stat s;

    (void)state;
    snprintf(top, sizeof top, "%s/deep", dir);
    assert_int_equal(mkdir(top, 0777) | mkdir(at("deep/s1"), 0777) | mkdir(at("deep/s2"), 0777) |
                         mkdir(at("deep/s2/t"), 0777),
                     0);
    touch("deep/s1/x.png");
    touch("deep/s2/x.png");
    touch("deep/s2/t/x.png");
    touch("deep/x.png");
    snprintf(savedir, sizeof savedir, "%s/out", dir);
    o.savedir = savedir;
    in = find(&o, 1, (const char *[]){top});
    assert_int_equal(in.n, 3);
    assert_string_equal(in.item[1].base + strlen(savedir), "/s1/x");
    assert_int_equal(stat(at("out/s2"), &s), 0);
    lp_inputs_free(&in);
    o.look_one_level_down = 0;
    in = find(&o, 1, (const char *[]){top});
    assert_int_equal(in.n, 1);
    lp_inputs_free(&in);
}

static void make_folder(void **state)
{
    char path[2048], *long_path = malloc(10000);
    lp_err err = {LP_OK, ""};

    (void)state;
    assert_non_null(long_path);
    snprintf(path, sizeof path, "%s/p/q//r/", dir);
    assert_int_equal(lp_inputs_make_folder(path, &err), LP_OK);
    assert_int_equal(lp_inputs_make_folder(path, &err), LP_OK);
    assert_int_equal(lp_inputs_make_folder("/", &err) == LP_OK, access("/", W_OK) == 0);
    assert_int_equal(lp_inputs_make_folder("", &err), LP_EARG);
    touch("file");
    snprintf(path, sizeof path, "%s/file", dir);
    assert_int_equal(lp_inputs_make_folder(path, &err), LP_EIO);
    snprintf(path, sizeof path, "%s/file/x", dir);
    assert_int_equal(lp_inputs_make_folder(path, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "file"));
    memset(long_path, 'x', 9999);
    long_path[9999] = 0;
    assert_int_equal(lp_inputs_make_folder(long_path, &err), LP_EARG);
    free(long_path);
}

static void models(void **state)
{
    char *path = NULL, want[2048];
    lp_err err = {LP_OK, ""};

    (void)state;
    touch("mine.h5");
    touch("cyto");
    setenv("LIPOPOSE_MODELS", dir, 1);
    setenv("HOME", dir, 1);
    unsetenv("CELLPOSE_LOCAL_MODELS_PATH");
    snprintf(want, sizeof want, "%s/mine.h5", dir);
    assert_int_equal(lp_inputs_find_model(want, &path, &err), LP_OK);
    assert_string_equal(path, want);
    free(path);
    assert_int_equal(lp_inputs_find_model("mine", &path, &err), LP_OK);
    assert_string_equal(path, want);
    free(path);
    assert_int_equal(lp_inputs_find_model("cyto", &path, &err), LP_OK);
    free(path);
    path = NULL;
    assert_int_equal(lp_inputs_find_model("cyto7", &path, &err), LP_EMISSING);
    assert_non_null(strstr(err.msg, "cyto7"));
    assert_int_equal(lp_inputs_find_model("dir/mine", &path, &err), LP_EMISSING);
    assert_int_equal(lp_inputs_find_model(dir, &path, &err), LP_EMISSING);
    assert_non_null(strstr(err.msg, "is a folder"));
    assert_null(path);
    /* Cellpose's own folder. */
    unsetenv("LIPOPOSE_MODELS");
    assert_int_equal(mkdir(at(".cellpose"), 0777) | mkdir(at(".cellpose/models"), 0777), 0);
    touch(".cellpose/models/cyto3");
    assert_int_equal(lp_inputs_find_model("cyto3", &path, &err), LP_OK);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folder, setup, teardown),
        cmocka_unit_test_setup_teardown(results_names, setup, teardown),
        cmocka_unit_test_setup_teardown(twice, setup, teardown),
        cmocka_unit_test_setup_teardown(one_level_down, setup, teardown),
        cmocka_unit_test_setup_teardown(make_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(models, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
