#include "run_devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

lp_status lp_run_devices_parse(const char *text, lp_run_options *o, lp_err *err)
{
    int list[LP_RUN_GPUS], n = 0, i;
    const char *p = text;
    char *end;

    for (;; p = end + 1) {
        long v = strtol(p, &end, 10);

        if (end == p || *p < '0' || *p > '9' || v > 9999 || (*end && *end != ','))
            return lp_fail(err, LP_EARG, "--gpu_device %s: GPUs count from 0; give one, or 0,1,...",
                           text);
        for (i = 0; i < n; i++)
            if (list[i] == v)
                return lp_fail(err, LP_EARG, "--gpu_device %s: GPU %ld is there twice", text, v);
        if (n == LP_RUN_GPUS)
            return lp_fail(err, LP_EARG, "--gpu_device: more than %d GPUs", LP_RUN_GPUS);
        list[n++] = (int)v;
        if (!*end) break;
    }
    memcpy(o->gpu, list, (size_t)n * sizeof *list);
    o->n_gpus = n;
    return LP_OK;
}

static lp_run_device described(const lp_run_options *o, const lp_backend *be, int gpu)
{
    lp_run_device d = {.gpu = gpu};
    lp_device_info info = {0};
    lp_err err;

    if (!be->list(gpu, &info, &err)) d.memory = info.memory;
    if (o->session.gpu_memory && (double)o->session.gpu_memory < d.memory)
        d.memory = (double)o->session.gpu_memory;
    return d;
}

lp_status lp_run_devices_find(const lp_run_options *o, lp_run_device *device, int *n, lp_err *err)
{
    const lp_backend *be;
    lp_status st = lp_backend_find(o->session.backend, &be, err);
    int i, k = 0;

    if (st) return st;
    if (!be->shares) {
        device[k++] = (lp_run_device){.gpu = -1};
    } else if (o->n_gpus >= 0) {
        for (i = 0; i < o->n_gpus; i++) device[k++] = described(o, be, o->gpu[i]);
        if (!k) device[k++] = described(o, be, o->session.gpu_device);
    } else {
        for (i = 0; i < LP_RUN_GPUS; i++) {
            lp_device_info info = {0};
            lp_err why;

            if (!be->list(i, &info, &why))
                device[k++] = described(o, be, i);
            else if (!*info.name) /* with a name, one that is too old */
                break;
        }
        if (!k) device[k++] = described(o, be, 0);
    }
    *n = k;
    return LP_OK;
}

lp_status lp_run_devices_open(const lp_run_options *o, const lp_session_options *so,
                              lp_run_device *device, int *n, char *left, size_t cap, lp_err *err)
{
    lp_session_options one = *so;
    lp_status st = LP_OK;
    int i, k = 0;
    lp_err why;

    *left = 0;
    for (i = 0; i < *n; i++) {
        lp_run_device d = device[i];

        if (d.gpu >= 0) one.gpu_device = d.gpu;
        if (!(st = lp_session_open(o->model, &one, &d.session, &why))) {
            device[k++] = d;
        } else if (o->n_gpus >= 0 || st != LP_EMISSING || *n == 1) {
            goto done;
        } else {
            size_t at = strlen(left);

            snprintf(left + at, cap - at, "%slipopose: left out: %s", at ? "\n" : "", why.msg);
        }
    }
    if (k) st = LP_OK;
done:
    if (st) {
        if (err) *err = why;
        for (i = 0; i < k; i++) lp_session_close(&device[i].session);
        return st;
    }
    *n = k;
    return LP_OK;
}
