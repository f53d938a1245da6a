/* train_run - a training run from folders to a model file (Cellpose: train_seg).
 *
 * Every random number follows from the seed, the epoch and the place in it, so a run that was
 * stopped and resumed gives the bytes of one that was not. Beside MODEL.h5 lie MODEL_loss.csv and
 * MODEL_loss.png, and while the run is not finished MODEL.h5.state (train_state.h). */
#ifndef LP_TRAIN_RUN_H
#define LP_TRAIN_RUN_H

#include "train_backend.h"
#include "train_data.h"

typedef struct {
    const char *dir, *test_dir;               /* test_dir may be NULL */
    const char *test_labels;                  /* folder, or NULL */
    const lp_train_files *given, *given_test; /* these instead of dir's and test_dir's, or NULL */
    lp_train_files_options files;
    lp_train_data_options data; /* nchan is the model's */
    const char *model;          /* name or path; NULL: the bundled one; "none": from scratch */
    int nbase[LP_MAX_NBASE], n_nbase;
    double diam_mean;    /* px; from scratch only */
    const char *out;     /* MODEL.h5 */
    const char *licence; /* NULL: that of the model it starts from */
    lp_optim_options optim;
    const char *probs; /* table of weights (train_probs.h), or NULL */
    int train_size;    /* 1: fit a size model at the end (train_size.h) */
    double learning_rate, scale_range;
    int n_epochs, batch_size, bsize;
    int nimg_per_epoch, nimg_test_per_epoch; /* 0: each image once */
    int save_every, save_each;
    int rescale; /* 1: to diam_mean */
    uint64_t seed;
    const lp_train_backend *be; /* NULL: the CPU's */
    int gpu_device;
    size_t gpu_memory; /* bytes, 0: all */
    int threads;
    int bf16; /* train_net.h */
    int resume, overwrite, quiet, json;
} lp_train_options;

/* LP_ESIGNAL where a signal came: *signal is which, and state and model are saved. Lines for people
 * go to stderr, --json's to stdout. */
lp_status lp_train_run(const lp_train_options *o, int *signal, lp_err *err);

#endif
