/* x_seg.npy: the numpy header, the dictionary and each array, as the unpickler reads them. */
#include "lp_test.h"

#include <math.h>

#include "host/write_seg.h"
#include "read_util.h"
#include "tmp_dir.h"
#include "weights/unpickle.h"

enum { HEAD = 128 };

typedef struct {
    uint8_t *bytes;
    lp_pickle *pk;
    const lp_pk *dict;
} seg;

static seg open_seg(const char *path)
{
    static const char head[] =
        "\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (), }";
    size_t n = 0, used = 0;
    seg s = {slurp(path, &n), NULL, NULL};
    const lp_pk *root;

    assert_true(n > HEAD);
    assert_memory_equal(s.bytes, head, sizeof head - 1);
    assert_int_equal(s.bytes[HEAD - 1], '\n');
    assert_int_equal(lp_unpickle(s.bytes + HEAD, n - HEAD, path, &used, &s.pk, NULL), LP_OK);
    assert_int_equal(used, n - HEAD);
    root = lp_pickle_root(s.pk);
    assert_int_equal(root->type, LP_PK_ARRAY);
    assert_int_equal(root->u.array->dtype->u.dtype.kind, 'O');
    assert_int_equal(root->u.array->shape->u.seq.n, 0);
    assert_int_equal(root->u.array->data->type, LP_PK_LIST);
    assert_int_equal(root->u.array->data->u.seq.n, 1);
    s.dict = root->u.array->data->u.seq.v[0];
    assert_int_equal(s.dict->type, LP_PK_DICT);
    return s;
}

static void close_seg(seg *s)
{
    lp_pickle_free(&s->pk);
    free(s->bytes);
}

/* The bytes of array v, which must have this type and shape (-1 ends it). */
static const void *array(const lp_pk *v, char kind, int size, const int *shape)
{
    size_t n = (size_t)size;
    const lp_pk_array *a;
    int d;

    assert_non_null(v);
    assert_int_equal(v->type, LP_PK_ARRAY);
    a = v->u.array;
    assert_int_equal(a->dtype->u.dtype.kind, kind);
    assert_int_equal(a->dtype->u.dtype.size, size);
    assert_int_equal(a->dtype->u.dtype.order, size == 1 ? '|' : '<');
    assert_false(a->fortran);
    for (d = 0; shape[d] >= 0; d++) {
        assert_true((size_t)d < a->shape->u.seq.n);
        assert_int_equal(a->shape->u.seq.v[d]->u.i, shape[d]);
        n *= (size_t)shape[d];
    }
    assert_int_equal(a->shape->u.seq.n, d);
    assert_int_equal(a->data->type, LP_PK_BYTES);
    assert_int_equal(a->data->u.s.n, n);
    return a->data->u.s.p;
}

static void small_image(void **state)
{
    enum { LY = 6, LX = 7, N = LY * LX };
    /* What masks * masks_to_outlines(masks) gives in Cellpose 3.1.1.3. */
    static uint32_t labels[N] = {1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                 1, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 2, 2, 2};
    static const uint16_t outlines[N] = {1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0,
                                         1, 0, 0, 1, 2, 2, 2, 1, 1, 1, 1, 2, 0, 2,
                                         0, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0, 2, 2, 2};
    static const int plane[] = {LY, LX, -1}, planes[] = {3, LY, LX, -1}, rgb[] = {1, LY, LX, 3, -1},
                     grey[] = {1, LY, LX, -1}, two[] = {2, -1};
    static const char zero[3 * N];
    lp_labels lb = {labels, LY, LX};
    float flows[2 * N], cellprob[N];
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x_seg.npy");
    lp_seg_file f = {.image = "/a \xff/b\xc3\xa4.tif",
                     .masks = &lb,
                     .chan = 2,
                     .chan2 = 1,
                     .diameter = 21.5,
                     .flows = flows,
                     .cellprob = cellprob};
    uint16_t got[N]; /* a copy: in the file they lie at any byte */
    const uint8_t *g;
    const lp_pk *v;
    int i;
    seg s;

    (void)state;
    for (i = 0; i < N; i++) {
        flows[i] = (float)i / 10;
        flows[N + i] = -1;
        cellprob[i] = (float)(i - 20);
    }
    assert_int_equal(lp_write_seg(path, &f, NULL), LP_OK);
    assert_int_equal(lp_tmp_count(dir, NULL), 1);
    s = open_seg(path);
    assert_int_equal(s.dict->u.seq.n, 2 * 8);
    memcpy(got, array(lp_pk_dict_get(s.dict, "masks"), 'u', 2, plane), sizeof got);
    for (i = 0; i < N; i++) assert_int_equal(got[i], labels[i]);
    assert_memory_equal(array(lp_pk_dict_get(s.dict, "outlines"), 'u', 2, plane), outlines,
                        sizeof outlines);
    assert_memory_equal(array(lp_pk_dict_get(s.dict, "ismanual"), 'b', 1, two), zero, 2);
    v = lp_pk_dict_get(s.dict, "chan_choose");
    assert_int_equal(v->type, LP_PK_LIST);
    assert_int_equal(v->u.seq.n, 2);
    assert_int_equal(v->u.seq.v[0]->u.i, 2);
    assert_int_equal(v->u.seq.v[1]->u.i, 1);
    /* A byte that is no UTF-8 as os.fsdecode has it: U+DCFF. */
    assert_true(lp_pk_is(lp_pk_dict_get(s.dict, "filename"), "/a \xed\xb3\xbf/b\xc3\xa4.tif"));
    assert_true(lp_pk_dict_get(s.dict, "diameter")->u.f == 21.5);
    assert_true(lp_pk_dict_get(s.dict, "est_diam")->u.f == 21.5);
    v = lp_pk_dict_get(s.dict, "flows");
    assert_int_equal(v->type, LP_PK_LIST);
    assert_int_equal(v->u.seq.n, 5);
    array(v->u.seq.v[0], 'u', 1, rgb);
    g = array(v->u.seq.v[1], 'u', 1, grey);
    /* From the 1st to the 99th percentile, which here are the least and the largest of 42. */
    assert_int_equal(g[0], 0);
    assert_int_equal(g[N - 1], 255);
    assert_int_equal(g[20], (int)(20 * 255.0f / (N - 1)));
    assert_memory_equal(array(v->u.seq.v[2], 'u', 1, rgb), zero, 3 * N);
    assert_int_equal(v->u.seq.v[3]->type, LP_PK_LIST);
    assert_int_equal(v->u.seq.v[3]->u.seq.n, 0);
    g = array(v->u.seq.v[4], 'f', 4, planes);
    assert_memory_equal(g, flows, sizeof flows);
    assert_memory_equal(g + sizeof flows, cellprob, sizeof cellprob);
    close_seg(&s);
    lp_tmp_remove(dir);
}

/* Nothing found, at several diameters: no flows, no diameter; and a picture that is all outline. */
static void without(void **state)
{
    static const int plane[] = {1, 2, -1}, none[] = {0, -1};
    static uint32_t labels[2];
    lp_labels lb = {labels, 1, 2};
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x_seg.npy");
    lp_seg_file f = {.image = "x", .masks = &lb, .chan = -1, .diameter = NAN};
    const lp_pk *v;
    seg s;

    (void)state;
    assert_int_equal(lp_write_seg(path, &f, NULL), LP_OK);
    s = open_seg(path);
    assert_int_equal(s.dict->u.seq.n, 2 * 5);
    assert_null(lp_pk_dict_get(s.dict, "flows"));
    assert_null(lp_pk_dict_get(s.dict, "diameter"));
    assert_null(lp_pk_dict_get(s.dict, "est_diam"));
    array(lp_pk_dict_get(s.dict, "masks"), 'u', 2, plane);
    array(lp_pk_dict_get(s.dict, "outlines"), 'u', 2, plane);
    array(lp_pk_dict_get(s.dict, "ismanual"), 'b', 1, none);
    v = lp_pk_dict_get(s.dict, "chan_choose");
    assert_int_equal(v->u.seq.v[0]->u.i, 0);
    close_seg(&s);
    lp_tmp_remove(dir);
}

/* Labels that uint16 does not hold. */
static void many_labels(void **state)
{
    static const int plane[] = {1, 3, -1};
    static uint32_t labels[3] = {0, 65534, 1};
    lp_labels lb = {labels, 1, 3};
    char *dir = lp_tmp_dir();
    const char *path = lp_tmp_path(dir, "x_seg.npy");
    lp_seg_file f = {.image = "x", .masks = &lb, .diameter = NAN};
    seg s;

    (void)state;
    assert_int_equal(lp_write_seg(path, &f, NULL), LP_OK);
    s = open_seg(path);
    array(lp_pk_dict_get(s.dict, "masks"), 'u', 2, plane);
    close_seg(&s);
    labels[1] = 70000;
    assert_int_equal(lp_write_seg(path, &f, NULL), LP_OK);
    s = open_seg(path);
    assert_memory_equal(array(lp_pk_dict_get(s.dict, "masks"), 'u', 4, plane), labels,
                        sizeof labels);
    assert_memory_equal(array(lp_pk_dict_get(s.dict, "outlines"), 'u', 4, plane), labels,
                        sizeof labels);
    close_seg(&s);
    lp_tmp_remove(dir);
}

static void no_folder(void **state)
{
    static uint32_t labels[1];
    lp_labels lb = {labels, 1, 1};
    lp_seg_file f = {.image = "x", .masks = &lb, .diameter = NAN};
    lp_err err;

    (void)state;
    assert_int_equal(lp_write_seg("/nonexistent/x_seg.npy", &f, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "/nonexistent/x_seg.npy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_image),
        cmocka_unit_test(without),
        cmocka_unit_test(many_labels),
        cmocka_unit_test(no_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
