#include "train_state.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../weights/sha256.h"
#include "atomic.h"

#define MAGIC "LPTRAIN1"

typedef struct {
    char magic[8], fingerprint[64];
    int32_t epoch, images, n_epochs, zero;
    int64_t steps, n_weights, n_state;
    double loss_sum;
} head; /* 120 bytes, no gaps */

_Static_assert(sizeof(head) == 120, "the head of the file has no gaps");

static size_t count(const lp_weights *w)
{
    size_t n = 0;
    int i;

    for (i = 0; i < w->n_tensors; i++) n += w->tensors[i].n;
    return n;
}

static size_t file_size(const lp_train_progress *p, size_t weights, size_t state)
{
    return sizeof(head) + (size_t)p->n_epochs * 2 * sizeof(double) +
           (weights + state) * sizeof(float) + 64;
}

static uint8_t *put(uint8_t *at, const void *from, size_t n)
{
    memcpy(at, from, n);
    return at + n;
}

lp_status lp_train_state_write(const char *path, const lp_train_progress *p, const lp_weights *w,
                               const lp_optim *o, lp_err *err)
{
    size_t n_weights = count(w), n = file_size(p, n_weights, o->n_state);
    uint8_t *buf = malloc(n), *at;
    head h = {MAGIC, "",       p->epoch,           p->images,           p->n_epochs,
              0,     o->steps, (int64_t)n_weights, (int64_t)o->n_state, p->loss_sum};
    char sum[65];
    lp_status st;
    int i;

    if (!buf) return lp_fail_mem(err, path, (double)n);
    memcpy(h.fingerprint, p->fingerprint, sizeof h.fingerprint);
    at = put(buf, &h, sizeof h);
    at = put(at, p->train_loss, (size_t)p->n_epochs * sizeof(double));
    at = put(at, p->test_loss, (size_t)p->n_epochs * sizeof(double));
    for (i = 0; i < w->n_tensors; i++)
        at = put(at, w->tensors[i].data, w->tensors[i].n * sizeof(float));
    at = put(at, o->state, o->n_state * sizeof(float));
    lp_sha256(buf, (size_t)(at - buf), sum);
    memcpy(at, sum, 64);
    st = lp_atomic_write_file(path, buf, n, err);
    free(buf);
    return st;
}

lp_status lp_train_state_parse(const char *where, const uint8_t *data, size_t n,
                               lp_train_progress *p, lp_weights *w, lp_optim *o, lp_err *err)
{
    size_t n_weights = count(w), losses = (size_t)p->n_epochs * sizeof(double);
    const uint8_t *at = data;
    char sum[65];
    head h;
    int i;

    if (n < sizeof h || memcmp(data, MAGIC, 8))
        return lp_fail(err, LP_EFORMAT, "%s: not the state of a training run", where);
    memcpy(&h, data, sizeof h);
    if (memcmp(h.fingerprint, p->fingerprint, 64))
        return lp_fail(err, LP_EARG,
                       "%s: of a run with other options, images or model: repeat them, or train "
                       "anew with --overwrite",
                       where);
    if (h.n_epochs != p->n_epochs || h.n_weights != (int64_t)n_weights ||
        h.n_state != (int64_t)o->n_state || n != file_size(p, n_weights, o->n_state))
        return lp_fail(err, LP_EFORMAT, "%s: damaged: %zu bytes, not %zu", where, n,
                       file_size(p, n_weights, o->n_state));
    lp_sha256(data, n - 64, sum);
    if (memcmp(sum, data + n - 64, 64) || h.epoch < 0 || h.epoch > p->n_epochs || h.images < 0 ||
        h.steps < 0 || !isfinite(h.loss_sum))
        return lp_fail(err, LP_EFORMAT, "%s: damaged: its checksum is wrong", where);
    p->epoch = h.epoch;
    p->images = h.images;
    p->loss_sum = h.loss_sum;
    o->steps = h.steps;
    at += sizeof h;
    memcpy(p->train_loss, at, losses);
    memcpy(p->test_loss, at + losses, losses);
    at += 2 * losses;
    for (i = 0; i < w->n_tensors; i++) {
        memcpy(w->tensors[i].data, at, w->tensors[i].n * sizeof(float));
        at += w->tensors[i].n * sizeof(float);
    }
    memcpy(o->state, at, o->n_state * sizeof(float));
    return LP_OK;
}

lp_status lp_train_state_read(const char *path, lp_train_progress *p, lp_weights *w, lp_optim *o,
                              lp_err *err)
{
    size_t most = file_size(p, count(w), o->n_state) + 1, n;
    uint8_t *data = malloc(most);
    FILE *f = data ? fopen(path, "rb") : NULL;
    lp_status st;

    if (!f) {
        st = data ? lp_fail(err, LP_EIO, "%s: %s", path, strerror(errno))
                  : lp_fail_mem(err, path, (double)most);
        free(data);
        return st;
    }
    n = fread(data, 1, most, f);
    st = ferror(f) ? lp_fail(err, LP_EIO, "%s: cannot be read", path)
                   : lp_train_state_parse(path, data, n, p, w, o, err);
    fclose(f);
    free(data);
    return st;
}
