/* cmd_crossval - `lipopose crossval`: train and judge on folds of labelled images. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "crossval.h"
#include "diameters.h"
#include "machine.h"
#include "options.h"
#include "settings.h"
#include "train_options.h"

typedef struct {
    lp_crossval_options o;
    const char *nbase, *savedir, *backend, *precision, *diameters, *method, *levels;
    double threshold, gpu_memory;
    int seed, no_norm, no_rescale, help;
} args;

static lp_status check(args *a, int has_threshold, lp_diameters *d, char *out, lp_err *err)
{
    lp_crossval_options *o = &a->o;
    lp_run_options *r = &o->run;
    lp_train_options *t = &o->train;
    const lp_segment_options many = lp_diameters_defaults();
    lp_status st;

    t->optim.sgd = t->optim.sgd != 0;
    t->rescale = !a->no_rescale;
    t->data.normalize.normalize = !a->no_norm;
    if ((st = lp_train_options_check(t, a->nbase, a->seed, err))) return st;
    if (o->folds < 2 || o->folds > LP_CROSSVAL_MAX_FOLDS)
        return lp_fail(err, LP_EARG, "--folds %d: from 2 to %d can be used", o->folds,
                       LP_CROSSVAL_MAX_FOLDS);
    r->auto_diameters = !strcmp(a->diameters, "auto");
    if (!r->auto_diameters && (st = lp_diameters_parse(a->diameters, d, err))) return st;
    r->diameters = d->d;
    r->n_diameters = d->n;
    if ((st = lp_settings_merge(NULL, a->method, a->levels, has_threshold, a->threshold, &r->merge,
                                err)))
        return st;
    if (isnan(r->segment.flow_threshold)) r->segment.flow_threshold = many.flow_threshold;
    if (isnan(r->segment.cellprob_threshold))
        r->segment.cellprob_threshold = many.cellprob_threshold;
    r->merge.min_size = r->segment.min_size;
    /* What a model was trained with, it is judged with. */
    r->segment.chan = t->data.chan;
    r->segment.chan2 = t->data.chan2;
    r->segment.normalize = t->data.normalize.normalize;
    r->segment.invert = t->data.normalize.invert;
    memcpy(r->segment.norm_percentile, t->data.normalize.percentile,
           sizeof r->segment.norm_percentile);
    if (!strcmp(a->precision, "auto"))
        r->session.precision = LP_PRECISION_AUTO;
    else if (!strcmp(a->precision, "fp32"))
        r->session.precision = LP_PRECISION_FP32;
    else if (!strcmp(a->precision, "bf16"))
        r->session.precision = LP_PRECISION_BF16;
    else
        return lp_fail(err, LP_EARG, "--precision %s: choose auto, fp32 or bf16", a->precision);
    t->gpu_device = r->session.gpu_device;
    if ((st = lp_train_options_place(t, a->backend, a->precision, a->gpu_memory, err))) return st;
    r->session.gpu_memory = t->gpu_memory;
    r->session.backend = a->backend;
    r->session.threads = t->threads;
    t->data.memory = 0.5 * lp_machine_memory();
    if (a->savedir && !*a->savedir) return lp_fail(err, LP_EARG, "--savedir: is empty");
    if (a->savedir)
        snprintf(out, PATH_MAX, "%s", a->savedir);
    else
        snprintf(out, PATH_MAX, "%s/crossval", t->dir);
    o->out = out;
    return LP_OK;
}

static const char usage_text[] = "usage: lipopose crossval --dir DIR [options]\n"
                                 "Deals images x.tif with labels x_masks.tif (as train) into "
                                 "folds; trains one model per fold on\n"
                                 "the others and judges it on the fold: Cellpose at the small, "
                                 "median and large diameter of its\n"
                                 "training images, and many diameters merged at every threshold. "
                                 "The same command goes on where\n"
                                 "it was stopped.\n";

int lp_cmd_crossval(int argc, char **argv)
{
    args a = {.o = {.folds = 5, .train = lp_train_options_defaults()},
              .nbase = "2,32,64,128,256",
              .backend = "auto",
              .precision = "auto",
              .diameters = "20:150:5"};
    lp_train_options *t = &a.o.train;
    lp_train_data_options *d = &t->data;
    lp_segment_options *s = &a.o.run.segment;
    char **rest = calloc((size_t)argc + 1, sizeof *rest), out[PATH_MAX];
    lp_diameters list = {0};
    int n = 0, code = 0, caught = 0, has_threshold = 0, i;
    lp_err err = {0};
    lp_status st;
    const lp_option table[] = {
        {"Images and labels", LP_OPT_GROUP, NULL, NULL, NULL},
        {"dir", LP_OPT_STRING, &t->dir, "DIR", "images with their labels"},
        {"labels", LP_OPT_STRING, &t->files.labels, "DIR", "their labels, if in another folder"},
        {"mask_filter", LP_OPT_STRING, &t->files.mask_filter, "END",
         "what label files end with (_masks)"},
        {"img_filter", LP_OPT_STRING, &t->files.img_filter, "END", "what image names end with"},
        {"look_one_level_down", LP_OPT_ON, &t->files.look_one_level_down, NULL,
         "also the folders inside DIR"},
        {"chan", LP_OPT_INT, &d->chan, "C", "0 grey, 1 red, 2 green, 3 blue (0)"},
        {"chan2", LP_OPT_INT, &d->chan2, "C", "second channel, 0 none (0)"},
        {"invert", LP_OPT_ON, &d->normalize.invert, NULL, "dark becomes bright"},
        {"no_norm", LP_OPT_ON, &a.no_norm, NULL, "no normalisation"},
        {"norm_percentile", LP_OPT_DOUBLE2, d->normalize.percentile, "LO HI", "(1 99)"},
        {"Folds", LP_OPT_GROUP, NULL, NULL, NULL},
        {"folds", LP_OPT_INT, &a.o.folds, "N", "(5)"},
        {"seed", LP_OPT_INT, &a.seed, "S", "of folds and training (0)"},
        {"Learning, as train", LP_OPT_GROUP, NULL, NULL, NULL},
        {"pretrained_model", LP_OPT_STRING, &t->model, "MODEL",
         "name, .h5 or .pth to begin with; none: from scratch (the bundled one)"},
        {"model", LP_OPT_STRING, &t->model, NULL, NULL},
        {"nbase", LP_OPT_STRING, &a.nbase, "C,...", "from scratch: channels (2,32,64,128,256)"},
        {"diam_mean", LP_OPT_DOUBLE, &t->diam_mean, "D", "from scratch: diameter in the net (30)"},
        {"n_epochs", LP_OPT_INT, &t->n_epochs, "N", "(500)"},
        {"learning_rate", LP_OPT_DOUBLE, &t->learning_rate, "R", "(0.2; with --SGD 0: 0.005)"},
        {"weight_decay", LP_OPT_DOUBLE, &t->optim.weight_decay, "W", "(1e-5)"},
        {"SGD", LP_OPT_INT, &t->optim.sgd, "0|1", "1: SGD with momentum 0.9, 0: AdamW (1)"},
        {"batch_size", LP_OPT_INT, &t->batch_size, "N", "crops per step (8)"},
        {"bsize", LP_OPT_INT, &t->bsize, "B", "size of a crop, px (224)"},
        {"nimg_per_epoch", LP_OPT_INT, &t->nimg_per_epoch, "N", "crops per epoch (one per image)"},
        {"scale_range", LP_OPT_DOUBLE, &t->scale_range, "S",
         "random scale 1 - S/2 to 1 + S/2 (0.5)"},
        {"no_rescale", LP_OPT_ON, &a.no_rescale, NULL, "keep the images' scale"},
        {"min_train_masks", LP_OPT_INT, &d->min_train_masks, "N",
         "images with fewer particles are judged, not learnt from (5)"},
        {"save_every", LP_OPT_INT, &t->save_every, "N", "a checkpoint every N epochs (100)"},
        {"Segmenting, as segment", LP_OPT_GROUP, NULL, NULL, NULL},
        {"diameters", LP_OPT_STRING, &a.diameters, "LIST",
         "auto, MIN:MAX:STEP, MIN:MAX:xRATIO or A,B,C (20:150:5)"},
        {"merge", LP_OPT_STRING, &a.method, "METHOD", "scale (default), votes or affinity"},
        {"threshold", LP_OPT_DOUBLE, &a.threshold, "T", "support of the table's rows (12)"},
        {"levels", LP_OPT_STRING, &a.levels, "A,B,C", "falling thresholds; the last one counts"},
        {"flow_threshold", LP_OPT_DOUBLE, &s->flow_threshold, "X", "of what is merged (0.8)"},
        {"cellprob_threshold", LP_OPT_DOUBLE, &s->cellprob_threshold, "X",
         "of what is merged (-1); Cellpose alone has its own"},
        {"min_size", LP_OPT_INT, &s->min_size, "N", "pixels per mask (15); -1: off"},
        {"niter", LP_OPT_INT, &s->niter, "N", "steps along the flows (0: by diameter)"},
        {"Run", LP_OPT_GROUP, NULL, NULL, NULL},
        {"savedir", LP_OPT_STRING, &a.savedir, "OUT", "(DIR/crossval)"},
        {"overwrite", LP_OPT_ON, &a.o.overwrite, NULL,
         "begin anew; removes what is in OUT's folds"},
        {"resume", LP_OPT_ON, NULL, NULL, NULL}, /* it always does */
        {"backend", LP_OPT_STRING, &a.backend, "NAME", "auto, cpu or cuda"},
        {"gpu_device", LP_OPT_INT, &a.o.run.session.gpu_device, "N", "which GPU, from 0 (0)"},
        {"gpu_memory", LP_OPT_DOUBLE, &a.gpu_memory, "GIB", "of the GPU at most (all)"},
        {"precision", LP_OPT_STRING, &a.precision, "P", "auto, fp32 or bf16"},
        {"threads", LP_OPT_INT, &t->threads, "N", "(all)"},
        {"json", LP_OPT_ON, &a.o.json, NULL, "crossval.json on standard output, no table"},
        {"quiet", LP_OPT_ON, &t->quiet, NULL, "only errors"},
        {"verbose", LP_OPT_ON, NULL, NULL, NULL},
        {"test_dir", LP_OPT_REFUSED, NULL, "the folds are what is judged", NULL},
        {"help", LP_OPT_ON, &a.help, NULL, "this list"},
        {NULL, LP_OPT_GROUP, NULL, NULL, NULL},
    };
    char seen[sizeof table / sizeof *table] = {0};

    *s = lp_diameters_defaults();
    s->flow_threshold = s->cellprob_threshold = NAN;
    if (!rest) return 1;
    if ((st = lp_options_parse(table, argc, argv, rest, &n, seen, &err))) goto failed;
    if (a.help) {
        fputs(usage_text, stdout);
        lp_options_help(table, stdout);
        goto done;
    }
    if (n) {
        st = lp_fail(&err, LP_EARG, "%s: images are given with --dir DIR", rest[0]);
        goto failed;
    }
    for (i = 0; table[i].name; i++)
        if (!strcmp(table[i].name, "threshold")) has_threshold = seen[i];
    if ((st = check(&a, has_threshold, &list, out, &err))) goto failed;
    if (!(st = lp_crossval_run(&a.o, &caught, &err))) goto done;
failed:
    fprintf(stderr, "lipopose crossval: %s\n", err.msg);
    code = st == LP_ESIGNAL ? 128 + caught : st == LP_EARG ? 2 : st == LP_EMISSING ? 3 : 1;
done:
    lp_diameters_free(&list);
    free(rest);
    return code;
}
