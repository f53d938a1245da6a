#include "train_options.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../weights/arch.h"

lp_train_options lp_train_options_defaults(void)
{
    return (lp_train_options){.n_epochs = 500,
                              .batch_size = 8,
                              .bsize = 224,
                              .save_every = 100,
                              .scale_range = 0.5,
                              .rescale = 1,
                              .diam_mean = 30,
                              .learning_rate = NAN,
                              .optim = {1, 1e-5, 0.9},
                              .files = {.mask_filter = "_masks"},
                              .data = {.min_train_masks = 5, .normalize = lp_normalize_defaults()}};
}

static lp_status check_range(const char *name, double v, double lo, double hi, lp_err *err)
{
    return v >= lo && v <= hi
               ? LP_OK
               : lp_fail(err, LP_EARG, "--%s %g: from %g to %g can be used", name, v, lo, hi);
}

/* "2,32,64" */
static lp_status parse_nbase(const char *s, lp_train_options *o, lp_err *err)
{
    const char *p = s;
    char *end;

    for (o->n_nbase = 0; o->n_nbase < LP_MAX_NBASE; p = end + 1) {
        long v = strtol(p, &end, 10);

        if (end == p || v < 1 || v > LP_MAX_WIDTH || (*end && *end != ',')) break;
        o->nbase[o->n_nbase++] = (int)v;
        if (!*end && o->n_nbase > LP_ARCH_MIN_LEVELS) return LP_OK;
        if (!*end) break;
    }
    return lp_fail(err, LP_EARG,
                   "--nbase %s: give input channels and the channels of %d to %d levels, as "
                   "2,32,64,128,256",
                   s, LP_ARCH_MIN_LEVELS, LP_ARCH_MAX_LEVELS);
}

lp_status lp_train_options_check(lp_train_options *o, const char *nbase, int seed, lp_err *err)
{
    double rate = isnan(o->learning_rate) ? (o->optim.sgd ? 0.2 : 0.005) : o->learning_rate;
    /* A size model alone needs no epoch. */
    int least = o->train_size && !(o->model && !strcmp(o->model, "none")) ? 0 : 1;
    const struct {
        const char *name;
        double v, lo, hi;
    } ranges[] = {{"learning_rate", rate, 0, 1e3},
                  {"weight_decay", o->optim.weight_decay, 0, 1e3},
                  {"n_epochs", o->n_epochs, least, 1e6},
                  {"batch_size", o->batch_size, 1, 1024},
                  {"bsize", o->bsize, 16, 4096},
                  {"nimg_per_epoch", o->nimg_per_epoch, 0, 1e8},
                  {"nimg_test_per_epoch", o->nimg_test_per_epoch, 0, 1e8},
                  {"min_train_masks", o->data.min_train_masks, 0, 1e9},
                  {"save_every", o->save_every, 1, 1e9},
                  {"scale_range", o->scale_range, 0, 1.9},
                  {"diam_mean", o->diam_mean, 1, 1e4},
                  {"seed", seed, 0, INT_MAX},
                  {"threads", o->threads, 0, 4096}};
    size_t i;
    lp_status st;

    if (!o->dir)
        return lp_fail(err, LP_EARG, "--dir DIR: the folder of labelled images is missing");
    for (i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if ((st = check_range(ranges[i].name, ranges[i].v, ranges[i].lo, ranges[i].hi, err)))
            return st;
    o->seed = (uint64_t)seed;
    o->learning_rate = rate;
    if (o->model && (!strcmp(o->model, "None") || !strcmp(o->model, "False"))) o->model = "none";
    return parse_nbase(nbase, o, err);
}

lp_status lp_train_options_place(lp_train_options *o, const char *backend, const char *precision,
                                 double gpu_memory, lp_err *err)
{
    int any = !strcmp(precision, "auto");
    lp_status st;

    if (o->gpu_device < 0)
        return lp_fail(err, LP_EARG, "--gpu_device %d: GPUs count from 0", o->gpu_device);
    if (!(gpu_memory >= 0 && gpu_memory <= 65536))
        return lp_fail(err, LP_EARG, "--gpu_memory %g: must be GiB, or 0 for all", gpu_memory);
    if (!any && strcmp(precision, "fp32") && strcmp(precision, "bf16"))
        return lp_fail(err, LP_EARG, "--precision %s: choose auto, fp32 or bf16", precision);
    if ((st = lp_train_backend_find(backend, o->gpu_device, &o->be, err))) return st;
    o->gpu_memory = (size_t)(gpu_memory * 1073741824);
    o->bf16 = any ? o->be->bf16_pays() : !strcmp(precision, "bf16");
    return LP_OK;
}
