/* PyTorch files of both containers and all number types give the same model; files of other
 * nets, and damaged or lying ones, are refused with the reason; the export comes back. */
#include "weights_make.h"

#include <sys/stat.h>

#include "npy_files.h"
#include "weights/npy.h"
#include "weights/torch_write.h"

static const int small[] = {2, 4, 6, 5};

static lp_weights *open_ok(const char *path)
{
    lp_weights *w = NULL;
    lp_err err;

    if (lp_weights_open(path, &w, &err)) fail_msg("%s", err.msg);
    return w;
}

static void same_after(const lp_weights *w, const mk_options *o)
{
    lp_weights *r;

    mk_torch(mk_path("m.pth"), w, o);
    r = open_ok(mk_path("m.pth"));
    mk_same(w, r);
    assert_string_equal(r->source, "m.pth");
    assert_int_equal(strlen(r->source_sha256), 64);
    assert_string_equal(r->licence, "");
    lp_weights_free(&r);
}

static void formats(void **state)
{
    static const lp_dtype types[] = {LP_F32, LP_F16, LP_BF16, LP_F64};
    static const int deep[] = {1, 2, 3, 2, 3, 2, 3, 2}, two[] = {3, 5, 4};
    lp_weights *w = mk_weights(small, 4, 3);
    mk_options o = {0};
    int legacy, transpose, k;

    (void)state;
    for (legacy = 0; legacy < 2; legacy++)
        for (transpose = 0; transpose < 2; transpose++)
            for (k = 0; k < 4; k++) {
                o.legacy = legacy;
                o.transpose = transpose;
                o.dtype = types[k];
                o.deflate = transpose;
                o.prefix = k % 2 ? "module." : NULL;
                same_after(w, &o);
            }
    lp_weights_free(&w);
    memset(&o, 0, sizeof o);
    w = mk_weights(deep, 8, 5);
    same_after(w, &o);
    lp_weights_free(&w);
    w = mk_weights(two, 3, 1);
    same_after(w, &o);
    lp_weights_free(&w);
}

static void old_versions(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3), *r;
    mk_options o = {0};
    int i;

    (void)state;
    o.drop = "num_batches_tracked";
    o.drop2 = "diam_";
    mk_torch(mk_path("old.pth"), w, &o);
    r = open_ok(mk_path("old.pth"));
    assert_true(r->diam_mean == 30 && r->diam_labels == 30);
    assert_true(*lp_weights_get(r, "diam_labels") == 30);
    assert_true(*lp_weights_get(r, "output.0.num_batches_tracked") == 0);
    w->diam_labels = 30;
    w->tensors[1].data[0] = 30;
    for (i = 0; i < w->n_tensors; i++)
        if (lp_arch_is_counter(w->tensors[i].name)) w->tensors[i].data[0] = 0;
    mk_same(w, r);
    lp_weights_free(&r);
    w->tensors[0].data[0] = 17; /* diam_mean there, diam_labels not */
    o.drop2 = "diam_labels";
    mk_torch(mk_path("old.pth"), w, &o);
    r = open_ok(mk_path("old.pth"));
    assert_true(r->diam_mean == 17 && r->diam_labels == 17);
    lp_weights_free(&r);
    lp_weights_free(&w);
}

static void refuse(const lp_weights *w, const mk_options *o, const char *part)
{
    mk_torch(mk_path("bad.pth"), w, o);
    mk_refused(mk_path("bad.pth"), LP_EFORMAT, part);
}

static void other_nets(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3);
    int legacy;

    (void)state;
    for (legacy = 0; legacy < 2; legacy++) {
        const mk_options cpsam = {.legacy = legacy, .extra = "W2"},
                         sam = {.legacy = legacy, .extra = "encoder.pos_embed"},
                         missing = {.legacy = legacy, .drop = "res_up_1.conv.conv_2.full.bias"},
                         no_output = {.legacy = legacy, .drop = "output.2.weight"},
                         extra = {.legacy = legacy, .extra = "head.weight"},
                         renamed = {.legacy = legacy, .from = "output.0.bias", .to = "out.bias"},
                         shape = {.legacy = legacy, .reshape = "output.2.bias"},
                         nout = {.legacy = legacy, .reshape = "output.2.weight"},
                         unet = {.legacy = legacy, .prefix = "unet."},
                         optimizer = {.legacy = legacy, .optimizer = 1},
                         twice = {.legacy = legacy, .duplicate = 1},
                         size = {.legacy = legacy, .wrong_size = 1},
                         mixed = {.legacy = legacy, .prefix = "module.", .extra = "x"};

        refuse(w, &cpsam, "Cellpose 4 (cpsam");
        refuse(w, &sam, "encoder.pos_embed");
        refuse(w, &missing, "missing upsample.up.res_up_1.conv.conv_2.full.bias");
        refuse(w, &no_output, "missing output.2.weight");
        refuse(w, &extra, "extra head.weight");
        refuse(w, &renamed, "missing output.0.bias; extra out.bias");
        refuse(w, &shape, "output.2.bias is 2, not 3");
        refuse(w, &nout, "2 outputs");
        refuse(w, &unet, "not a Cellpose 1-3 CNN");
        refuse(w, &optimizer, "model_state_dict");
        refuse(w, &twice, "diam_mean is there twice");
        refuse(w, &size, legacy ? "elements" : "bytes");
        refuse(w, &mixed, "extra x");
    }
    lp_weights_free(&w);
}

/* A pickle by itself in a zip archive. */
static void zip_of(const char *path, const char *pickle, size_t n, const char *member)
{
    zip_t *z;

    unlink(path);
    z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(z);
    assert_true(zip_file_add(z, member, zip_source_buffer(z, pickle, n, 0), 0) >= 0);
    assert_int_equal(zip_close(z), 0);
}
#define ZIP_REFUSED(text, part)                                                                    \
    do {                                                                                           \
        zip_of(mk_path("z.pth"), text, sizeof(text) - 1, "a/data.pkl");                            \
        mk_refused(mk_path("z.pth"), LP_EFORMAT, part);                                            \
    } while (0)

static void hostile(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3);
    const mk_options shared = {.share = 1}, bool_type = {.dtype = LP_BOOL};
    mk_bytes *b = calloc(1, sizeof *b);
    const int64_t huge[4] = {4096, 4096, 3, 3}, stride[4] = {36864, 9, 3, 1};

    (void)state;
    (void)bool_type;
    assert_non_null(b);
    ZIP_REFUSED("\x80\x02"
                "cposix\nsystem\nX\x02\0\0\0ls\x85R.",
                "refuses to run posix.system");
    ZIP_REFUSED("\x80\x02]K\x01"
                "a.",
                "holds a list");
    ZIP_REFUSED("\x80\x02}.", "0 tensors");
    ZIP_REFUSED("\x80\x02}K\x01K\x01s.", "other things than tensors");
    ZIP_REFUSED("\x80\x02", "ends within");
    zip_of(mk_path("doc.zip"), "x", 1, "word/document.xml");
    mk_refused(mk_path("doc.zip"), LP_EFORMAT, "without data.pkl");
    mk_file(mk_path("p0.pkl"), "cos\nsystem\n(X\x02\0\0\0lstR.", 23);
    mk_refused(mk_path("p0.pkl"), LP_EFORMAT, "refuses to run os.system");
    mk_file(mk_path("plain.pkl"), "\x80\x02K\x01.", 5);
    mk_refused(mk_path("plain.pkl"), LP_EFORMAT, "not a PyTorch file");
    refuse(w, &shared, "shares its values");
    /* 600 MB declared in a file of 200 bytes */
    mk_op(b, "\x80\x02}");
    mk_str(b, "downsample.down.res_down_0.conv.conv_0.2.weight");
    mk_tensor(b, "FloatStorage", "0", 4096LL * 4096 * 9, 0, 4, huge, stride, 0);
    mk_op(b, "s.");
    zip_of(mk_path("huge.pth"), (char *)b->p, b->n, "a/data.pkl");
    mk_refused(mk_path("huge.pth"), LP_EFORMAT, "storage data/0 is missing");
    free(b);
    lp_weights_free(&w);
}

static void cut_and_changed(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3), *r = NULL;
    mk_options o = {0};
    unsigned char *p;
    size_t n, i;
    lp_err err;

    (void)state;
    for (o.legacy = 0; o.legacy < 2; o.legacy++) {
        mk_torch(mk_path("w.pth"), w, &o);
        p = mk_slurp(mk_path("w.pth"), &n);
        for (i = 1; i < 40; i++) {
            mk_file(mk_path("cut.pth"), p, n * i / 40);
            assert_int_not_equal(lp_weights_open(mk_path("cut.pth"), &r, &err), LP_OK);
            assert_null(r);
        }
        if (!o.legacy) { /* the archive has checksums */
            for (i = 0; i + 4 < n; i++)
                if (!memcmp(p + i, w->tensors[7].data, 4 * sizeof(float))) break;
            p[i] ^= 1;
            mk_file(mk_path("bit.pth"), p, n);
            mk_refused(mk_path("bit.pth"), LP_EFORMAT, "checksum");
        }
        free(p);
    }
    lp_weights_free(&w);
}

static void export(void **state)
{
    lp_weights *w = mk_weights(small, 4, 3), *r;
    unsigned char *a, *b;
    size_t na, nb;
    lp_err err;

    (void)state;
    assert_int_equal(lp_weights_export_torch(w, mk_path("e.pth"), &err), LP_OK);
    r = open_ok(mk_path("e.pth"));
    mk_same(w, r);
    assert_int_equal(lp_weights_export_torch(r, mk_path("f.pth"), &err), LP_OK);
    a = mk_slurp(mk_path("e.pth"), &na);
    b = mk_slurp(mk_path("f.pth"), &nb);
    assert_int_equal(na, nb);
    assert_memory_equal(a, b, na);
    free(a);
    free(b);
    w->tensors[5].data[0] = NAN;
    assert_int_equal(lp_weights_export_torch(w, mk_path("g.pth"), &err), LP_EFORMAT);
    assert_int_not_equal(access(mk_path("g.pth"), F_OK), 0);
    lp_weights_free(&r);
    lp_weights_free(&w);
}

static void size_models(void **state)
{
    static const double A[] = {1.5, -2.25, 3, 0, 1};
    static const float smean[] = {0.5f, 0.25f, -1, 200, 1e-3f};
    static const int wide[] = {2, 4, 6, 7};
    lp_weights *w = mk_weights(small, 4, 3), *other = mk_weights(wide, 4, 3);
    unsigned char *p;
    size_t n, i;
    lp_err err;
    int k, j;

    (void)state;
    for (k = 0; k < 2; k++) {
        n = k ? sizeof npy_p4 : sizeof npy_p2;
        mk_file(mk_path("s.npy"), k ? npy_p4 : npy_p2, n);
        if (lp_weights_import_size(mk_path("s.npy"), w, &err)) fail_msg("%s", err.msg);
        assert_int_equal(w->size->n, 5);
        assert_memory_equal(w->size->A, A, sizeof A);
        for (j = 0; j < 5; j++) assert_true(w->size->smean[j] == smean[j]);
        assert_true(w->size->ymean == 0.75 && w->size->diam_mean == 30);
        assert_int_equal(lp_weights_import_size(mk_path("s.npy"), other, &err), LP_EFORMAT);
        assert_non_null(strstr(err.msg, "another model"));
        assert_null(other->size);
        for (i = 0; i < n; i++) { /* cut off, exactly as long as it is */
            mk_file(mk_path("cut.npy"), k ? npy_p4 : npy_p2, i);
            assert_int_not_equal(lp_weights_import_size(mk_path("cut.npy"), w, &err), LP_OK);
        }
        assert_int_equal(w->size->n, 5); /* untouched by the failures */
    }
    p = malloc(n);
    assert_non_null(p);
    memcpy(p, npy_p4, n);
    for (i = 128; i + 9 < n; i++)
        if (!memcmp(p + i, "diam_mean", 9)) memcpy(p + i, "diam_maen", 9);
    mk_file(mk_path("key.npy"), p, n);
    assert_int_equal(lp_weights_import_size(mk_path("key.npy"), w, &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "diam_mean is missing"));
    free(p);
    assert_int_equal(lp_weights_import_size(mk_path("absent.npy"), w, &err), LP_EMISSING);
    mk_file(mk_path("x.npy"), "\x93NUMPY\1\0\x1a\0{'descr':'|O','shape': ()}cos\nsystem\n.", 48);
    assert_int_equal(lp_weights_import_size(mk_path("x.npy"), w, &err), LP_EFORMAT);
    assert_non_null(strstr(err.msg, "refuses to run os.system"));
    assert_int_equal(mkfifo(mk_path("pipe"), 0600), 0); /* opening one would wait for ever */
    assert_int_equal(lp_weights_import_size(mk_path("pipe"), w, &err), LP_EIO);
    lp_weights_free(&other);
    assert_int_equal(lp_weights_open(mk_path("pipe"), &other, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "pipe: cannot open the model"));
    assert_int_equal(unlink(mk_path("pipe")), 0);
    lp_weights_free(&w);
    lp_weights_free(&other);
}

/* Files that Cellpose's own code wrote. The numbers are what numpy and torch read in them. */
static void real_files(void **state)
{
    LP_NEED_DATA(zip, "checkpoints/cp3_tiny_zip.pth");
    LP_NEED_DATA(legacy, "checkpoints/cp3_tiny_legacy.pth");
    LP_NEED_DATA(odd, "checkpoints/cp3_odd_zip.pth");
    lp_weights *a, *b;
    static const int tiny[] = {2, 8, 16, 32, 64}, odd_nbase[] = {1, 6, 12, 20};

    (void)state;
    a = open_ok(zip);
    b = open_ok(legacy);
    mk_same(a, b);
    assert_int_equal(a->n_nbase, 5);
    assert_memory_equal(a->nbase, tiny, sizeof tiny);
    assert_true(a->diam_mean == 30 && a->diam_labels == 22.5);
    assert_string_equal(b->source_sha256,
                        "b994edf62a04bcc6a2e03c3b113b597429cea9db4a89b1a92c4530eee6edb37b");
    lp_weights_free(&a);
    lp_weights_free(&b);
    a = open_ok(odd);
    assert_int_equal(a->n_nbase, 4);
    assert_memory_equal(a->nbase, odd_nbase, sizeof odd_nbase);
    assert_int_equal(a->sz, 3);
    assert_true(a->diam_mean == 17 && a->diam_labels == 40);
    lp_weights_free(&a);
}

static void real_model(void **state)
{
    LP_NEED_DATA(path, "checkpoints/cp3_emps.pth");
    LP_NEED_DATA(size, "checkpoints/cp3_emps_size.npy");
    lp_weights *w, *r;
    lp_err err;

    (void)state;
    w = open_ok(path);
    assert_int_equal(w->n_tensors, 313);
    LP_ASSERT_CLOSE(w->diam_labels, 0x1.7d6d4c0000000p+6, 1e-6, 0);
    assert_true(lp_weights_get(w, "output.2.bias")[1] == -0x1.cbbaac0000000p-5f);
    assert_true(lp_weights_get(w, "upsample.up.res_up_3.conv.conv_0.2.weight")[589823] ==
                0x1.55c14a0000000p-5f);
    assert_true(*lp_weights_get(w, "output.0.num_batches_tracked") == 480);
    if (lp_weights_import_size(size, w, &err)) fail_msg("%s", err.msg);
    assert_int_equal(w->size->n, 256);
    assert_true(w->size->A[255] == -0x1.78af16b4ba922p-4);
    assert_true(w->size->smean[254] == -0x1.d88bce0000000p-4);
    assert_true(w->size->ymean == 0x1.065cf80000000p+0);
    assert_int_equal(lp_weights_save(w, mk_path("r.h5"), 0, &err), LP_OK);
    r = open_ok(mk_path("r.h5"));
    mk_same(w, r);
    assert_memory_equal(w->size->A, r->size->A, 256 * sizeof(double));
    lp_weights_free(&r);
    lp_weights_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),         cmocka_unit_test(old_versions),
        cmocka_unit_test(other_nets),      cmocka_unit_test(hostile),
        cmocka_unit_test(cut_and_changed), cmocka_unit_test(export),
        cmocka_unit_test(size_models),     cmocka_unit_test(real_files),
        cmocka_unit_test(real_model)};
    return cmocka_run_group_tests(tests, mk_setup, mk_teardown);
}
