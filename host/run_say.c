/* run_say - what a run tells of its images: lines, records, counts. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal.h"
#include "run_tasks.h"

void lp_run_printable(char *out, size_t cap, const char *name)
{
    char *p;

    snprintf(out, cap, "%s", name);
    for (p = out; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127) *p = '?';
}

void lp_run_name(char *out, size_t cap, const char *path, int page, int npages)
{
    size_t n;

    lp_run_printable(out, cap, path);
    n = strlen(out);
    if (npages > 1) snprintf(out + n, cap - n, " page %d", page + 1);
}

void lp_run_print(lp_running *r, const char *line)
{
    if (r->stdout_error) return;
    errno = 0;
    if (puts(line) < 0 || fflush(stdout)) r->stdout_error = errno ? errno : EIO;
}

void lp_run_tell_once(lp_running *r, int what, const char *text)
{
    int told;

    pthread_mutex_lock(&r->lock);
    told = r->told & what;
    r->told |= what;
    pthread_mutex_unlock(&r->lock);
    if (!told) lp_progress_message(r->progress, text);
}

char *lp_run_record(const lp_running *r, const lp_run_task *t, const lp_done_input *input,
                    double start, const lp_results *res, const lp_diameters_result *found,
                    const char *error)
{
    const lp_run_options *o = r->o;
    lp_json_record rec = {.file = t->x->path,
                          .page = t->page + 1,
                          .error = error,
                          .particles = -1,
                          .pages = t->npages,
                          .only_page = o->page,
                          .settings = o->settings,
                          .wall_s = omp_get_wtime() - start,
                          .began = NAN,
                          .started_s = start - r->started,
                          .worker = t->worker,
                          .process = r->process,
                          .peak_mib = lp_json_peak_mib()};
    char shard[32], *line = NULL;
    lp_err err;

    if (input && input->bytes >= 0) {
        rec.bytes = input->bytes;
        rec.mtime = input->mtime;
    }
    if (!isnan(start)) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        rec.began = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - rec.wall_s;
    }
    if (o->shard.count > 1) {
        snprintf(shard, sizeof shard, "%d/%d", o->shard.index, o->shard.count);
        rec.shard = shard;
    }
    if (res) {
        rec.particles = res->n;
        rec.diameter = res->diameter;
        rec.Ly = res->Ly;
        rec.Lx = res->Lx;
        rec.pixel_nm = res->pixel_nm;
        rec.stages = res->stage;
        rec.n_stages = res->n_stages;
        rec.outputs = (const char *const *)res->output;
        rec.n_outputs = res->n_outputs;
        rec.found = found->layers ? found : NULL;
    }
    return lp_json_format(&rec, &line, &err) ? NULL : line;
}

void lp_run_count(lp_running *r, const lp_run_task *t, const char *base, const lp_results *res,
                  const char *error, const char *line)
{
    char shown[PATH_MAX], name[PATH_MAX + 32], text[PATH_MAX + 1200];
    lp_err err = {0};

    lp_run_printable(shown, sizeof shown, t->x->path);
    lp_run_name(name, sizeof name, t->x->path, t->page, t->npages);
    if (res) {
        snprintf(text, sizeof text, "%lld particle%s", (long long)res->n, res->n == 1 ? "" : "s");
        if (r->o->segment.diameter == 0 && !lp_run_many(r->o))
            snprintf(text + strlen(text), 64, " (diameter %.1f px, estimated)", res->diameter);
    } else {
        /* Most messages begin with the path; those that do not get it. */
        size_t n = strlen(shown);
        int named = !strncmp(error, shown, n) && (error[n] == ':' || error[n] == ' ');

        snprintf(text, sizeof text, "lipopose: %s%s%s", named ? "" : name, named ? "" : ": ",
                 error);
    }
    pthread_mutex_lock(&r->lock);
    if (res) {
        lp_tally_add(&r->tally, res);
        lp_tally_mend(&r->tally, base);
        lp_tally_mend(&r->tally, t->x->base); /* a stack that could not be read before */
    } else {
        lp_tally_fail(&r->tally, base);
    }
    if (r->o->settings && line) lp_journal_add(base, &r->o->shard, line, &err);
    if (r->o->json && line) lp_run_print(r, line);
    pthread_mutex_unlock(&r->lock);
    if (res) {
        lp_progress_image_done(r->progress, name, text);
    } else {
        lp_progress_message(r->progress, text);
        lp_progress_image_done(r->progress, name, NULL);
    }
    if (err.status && res) {
        snprintf(text, sizeof text, "lipopose: the log of records has gaps: %s", err.msg);
        lp_run_tell_once(r, LP_TOLD_JOURNAL, text);
    }
}

void lp_run_fail(lp_running *r, const lp_run_task *t, const char *base, const lp_done_input *input,
                 double start, const char *error)
{
    char *line = lp_run_record(r, t, input, start, NULL, NULL, error);

    if (r->o->settings && line && input) lp_done_write(base, line, NULL);
    lp_run_count(r, t, base, NULL, error, line);
    free(line);
}
