#include "torch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

/* Deflate makes at most 1032 bytes of one. */
#define MAX_INFLATE 1032

typedef struct {
    const lp_pk_storage *s;
    int64_t at; /* index in the archive, or byte offset in the stream; -1 not found yet */
} entry;

struct lp_torch_file {
    char *path;
    zip_t *zip;
    int fd;
    int64_t file_size;
    unsigned char *head; /* data.pkl, or the head of the stream: what the nodes point into */
    lp_pickle *pickle;
    entry *e; /* sorted by key, one per key */
    int n;
};

static int by_key(const lp_pk_storage *a, const lp_pk_storage *b)
{
    size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
    int c = memcmp(a->key, b->key, n);

    return c ? c : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int entry_order(const void *a, const void *b)
{
    return by_key(((const entry *)a)->s, ((const entry *)b)->s);
}

static int find(const lp_torch_file *tf, const lp_pk_storage *s)
{
    int lo = 0, hi = tf->n - 1;

    while (lo <= hi) {
        int mid = lo + (hi - lo) / 2, c = by_key(s, tf->e[mid].s);

        if (!c) return mid;
        if (c < 0)
            hi = mid - 1;
        else
            lo = mid + 1;
    }
    return -1;
}

static int64_t bytes_of(const lp_pk_storage *s)
{
    return s->numel * (int64_t)lp_dtype_size(s->dtype); /* numel <= 2^40 */
}

/* One entry per key; the same key must mean the same storage. */
static lp_status index_storages(lp_torch_file *tf, lp_err *err)
{
    size_t n, i;
    lp_pk_storage *const *s = lp_pickle_storages(tf->pickle, &n);
    int64_t total = 0;

    if (!(tf->e = calloc(n + 1, sizeof *tf->e)))
        return lp_fail_mem(err, tf->path, (double)n * sizeof *tf->e);
    for (i = 0; i < n; i++) {
        tf->e[i].s = s[i];
        tf->e[i].at = -1;
    }
    if (n) qsort(tf->e, n, sizeof *tf->e, entry_order);
    for (i = 0; i < n; i++) {
        if (tf->n && !by_key(tf->e[tf->n - 1].s, tf->e[i].s)) {
            if (tf->e[tf->n - 1].s->numel == tf->e[i].s->numel &&
                tf->e[tf->n - 1].s->dtype == tf->e[i].s->dtype)
                continue;
            return lp_fail(err, LP_EFORMAT, "%s: a storage is declared twice with different sizes",
                           tf->path);
        }
        total += bytes_of(tf->e[i].s);
        if (total > LP_TORCH_MAX_BYTES)
            return lp_fail(err, LP_EFORMAT, "%s: declares more than %d MiB of tensors", tf->path,
                           (int)(LP_TORCH_MAX_BYTES >> 20));
        tf->e[tf->n++] = tf->e[i];
    }
    return LP_OK;
}

static lp_status stat_member(lp_torch_file *tf, zip_uint64_t index, zip_stat_t *zs, lp_err *err)
{
    const zip_uint64_t need =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;

    if (zip_stat_index(tf->zip, index, 0, zs) || (zs->valid & need) != need)
        return lp_fail(err, LP_EFORMAT, "%s: damaged zip archive: %s", tf->path,
                       zip_strerror(tf->zip));
    if (zs->encryption_method != ZIP_EM_NONE ||
        (zs->comp_method != ZIP_CM_STORE && zs->comp_method != ZIP_CM_DEFLATE))
        return lp_fail(err, LP_EFORMAT, "%s: a zip archive with encryption or an odd compression",
                       tf->path);
    if (zs->comp_size > (zip_uint64_t)tf->file_size ||
        zs->size > zs->comp_size * (zs->comp_method == ZIP_CM_STORE ? 1 : MAX_INFLATE) + 64)
        return lp_fail(err, LP_EFORMAT, "%s: the archive declares more bytes than it has",
                       tf->path);
    return LP_OK;
}

static lp_status read_member(lp_torch_file *tf, zip_uint64_t index, void *buf, size_t n,
                             lp_err *err)
{
    zip_file_t *f = zip_fopen_index(tf->zip, index, 0);
    size_t got = 0;
    zip_int64_t k = 0;
    char extra;

    if (!f)
        return lp_fail(err, LP_EFORMAT, "%s: damaged zip archive: %s", tf->path,
                       zip_strerror(tf->zip));
    while (got < n && (k = zip_fread(f, (char *)buf + got, n - got)) > 0) got += (size_t)k;
    /* The read beyond the end makes libzip compare the checksum. */
    if (got == n) k = zip_fread(f, &extra, 1);
    zip_fclose(f);
    if (got != n || k != 0)
        return lp_fail(err, LP_EFORMAT,
                       "%s: damaged zip archive: member %llu is cut off or its "
                       "checksum is wrong",
                       tf->path, (unsigned long long)index);
    return LP_OK;
}

/* Length of NAME/ where the member is NAME/data.pkl (or data.pkl at the top), else -1. */
static int pickle_prefix(const char *name)
{
    const char *slash = strchr(name, '/'), *base = slash ? slash + 1 : name;

    return strcmp(base, "data.pkl") ? -1 : (int)(base - name);
}

static lp_status check_byteorder(lp_torch_file *tf, const char *prefix, int n_prefix, lp_err *err)
{
    char name[512], order[8] = "";
    zip_int64_t i;
    zip_stat_t zs;
    lp_status st;

    snprintf(name, sizeof name, "%.*sbyteorder", n_prefix, prefix);
    if ((i = zip_name_locate(tf->zip, name, 0)) < 0) return LP_OK; /* before PyTorch 2.1 */
    if ((st = stat_member(tf, (zip_uint64_t)i, &zs, err))) return st;
    if (zs.size < sizeof order &&
        (st = read_member(tf, (zip_uint64_t)i, order, (size_t)zs.size, err)))
        return st;
    if (strcmp(order, "little"))
        return lp_fail(err, LP_EFORMAT,
                       "%s: its byte order is not little-endian; save it anew on "
                       "an x86 or ARM machine",
                       tf->path);
    return LP_OK;
}

static lp_status open_zip(lp_torch_file *tf, lp_err *err)
{
    zip_int64_t n, i, at;
    const char *name = NULL;
    char full[512];
    int code = 0, prefix = -1, k;
    zip_stat_t zs;
    lp_status st;

    if (!(tf->zip = zip_open(tf->path, ZIP_RDONLY, &code))) {
        zip_error_t ze;

        zip_error_init_with_code(&ze, code);
        st = lp_fail(err, LP_EFORMAT, "%s: damaged zip archive: %s", tf->path,
                     zip_error_strerror(&ze));
        zip_error_fini(&ze);
        return st;
    }
    n = zip_get_num_entries(tf->zip, 0);
    for (i = 0; i < n && prefix < 0; i++)
        if ((name = zip_get_name(tf->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW)))
            prefix = pickle_prefix(name);
    if (prefix < 0 || prefix > 400)
        return lp_fail(err, LP_EFORMAT, "%s: a zip archive without data.pkl, not a PyTorch file",
                       tf->path);
    if ((st = stat_member(tf, (zip_uint64_t)(i - 1), &zs, err))) return st;
    if (zs.size > LP_PICKLE_MAX_BYTES)
        return lp_fail(err, LP_EFORMAT, "%s: its data.pkl has %.0f MiB (at most %d)", tf->path,
                       (double)zs.size / 1048576, (int)(LP_PICKLE_MAX_BYTES >> 20));
    if (!(tf->head = malloc((size_t)zs.size + 1)))
        return lp_fail_mem(err, tf->path, (double)zs.size);
    if ((st = read_member(tf, (zip_uint64_t)(i - 1), tf->head, (size_t)zs.size, err))) return st;
    st = lp_unpickle(tf->head, (size_t)zs.size, tf->path, NULL, &tf->pickle, err);
    if (st || (st = check_byteorder(tf, name, prefix, err)) || (st = index_storages(tf, err)))
        return st;
    for (k = 0; k < tf->n; k++) {
        const lp_pk_storage *s = tf->e[k].s;

        snprintf(full, sizeof full, "%.*sdata/%.*s", prefix, name, (int)s->key_len, s->key);
        at = memchr(s->key, 0, s->key_len) ? -1 : zip_name_locate(tf->zip, full, 0);
        if (at < 0) {
            char shown[80];

            lp_pk_printable(shown, sizeof shown, s->key, s->key_len);
            return lp_fail(err, LP_EFORMAT, "%s: storage data/%s is missing", tf->path, shown);
        }
        if ((st = stat_member(tf, (zip_uint64_t)at, &zs, err))) return st;
        if (zs.size != (zip_uint64_t)bytes_of(s))
            return lp_fail(err, LP_EFORMAT,
                           "%s: storage data/%.*s has %llu bytes, its tensors need %lld", tf->path,
                           (int)s->key_len, s->key, (unsigned long long)zs.size,
                           (long long)bytes_of(s));
        tf->e[k].at = at;
    }
    return LP_OK;
}

static lp_status read_at(lp_torch_file *tf, int64_t at, void *buf, size_t n, lp_err *err)
{
    size_t got = 0;
    ssize_t k;

    while (got < n) {
        k = pread(tf->fd, (char *)buf + got, n - got, (off_t)(at + (int64_t)got));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return lp_fail(err, LP_EIO, "%s: %s", tf->path, strerror(errno));
        if (k == 0) return lp_fail(err, LP_EFORMAT, "%s: the file is cut off", tf->path);
        got += (size_t)k;
    }
    return LP_OK;
}

/* Walks the records behind the pickles: for each key an int64 count and the numbers. */
static lp_status locate_stream(lp_torch_file *tf, const lp_pk *keys, int64_t at, lp_err *err)
{
    size_t i;
    int k;
    int64_t count;
    lp_status st;
    lp_pk_storage probe = {0};

    for (i = 0; i < keys->u.seq.n; i++) {
        const lp_pk *key = keys->u.seq.v[i];

        if (key->type != LP_PK_STR)
            return lp_fail(err, LP_EFORMAT, "%s: a storage key that is no string", tf->path);
        probe.key = key->u.s.p;
        probe.key_len = key->u.s.n;
        if ((k = find(tf, &probe)) < 0 || tf->e[k].at >= 0)
            return lp_fail(err, LP_EFORMAT, "%s: storage %zu is of no tensor or is there twice",
                           tf->path, i);
        if ((st = read_at(tf, at, &count, sizeof count, err))) return st;
        if (count != tf->e[k].s->numel)
            return lp_fail(err, LP_EFORMAT,
                           "%s: storage %zu has %lld elements, its tensors need %lld", tf->path, i,
                           (long long)count, (long long)tf->e[k].s->numel);
        at += (int64_t)sizeof count;
        if (bytes_of(tf->e[k].s) > tf->file_size - at)
            return lp_fail(err, LP_EFORMAT,
                           "%s: the file is cut off: storage %zu of %zu needs %lld bytes", tf->path,
                           i, keys->u.seq.n, (long long)bytes_of(tf->e[k].s));
        tf->e[k].at = at;
        at += bytes_of(tf->e[k].s);
    }
    for (k = 0; k < tf->n; k++)
        if (tf->e[k].at < 0)
            return lp_fail(err, LP_EFORMAT, "%s: a storage that a tensor needs is missing",
                           tf->path);
    return LP_OK;
}

static lp_status open_stream(lp_torch_file *tf, lp_err *err)
{
    static const unsigned char magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                            0x20, 0x6a, 0xa8, 0x50, 0x19};
    size_t most = 2 * LP_PICKLE_MAX_BYTES, n, used, at = 0;
    lp_pickle *pk[5] = {NULL};
    const lp_pk *v;
    lp_status st;
    int i;

    n = tf->file_size < (int64_t)most ? (size_t)tf->file_size : most;
    if (!(tf->head = malloc(n + 1))) return lp_fail_mem(err, tf->path, (double)n);
    if ((st = read_at(tf, 0, tf->head, n, err))) return st;
    for (i = 0; i < 5; i++) {
        if ((st = lp_unpickle(tf->head + at, n - at, tf->path, &used, &pk[i], err))) goto done;
        at += used;
        v = lp_pickle_root(pk[i]);
        if (i == 0 && (v->type != LP_PK_BIGINT || v->u.s.n != 10 || memcmp(v->u.s.p, magic, 10))) {
            st = lp_fail(err, LP_EFORMAT, "%s: a pickle (%s), but not a PyTorch file", tf->path,
                         lp_pk_type_name(v->type));
            goto done;
        }
        if (i == 1 && (v->type != LP_PK_INT || v->u.i != 1001)) {
            st = lp_fail(err, LP_EFORMAT, "%s: a PyTorch stream of another version than 1001",
                         tf->path);
            goto done;
        }
        if (i == 2) {
            const lp_pk *little = v->type == LP_PK_DICT ? lp_pk_dict_get(v, "little_endian") : NULL;

            if (!little || little->type != LP_PK_BOOL || !little->u.i) {
                st = lp_fail(err, LP_EFORMAT,
                             "%s: its byte order is not little-endian; save it "
                             "anew on an x86 or ARM machine",
                             tf->path);
                goto done;
            }
        }
    }
    tf->pickle = pk[3];
    pk[3] = NULL;
    if (v->type != LP_PK_LIST) {
        st = lp_fail(err, LP_EFORMAT, "%s: the list of storages is a %s", tf->path,
                     lp_pk_type_name(v->type));
        goto done;
    }
    if (!(st = index_storages(tf, err))) st = locate_stream(tf, v, (int64_t)at, err);
done:
    for (i = 0; i < 5; i++) lp_pickle_free(&pk[i]);
    return st;
}

lp_status lp_torch_open(const char *path, lp_torch_file **out, lp_err *err)
{
    lp_torch_file *tf = calloc(1, sizeof *tf);
    struct stat sb;
    char b[4] = "";
    lp_status st;

    if (!tf) return lp_fail_mem(err, path, (double)sizeof *tf);
    tf->fd = -1;
    if (!(tf->path = strdup(path))) {
        st = lp_fail_mem(err, path, 0);
        goto done;
    }
    tf->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (tf->fd < 0 || fstat(tf->fd, &sb) || !S_ISREG(sb.st_mode)) {
        st = lp_fail(err, LP_EIO, "%s: cannot open the model: %s", path,
                     tf->fd < 0 ? strerror(errno) : "not a plain file");
        goto done;
    }
    tf->file_size = sb.st_size;
    if (tf->file_size >= 4 && (st = read_at(tf, 0, b, 4, err))) goto done;
    st = !memcmp(b, "PK\3\4", 4) ? open_zip(tf, err) : open_stream(tf, err);
    if (st) goto done;
    *out = tf;
    tf = NULL;
done:
    lp_torch_close(&tf);
    return st;
}

void lp_torch_close(lp_torch_file **tf)
{
    if (!tf || !*tf) return;
    if ((*tf)->zip) zip_discard((*tf)->zip);
    if ((*tf)->fd >= 0) close((*tf)->fd);
    lp_pickle_free(&(*tf)->pickle);
    free((*tf)->head);
    free((*tf)->e);
    free((*tf)->path);
    free(*tf);
    *tf = NULL;
}

const lp_pk *lp_torch_root(const lp_torch_file *tf)
{
    return lp_pickle_root(tf->pickle);
}

int lp_torch_storage_id(const lp_torch_file *tf, const lp_pk_storage *s)
{
    return find(tf, s);
}

lp_status lp_torch_read(lp_torch_file *tf, int id, void *buf, size_t n, lp_err *err)
{
    if ((int64_t)n != bytes_of(tf->e[id].s))
        return lp_fail(err, LP_EARG, "%s: storage %d has another size", tf->path, id);
    if (tf->zip) return read_member(tf, (zip_uint64_t)tf->e[id].at, buf, n, err);
    return read_at(tf, tf->e[id].at, buf, n, err);
}
