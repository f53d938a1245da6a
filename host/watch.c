#include "watch.h"

#include <limits.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../weights/sha256.h"
#include "done.h"
#include "expected.h"

#define KEEP_EVERY 60.0 /* s */
#define LOOK_EVERY 2.0  /* s, at most; settle / 4 where that is less */
#define SHARE 5         /* looking takes at most a fifth of the time */

/* One file, as it was when it was last looked at. */
typedef struct {
    lp_done_input state;
    double since; /* when it was first seen so */
    int given;    /* so */
} seen;

/* Batches stay where they are: tasks point into them. */
typedef struct batch {
    lp_inputs in;
    struct batch *next;
} batch;

struct lp_watch {
    lp_watch_options o;
    char name[PATH_MAX + 32], id[17];
    char *away;    /* [o.n] 1: was told so */
    lp_inputs all; /* in order of being seen */
    seen *file;    /* [all.n] of room */
    int room;
    int *by_key;         /* [all.n] of room: sorted by key */
    lp_inputs left_out;  /* told; few */
    double looked, next; /* when it looked, and is to look again */
    double kept_at;
    int kept;                    /* of all, in the list on the disk */
    double last;                 /* when anything changed */
    int unsettled;               /* files that wait for the next look */
    batch *first, *ready, **end; /* all batches; the first that was not taken; where to add */
};

lp_status lp_watch_new(const lp_watch_options *o, lp_watch **out, lp_err *err)
{
    lp_watch *w;
    char text[PATH_MAX], hex[65];

    if (!(o->settle > 0 && o->settle <= 86400))
        return lp_fail(err, LP_EARG, "--watch_settle %g: must be seconds above 0", o->settle);
    if (!(o->timeout >= 0))
        return lp_fail(err, LP_EARG, "--watch_timeout %g: must be seconds, or 0 for no end",
                       o->timeout);
    if (!(w = calloc(1, sizeof *w)) || !(w->away = calloc((size_t)o->n + 1, 1))) {
        free(w);
        return lp_fail_mem(err, "watch", sizeof *w);
    }
    w->o = *o;
    w->o.find.growing = 1;
    if (o->n > 1)
        snprintf(w->name, sizeof w->name, "%s and %d more", o->names[0], o->n - 1);
    else
        snprintf(w->name, sizeof w->name, "%s", o->names[0]);
    /* Watches of other folders, or parts, into the same results have lists of their own. */
    snprintf(text, sizeof text, "%d %d/%d %s", o->n, o->shard.index, o->shard.count, o->names[0]);
    lp_sha256(text, strlen(text), hex);
    snprintf(w->id, sizeof w->id, "watch_%.10s", hex);
    w->end = &w->first;
    *out = w;
    return LP_OK;
}

void lp_watch_free(lp_watch **pw)
{
    lp_watch *w = pw ? *pw : NULL;

    if (!w) return;
    while (w->first) {
        batch *b = w->first;

        w->first = b->next;
        lp_inputs_free(&b->in);
        free(b);
    }
    lp_inputs_free(&w->all);
    lp_inputs_free(&w->left_out);
    free(w->file);
    free(w->by_key);
    free(w->away);
    free(w);
    *pw = NULL;
}

/* Where key is in by_key, or belongs. */
static int place(const lp_watch *w, const char *key, int *found)
{
    int lo = 0, hi = w->all.n;

    *found = 0;
    while (lo < hi && !*found) {
        int mid = lo + (hi - lo) / 2, c = strcmp(w->all.item[w->by_key[mid]].key, key);

        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
        *found = c == 0;
    }
    return hi;
}

/* A file that was not there before. */
static lp_status add(lp_watch *w, const lp_input *x, int at, lp_err *err)
{
    int n = w->all.n;
    lp_status st;

    if (n == w->room) {
        int room = n ? 2 * n : 256;
        seen *file = realloc(w->file, (size_t)room * sizeof *file);
        int *by_key = file ? realloc(w->by_key, (size_t)room * sizeof *by_key) : NULL;

        if (file) w->file = file;
        if (!by_key) return lp_fail_mem(err, "list of images", room * (double)sizeof *file);
        w->by_key = by_key;
        w->room = room;
    }
    if ((st = lp_inputs_add(&w->all, x, err))) return st;
    memmove(w->by_key + at + 1, w->by_key + at, (size_t)(n - at) * sizeof *w->by_key);
    w->by_key[at] = n;
    w->file[n] = (seen){.state.bytes = -2}; /* as no file is: the first look is a change */
    return LP_OK;
}

/* x would write the results of another file. */
static void leave_out(lp_watch *w, const lp_input *x, const lp_input *owner, lp_watch_tell *tell,
                      void *user)
{
    char line[2 * PATH_MAX + 100];
    int i;

    for (i = 0; i < w->left_out.n; i++)
        if (!strcmp(w->left_out.item[i].path, x->path)) return;
    if (lp_inputs_add(&w->left_out, x, NULL)) return;
    snprintf(line, sizeof line,
             "lipopose: %s is left out: it would write the same files as %s; run it with another "
             "--savedir",
             x->path, owner->path);
    tell(user, line);
}

/* Looks at one file. *out: a batch that it joins where it is complete. */
static lp_status look_at(lp_watch *w, const lp_input *x, double now, lp_inputs *out,
                         lp_watch_tell *tell, void *user, lp_err *err)
{
    lp_done_input state;
    int found, at = place(w, x->key, &found);
    lp_status st;
    seen *f;

    if (!found && (st = add(w, x, at, err))) return st;
    if (strcmp(w->all.item[w->by_key[at]].path, x->path)) {
        leave_out(w, x, &w->all.item[w->by_key[at]], tell, user);
        return LP_OK;
    }
    f = &w->file[w->by_key[at]];
    state = lp_done_look(x->path);
    if (state.bytes < 0) return LP_OK; /* gone again */
    if (state.bytes != f->state.bytes || strcmp(state.mtime, f->state.mtime)) {
        *f = (seen){state, now, 0};
        w->last = now;
    }
    if (f->given) return LP_OK;
    if (now - f->since < w->o.settle) {
        w->unsettled++;
        return LP_OK;
    }
    if (lp_shard_of(x->name, w->o.shard.count) == w->o.shard.index &&
        (st = lp_inputs_add(out, x, err)))
        return st;
    f->given = 1;
    return LP_OK;
}

/* One folder of those watched. */
static lp_status look_in(lp_watch *w, int i, double now, lp_inputs *out, lp_watch_tell *tell,
                         void *user, lp_err *err)
{
    char line[PATH_MAX + 600];
    lp_inputs in = {0};
    lp_status st = lp_inputs_find(w->o.names + i, 1, &w->o.find, &in, err);
    int k;

    if (st == LP_ENOMEM) return st;
    if (st && !w->away[i]) {
        snprintf(line, sizeof line, "lipopose: %s; waiting for it", err->msg);
        tell(user, line);
    } else if (!st && w->away[i]) {
        snprintf(line, sizeof line, "lipopose: %s: is there again", w->o.names[i]);
        tell(user, line);
    }
    w->away[i] = st != LP_OK;
    st = LP_OK;
    for (k = 0; k < in.n && !st; k++) st = look_at(w, &in.item[k], now, out, tell, user, err);
    lp_inputs_free(&in);
    return st;
}

/* Takes in, which becomes empty. */
static lp_status give(lp_watch *w, lp_inputs *in, lp_err *err)
{
    batch *b = malloc(sizeof *b);

    if (!b) return lp_fail_mem(err, "list of images", sizeof *b);
    *b = (batch){*in, NULL};
    memset(in, 0, sizeof *in);
    *w->end = b;
    w->end = &b->next;
    if (!w->ready) w->ready = b;
    return LP_OK;
}

void lp_watch_look(lp_watch *w, double now, lp_watch_tell *tell, void *user)
{
    double every = w->o.settle / 4 < LOOK_EVERY ? w->o.settle / 4 : LOOK_EVERY, took;
    double start = omp_get_wtime();
    lp_inputs out = {0};
    lp_status st = LP_OK;
    lp_err err;
    int i;

    if (now < w->next) return;
    w->looked = now;
    w->unsettled = 0;
    for (i = 0; i < w->o.n && !st; i++) st = look_in(w, i, now, &out, tell, user, &err);
    if (out.n && !st) st = give(w, &out, &err);
    if (st) { /* what was found and is not given out would be lost */
        tell(user, err.msg);
        for (i = 0; i < w->all.n; i++) w->file[i].state.bytes = -2;
        w->unsettled++;
    }
    lp_inputs_free(&out);
    took = omp_get_wtime() - start;
    w->next = now + took + (SHARE * took > every ? SHARE * took : every);
    if (now - w->kept_at >= KEEP_EVERY || !w->kept) {
        lp_watch_keep(w, tell, user);
        w->kept_at = now;
    }
}

const lp_inputs *lp_watch_take(lp_watch *w)
{
    batch *b = w->ready;

    if (!b) return NULL;
    w->ready = b->next;
    return &b->in;
}

double lp_watch_last(const lp_watch *w)
{
    return w->unsettled || w->ready ? -1 : w->last;
}

double lp_watch_looked(const lp_watch *w)
{
    return w->looked;
}

double lp_watch_timeout(const lp_watch *w)
{
    return w->o.timeout;
}

const char *lp_watch_name(const lp_watch *w)
{
    return w->name;
}

void lp_watch_keep(lp_watch *w, lp_watch_tell *tell, void *user)
{
    char line[sizeof(lp_err) + 100];
    lp_err err;

    if (w->kept == w->all.n) return;
    if (lp_expected_write(&w->all, w->id, &err)) {
        snprintf(line, sizeof line, "lipopose: gather will not know what is missing: %s", err.msg);
        tell(user, line);
    }
    w->kept = w->all.n;
}
