/* The pickle interpreter reads what tensors need, and refuses all else by name; nothing that
 * a file can say makes it run, recurse, or ask for more memory than stated. */
#include "weights_make.h"

#include "weights/half.h"
#include "weights/sha256.h"

static lp_status load(const void *p, size_t n, lp_pickle **pk, lp_err *err)
{
    size_t used;

    return lp_unpickle(p, n, "file", &used, pk, err);
}

static void refused(const char *p, size_t n, const char *part)
{
    lp_pickle *pk = NULL;
    lp_err err = {LP_OK, ""};
    lp_status st = load(p, n, &pk, &err);

    if (st != LP_EFORMAT || pk || !strstr(err.msg, part) || strchr(err.msg, '\n'))
        fail_msg("status %d, expected a message with \"%s\", got: %s", st, part, err.msg);
}
#define REFUSED(text, part) refused(text, sizeof(text) - 1, part)

static void values(void **state)
{
    /* {'a': (1, -2, 300, -70000, 2.5, True, None, b'x'), 'l': [1, 2]}, protocol 4 */
    static const char p4[] = "\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94(\x8c\x01"
                             "a\x94(K\x01J\xfe\xff\xff\xffM,\x01\x8a\x03\x90\xee\xfeG@\x04\0\0\0\0"
                             "\0\0\x88NC\x01xt\x94\x8c\x01l\x94](K\x01K\x02"
                             "eu.";
    lp_pickle *pk = NULL;
    const lp_pk *v, *t;
    lp_err err = {LP_OK, ""};

    (void)state;
    if (load(p4, sizeof p4 - 1, &pk, &err)) fail_msg("%s", err.msg);
    v = lp_pickle_root(pk);
    assert_int_equal(v->type, LP_PK_DICT);
    t = lp_pk_dict_get(v, "a");
    assert_non_null(t);
    assert_int_equal(t->type, LP_PK_TUPLE);
    assert_int_equal(t->u.seq.n, 8);
    assert_int_equal(t->u.seq.v[0]->u.i, 1);
    assert_int_equal(t->u.seq.v[1]->u.i, -2);
    assert_int_equal(t->u.seq.v[2]->u.i, 300);
    assert_int_equal(t->u.seq.v[3]->u.i, -70000);
    assert_true(t->u.seq.v[4]->u.f == 2.5);
    assert_int_equal(t->u.seq.v[5]->u.i, 1);
    assert_int_equal(t->u.seq.v[6]->type, LP_PK_NONE);
    assert_true(lp_pk_is(t->u.seq.v[7], "x"));
    assert_int_equal(lp_pk_dict_get(v, "l")->u.seq.n, 2);
    assert_null(lp_pk_dict_get(v, "zz"));
    lp_pickle_free(&pk);
    assert_null(pk);
}

static void hostile_globals(void **state)
{
    (void)state;
    REFUSED("cos\nsystem\n(X\x04\0\0\0echotR.", "os.system");
    REFUSED("\x80\x02"
            "cposix\nsystem\nX\x02\0\0\0ls\x85R.",
            "refuses to run posix.system");
    REFUSED("\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x8c\x02ls\x85R.", "posix.system");
    REFUSED("\x80\x02"
            "cbuiltins\neval\nX\x03\0\0\0"
            "1+1\x85R.",
            "builtins.eval");
    REFUSED("(X\x02\0\0\0lsios\nsystem\n.", "os.system");
    REFUSED("\x80\x02"
            "ctorch\nload\nX\x01\0\0\0x\x85R.",
            "torch.load");
    REFUSED("\x80\x02"
            "ccellpose.resnet_torch\nCPnet\n)\x81.",
            "cellpose.resnet_torch.CPnet");
    /* allowed names, used for what they are not */
    REFUSED("\x80\x02"
            "ctorch\nFloatStorage\n)R.",
            "a call of torch.FloatStorage");
    REFUSED("\x80\x02"
            "ccollections\nOrderedDict\nK\x01\x85R.",
            "OrderedDict");
    REFUSED("\x80\x02"
            "c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0rot\x86R.",
            "_codecs.encode");
    REFUSED("\x80\x02K\x01)R.", "a call of a int");
    REFUSED("\x80\x02K\x01}b.", "a state set on a int");
}

static void malformed(void **state)
{
    (void)state;
    REFUSED("", "ends within");
    REFUSED("\x80\x02", "ends within");
    REFUSED("\x80\x09N.", "protocol 9");
    REFUSED("\x80\x02.", "0 values");
    REFUSED("\x80\x02NN.", "2 values");
    REFUSED("\x80\x02t.", "no MARK");
    REFUSED("\x80\x02R.", "underflow");
    REFUSED("(e", "underflow");            /* a mark on an empty stack */
    REFUSED("\x80\x02N(Rt.", "underflow"); /* nothing is taken from below a mark */
    REFUSED("\x80\x02\x85.", "underflow");
    REFUSED("\x80\x02q\x01.", "underflow");
    REFUSED("\x80\x02h\x01.", "nothing in the memo");
    REFUSED("\x80\x02Nr\xff\xff\xff\xff.", "memo index");
    REFUSED("\x80\x02Nr\0\0\x10\0.", "memo index 1048576");
    REFUSED("\x80\x02X\xff\xff\xff\xff.", "a string of");
    REFUSED("\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "a string of");
    REFUSED("\x80\x02\x8b\xff\xff\xff\xff.", "an integer of");
    REFUSED("\x80\x02}(K\x01u.", "without a value");
    REFUSED("\x80\x02K\x01K\x02"
            "a.",
            "items added to a int");
    REFUSED("\x80\x02Nq\x01\x81.", "opcode 0x81");
    REFUSED("\x80\x02X\x01\0\0\0aQ.", "persistent id");
    REFUSED("\x80\x02"
            "cabc",
            "without a name");
}

static void limits(void **state)
{
    mk_bytes *b = calloc(1, sizeof *b);
    lp_pickle *pk = NULL;
    lp_err err;
    int i;

    (void)state;
    assert_non_null(b);
    for (i = 0; i < 1100; i++) mk_op(b, "(");
    refused((char *)b->p, b->n, "nested deeper");
    b->n = 0; /* a list in a list in a list ...: depth without marks is fine */
    for (i = 0; i < 200000; i++) mk_op(b, "]");
    for (i = 0; i < 199999; i++) mk_op(b, "a");
    mk_op(b, ".");
    assert_int_equal(load(b->p, b->n, &pk, &err), LP_OK);
    lp_pickle_free(&pk);
    b->n = 0; /* a list that contains itself */
    mk_op(b, "]q\x01h\x01"
             "a.");
    assert_int_equal(load(b->p, b->n, &pk, &err), LP_OK);
    assert_ptr_equal(lp_pickle_root(pk)->u.seq.v[0], lp_pickle_root(pk));
    lp_pickle_free(&pk);
    b->n = 0; /* one text of 100 kB, made into bytes again and again */
    mk_op(b, "c_codecs\nencode\nq\x01(");
    mk_put(b, "X\xa0\x86\x01\0", 5);
    memset(b->p + b->n, 'a', 100000);
    b->n += 100000;
    mk_str(b, "latin1");
    mk_op(b, "tq\x02");
    for (i = 0; i < 100000; i++) mk_op(b, "h\x01h\x02R");
    assert_int_equal(load(b->p, b->n, &pk, &err), LP_ENOMEM);
    assert_non_null(strstr(err.msg, "64 MiB"));
    assert_null(pk);
    b->n = 0;
    mk_op(b, "c");
    memset(b->p + b->n, 'm', 100000);
    b->n += 100000;
    mk_op(b, "\nx\n.");
    refused((char *)b->p, b->n, "without a name");
    free(b);
}

static void one_tensor(int64_t numel, int64_t offset, int64_t n0, int64_t n1, int64_t s0,
                       int64_t s1, const char *part)
{
    static mk_bytes b;
    int64_t shape[2] = {n0, n1}, stride[2] = {s0, s1};
    lp_pickle *pk = NULL;
    lp_err err;
    size_t n;

    b.n = 0;
    mk_tensor(&b, "FloatStorage", "0", numel, offset, 2, shape, stride, 0);
    mk_op(&b, ".");
    if (part) {
        refused((char *)b.p, b.n, part);
        return;
    }
    if (load(b.p, b.n, &pk, &err)) fail_msg("%s", err.msg);
    assert_int_equal(lp_pickle_root(pk)->type, LP_PK_TENSOR);
    assert_int_equal(lp_pickle_root(pk)->u.tensor->numel, n0 * n1);
    assert_int_equal(lp_pickle_storages(pk, &n)[0]->numel, numel);
    assert_int_equal(n, 1);
    lp_pickle_free(&pk);
}

static void tensors(void **state)
{
    const int64_t big = INT64_MAX;

    (void)state;
    one_tensor(6, 0, 2, 3, 3, 1, NULL);
    one_tensor(6, 0, 3, 2, 1, 3, NULL); /* transposed */
    one_tensor(7, 1, 2, 3, 3, 1, NULL);
    one_tensor(6, 0, 0, 3, 3, 1, NULL);
    one_tensor(6, 1, 2, 3, 3, 1, "beyond its storage");
    one_tensor(6, 0, 2, 3, 4, 1, "beyond its storage");
    one_tensor(6, 0, 1000, 1000, 0, 0, "beyond its storage"); /* expanded */
    one_tensor(6, -1, 2, 3, 3, 1, "offset -1");
    one_tensor(6, 0, 2, 3, -3, 1, "negative");
    one_tensor(6, 0, -2, 3, 3, 1, "negative");
    one_tensor(6, 0, big, big, 0, 0, "overflows");
    one_tensor(6, 0, 3, 1, big, 1, "overflows");
    one_tensor(6, big, 2, 1, 1, 1, "overflows");
    one_tensor(-1, 0, 1, 1, 1, 1, "a storage of -1");
    one_tensor(big, 0, 1, 1, 1, 1, "a storage of");
}

/* Cut off anywhere, or with any byte changed: an error or another value, never more. */
static void cut_and_changed(void **state)
{
    static mk_bytes b;
    int64_t shape[2] = {2, 3}, stride[2] = {3, 1};
    unsigned char *p;
    lp_pickle *pk = NULL;
    lp_err err;
    size_t i, n;
    int v;

    (void)state;
    b.n = 0;
    mk_op(&b, "\x80\x02}q\x01(");
    mk_str(&b, "key");
    mk_tensor(&b, "HalfStorage", "17", 6, 0, 2, shape, stride, 1);
    mk_op(&b, "u.");
    for (i = 0; i < b.n; i++) {
        p = malloc(i + 1); /* exact size, for the address sanitizer */
        assert_non_null(p);
        memcpy(p, b.p, i);
        assert_int_not_equal(lp_unpickle(p, i, "file", &n, &pk, &err), LP_OK);
        free(p);
        p = malloc(b.n);
        assert_non_null(p);
        for (v = 0; v < 256; v += 5) {
            memcpy(p, b.p, b.n);
            p[i] = (unsigned char)v;
            if (!lp_unpickle(p, b.n, "file", &n, &pk, &err)) lp_pickle_free(&pk);
        }
        free(p);
    }
}

static void half_floats(void **state)
{
    uint32_t h;
    uint16_t back;
    float f;
    static const struct {
        float f;
        uint16_t h;
    } t[] = {{1.0f, 0x3c00},         {-2.0f, 0xc000},         {65504.0f, 0x7bff},
             {65519.99f, 0x7bff},    {0x1p-24f, 0x0001},      {0x1p-25f, 0x0000},
             {0x1.8p-25f, 0x0001},   {0x1.8p-24f, 0x0002},    {0x1.002p0f, 0x3c00},
             {0x1.006p0f, 0x3c02},   {0x1.002002p0f, 0x3c01}, {0x1.ff8p-15f, 0x03ff},
             {0x1.ffcp-15f, 0x0400}, {-0.0f, 0x8000},         {0x1p-14f, 0x0400}};
    size_t i;

    (void)state;
    for (h = 0; h < 65536; h++) {
        uint16_t x = (uint16_t)h;

        lp_half_to_float(&f, &x, 1);
        if ((h & 0x7fff) > 0x7c00) {
            assert_true(isnan(f));
            continue;
        }
        lp_half_from_float(&back, &f, 1);
        assert_int_equal(back, h);
        if ((h & 0x7fff) < 0x7c00) {
            double e = (h >> 10 & 31) ? ldexp(1024 + (h & 1023), (int)(h >> 10 & 31) - 25)
                                      : ldexp(h & 1023, -24);
            assert_true((double)fabsf(f) == e);
        }
    }
    for (i = 0; i < sizeof t / sizeof *t; i++) {
        assert_int_equal(lp_half_from_float(&back, &t[i].f, 1), 0);
        assert_int_equal(back, t[i].h);
    }
    f = 65520.0f;
    assert_int_equal(lp_half_from_float(&back, &f, 1), 1);
    f = -1e30f;
    assert_int_equal(lp_half_from_float(&back, &f, 1), 1);
    back = 0x3fc0;
    lp_bf16_to_float(&f, &back, 1);
    assert_true(f == 1.5f);
}

static void sha(void **state)
{
    char hex[65], million[1000];
    lp_err err;
    FILE *f;
    int i;

    (void)state;
    lp_sha256("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    lp_sha256("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    lp_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', sizeof million);
    f = fopen(mk_path("million"), "wb");
    assert_non_null(f);
    for (i = 0; i < 1000; i++) fwrite(million, 1, sizeof million, f);
    fclose(f);
    assert_int_equal(lp_sha256_file(mk_path("million"), hex, &err), LP_OK);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_int_equal(lp_sha256_file(mk_path("absent"), hex, &err), LP_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),      cmocka_unit_test(hostile_globals),
        cmocka_unit_test(malformed),   cmocka_unit_test(limits),
        cmocka_unit_test(tensors),     cmocka_unit_test(cut_and_changed),
        cmocka_unit_test(half_floats), cmocka_unit_test(sha)};
    return cmocka_run_group_tests(tests, mk_setup, mk_teardown);
}
