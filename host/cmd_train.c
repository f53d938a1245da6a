/* cmd_train - `lipopose train`: a model from labelled images. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "machine.h"
#include "options.h"
#include "train_options.h"

typedef struct {
    lp_train_options o;
    const char *name, *nbase, *savedir, *backend, *precision;
    double gpu_memory;
    int seed, sgd, help;
} args;

static lp_status check(args *a, lp_err *err)
{
    lp_train_options *o = &a->o;
    lp_status st = lp_train_options_place(o, a->backend, a->precision, a->gpu_memory, err);

    if (st) return st;
    o->optim.sgd = a->sgd != 0;
    return lp_train_options_check(o, a->nbase, a->seed, err);
}

/* DIR/models/NAME.h5 as Cellpose, or the path that a name with a folder is. */
static lp_status output_path(const args *a, char *path, lp_err *err)
{
    const char *name = a->name ? a->name : "lipopose";
    size_t n = strlen(name);
    const char *h5 = n > 3 && !strcmp(name + n - 3, ".h5") ? "" : ".h5";
    int k;

    if (!*name) return lp_fail(err, LP_EARG, "--model_name_out: is empty");
    if (strchr(name, '/'))
        k = snprintf(path, PATH_MAX, "%s%s", name, h5);
    else if (a->savedir)
        k = snprintf(path, PATH_MAX, "%s/%s%s", a->savedir, name, h5);
    else
        k = snprintf(path, PATH_MAX, "%s/models/%s%s", a->o.dir, name, h5);
    return k < PATH_MAX - 32 ? LP_OK : lp_fail(err, LP_EARG, "%s: the path is too long", name);
}

static const char usage_text[] =
    "usage: lipopose train --dir DIR [options]\n"
    "Learns from images x.tif with labels x_masks.tif (or _labels, _cp_masks, ..., .png, outlines\n"
    "of ImageJ or QuPath) and writes DIR/models/NAME.h5, NAME_loss.csv and NAME_loss.png.\n";

int lp_cmd_train(int argc, char **argv)
{
    args a = {.nbase = "2,32,64,128,256", .backend = "auto", .precision = "auto", .sgd = 1};
    lp_train_options *o = &a.o;
    lp_train_data_options *d = &o->data;
    char **rest = calloc((size_t)argc + 1, sizeof *rest), path[PATH_MAX];
    int n = 0, code = 0, no_norm = 0, no_rescale = 0, caught = 0;
    lp_err err = {0};
    lp_status st;
    const lp_option table[] = {
        {"Images and labels", LP_OPT_GROUP, NULL, NULL, NULL},
        {"dir", LP_OPT_STRING, &o->dir, "DIR", "images to learn from, with their labels"},
        {"labels", LP_OPT_STRING, &o->files.labels, "DIR", "their labels, if in another folder"},
        {"test_dir", LP_OPT_STRING, &o->test_dir, "DIR", "images to judge the training by"},
        {"test_labels", LP_OPT_STRING, &o->test_labels, "DIR", "their labels, if elsewhere"},
        {"mask_filter", LP_OPT_STRING, &o->files.mask_filter, "END",
         "what label files end with (_masks)"},
        {"img_filter", LP_OPT_STRING, &o->files.img_filter, "END", "what image names end with"},
        {"look_one_level_down", LP_OPT_ON, &o->files.look_one_level_down, NULL,
         "also the folders inside DIR"},
        {"chan", LP_OPT_INT, &d->chan, "C", "0 grey, 1 red, 2 green, 3 blue (0)"},
        {"chan2", LP_OPT_INT, &d->chan2, "C", "second channel, 0 none (0)"},
        {"min_train_masks", LP_OPT_INT, &d->min_train_masks, "N",
         "images with fewer particles are not used (5)"},
        {"invert", LP_OPT_ON, &d->normalize.invert, NULL, "dark becomes bright"},
        {"no_norm", LP_OPT_ON, &no_norm, NULL, "no normalisation"},
        {"norm_percentile", LP_OPT_DOUBLE2, d->normalize.percentile, "LO HI", "(1 99)"},
        {"Model", LP_OPT_GROUP, NULL, NULL, NULL},
        {"pretrained_model", LP_OPT_STRING, &o->model, "MODEL",
         "name, .h5 or .pth to begin with; none: from scratch (the bundled one)"},
        {"model", LP_OPT_STRING, &o->model, NULL, NULL},
        {"nbase", LP_OPT_STRING, &a.nbase, "C,...", "from scratch: channels (2,32,64,128,256)"},
        {"diam_mean", LP_OPT_DOUBLE, &o->diam_mean, "D", "from scratch: diameter in the net (30)"},
        {"model_name_out", LP_OPT_STRING, &a.name, "NAME", "DIR/models/NAME.h5, or a path"},
        {"savedir", LP_OPT_STRING, &a.savedir, "DIR", "instead of DIR/models"},
        {"licence", LP_OPT_STRING, &o->licence, "TEXT", "terms of use (those of MODEL)"},
        {"Learning", LP_OPT_GROUP, NULL, NULL, NULL},
        {"n_epochs", LP_OPT_INT, &o->n_epochs, "N", "(500)"},
        {"learning_rate", LP_OPT_DOUBLE, &o->learning_rate, "R", "(0.2; with --SGD 0: 0.005)"},
        {"weight_decay", LP_OPT_DOUBLE, &o->optim.weight_decay, "W", "(1e-5)"},
        {"SGD", LP_OPT_INT, &a.sgd, "0|1", "1: SGD with momentum 0.9, 0: AdamW (1)"},
        {"batch_size", LP_OPT_INT, &o->batch_size, "N", "crops per step (8)"},
        {"bsize", LP_OPT_INT, &o->bsize, "B", "size of a crop, px (224)"},
        {"nimg_per_epoch", LP_OPT_INT, &o->nimg_per_epoch, "N", "crops per epoch (one per image)"},
        {"nimg_test_per_epoch", LP_OPT_INT, &o->nimg_test_per_epoch, "N",
         "the same for --test_dir"},
        {"scale_range", LP_OPT_DOUBLE, &o->scale_range, "S",
         "random scale 1 - S/2 to 1 + S/2 (0.5)"},
        {"train_probs", LP_OPT_STRING, &o->probs, "FILE",
         "lines name,weight: how often each image is drawn (alike)"},
        {"train_size", LP_OPT_ON, &o->train_size, NULL,
         "also a size model, for segment --diameter 0; with --n_epochs 0 nothing else"},
        {"no_rescale", LP_OPT_ON, &no_rescale, NULL, "keep the images' scale"},
        {"seed", LP_OPT_INT, &a.seed, "S", "same seed and threads, same model (0)"},
        {"Run", LP_OPT_GROUP, NULL, NULL, NULL},
        {"save_every", LP_OPT_INT, &o->save_every, "N", "a checkpoint every N epochs (100)"},
        {"save_each", LP_OPT_ON, &o->save_each, NULL, "checkpoints in files of their own"},
        {"resume", LP_OPT_ON, &o->resume, NULL, "go on where a run was stopped"},
        {"overwrite", LP_OPT_ON, &o->overwrite, NULL, "begin anew where there is a model"},
        {"backend", LP_OPT_STRING, &a.backend, "NAME", "auto, cpu or cuda"},
        {"precision", LP_OPT_STRING, &a.precision, "P", "auto, fp32 or bf16"},
        {"gpu_device", LP_OPT_INT, &o->gpu_device, "N", "which GPU, from 0 (0)"},
        {"gpu_memory", LP_OPT_DOUBLE, &a.gpu_memory, "GIB", "of the GPU at most (all)"},
        {"threads", LP_OPT_INT, &o->threads, "N", "(all)"},
        {"json", LP_OPT_ON, &o->json, NULL, "one record per epoch"},
        {"quiet", LP_OPT_ON, &o->quiet, NULL, "only errors"},
        {"verbose", LP_OPT_ON, NULL, NULL, NULL},
        {"train", LP_OPT_ON, NULL, NULL, NULL}, /* of cellpose's command lines */
        {"use_gpu", LP_OPT_ON, NULL, NULL, NULL},
        {"no_npy", LP_OPT_ON, NULL, NULL, NULL},
        {"file_list", LP_OPT_REFUSED, NULL, "put the images into a folder for --dir", NULL},
        {"help", LP_OPT_ON, &a.help, NULL, "this list"},
        {NULL, LP_OPT_GROUP, NULL, NULL, NULL},
    };

    *o = lp_train_options_defaults();
    if (!rest) return 1;
    if ((st = lp_options_parse(table, argc, argv, rest, &n, NULL, &err))) goto usage;
    if (a.help) {
        fputs(usage_text, stdout);
        lp_options_help(table, stdout);
        goto done;
    }
    if (n) {
        st = lp_fail(&err, LP_EARG, "%s: images are given with --dir DIR", rest[0]);
        goto usage;
    }
    o->rescale = !no_rescale;
    d->normalize.normalize = !no_norm;
    if ((st = check(&a, &err)) || (st = output_path(&a, path, &err))) goto usage;
    o->out = path;
    d->memory = 0.5 * lp_machine_memory();
    if (!(st = lp_train_run(o, &caught, &err))) goto done;
usage:
    fprintf(stderr, "lipopose train: %s\n", err.msg);
    code = st == LP_ESIGNAL ? 128 + caught : st == LP_EARG ? 2 : st == LP_EMISSING ? 3 : 1;
done:
    free(rest);
    return code;
}
