/* Format: man 7 cgroups; Documentation/admin-guide/cgroup-v2.rst and cgroup-v1 of Linux. */
#include "machine.h"

#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* One limit of the group at dir. 0: none. */
typedef double read_limit(const char *dir);

/* Up to n whole numbers at the beginning of dir/name; how many there are. */
static int numbers(const char *dir, const char *name, double *v, int n)
{
    char path[PATH_MAX], line[128];
    FILE *f;
    int k = 0;
    char *p = line, *end;

    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) return 0;
    if (!(f = fopen(path, "re"))) return 0;
    if (!fgets(line, sizeof line, f)) line[0] = 0;
    fclose(f);
    for (; k < n; k++, p = end) {
        v[k] = (double)strtoll(p, &end, 10);
        if (end == p) break; /* "max" */
    }
    return k;
}

static double memory_v2(const char *dir)
{
    double v[1];

    return numbers(dir, "memory.max", v, 1) == 1 ? v[0] : 0;
}

static double memory_v1(const char *dir)
{
    double v[1];

    /* No limit is written as the largest whole number of pages. */
    return numbers(dir, "memory.limit_in_bytes", v, 1) == 1 && v[0] < 0x1p62 ? v[0] : 0;
}

static double cpus_v2(const char *dir)
{
    double v[2];

    return numbers(dir, "cpu.max", v, 2) == 2 && v[1] > 0 ? v[0] / v[1] : 0;
}

static double cpus_v1(const char *dir)
{
    double quota[1], period[1];

    if (numbers(dir, "cpu.cfs_quota_us", quota, 1) != 1 || quota[0] <= 0) return 0;
    return numbers(dir, "cpu.cfs_period_us", period, 1) == 1 && period[0] > 0 ? quota[0] / period[0]
                                                                              : 0;
}

/* The least limit of the group base + below and of all above it, down to base itself, which is
 * what a container sees of its own group. */
static double least_above(const char *base, const char *below, read_limit *limit)
{
    char dir[PATH_MAX], *slash;
    size_t n = strlen(base);
    double least = 0, v;

    if (snprintf(dir, sizeof dir, "%s%s", base, below) >= (int)sizeof dir) return 0;
    for (;;) {
        v = limit(dir);
        if (v > 0 && (least == 0 || v < least)) least = v;
        slash = strlen(dir) > n ? strrchr(dir, '/') : NULL;
        if (!slash || (size_t)(slash - dir) < n) return least;
        *slash = 0;
    }
}

/* 1 where the comma-separated list holds name. */
static int lists(const char *list, const char *name)
{
    size_t n = strlen(name);
    const char *p = list;

    for (; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (!strncmp(p, name, n) && (p[n] == 0 || p[n] == ',')) return 1;
    return 0;
}

/* Lines of proc are ID:CONTROLLERS:PATH; version 2 has an empty list and one tree. */
static double group(const char *proc, const char *root, const char *controller, read_limit *v1,
                    read_limit *v2)
{
    char line[PATH_MAX], base[PATH_MAX], *list, *path;
    FILE *f = fopen(proc, "re");
    double least = 0, v;

    if (!f) return 0;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (!(list = strchr(line, ':')) || !(path = strchr(list + 1, ':'))) continue;
        *path++ = 0;
        list++;
        if (*list && !lists(list, controller)) continue;
        if (!strcmp(path, "/")) path = "";
        if (snprintf(base, sizeof base, "%s%s%s", root, *list ? "/" : "",
                     *list ? controller : "") >= (int)sizeof base)
            continue;
        v = least_above(base, path, *list ? v1 : v2);
        if (v > 0 && (least == 0 || v < least)) least = v;
    }
    fclose(f);
    return least;
}

double lp_machine_group_memory(const char *proc, const char *root)
{
    return group(proc, root, "memory", memory_v1, memory_v2);
}

double lp_machine_group_cpus(const char *proc, const char *root)
{
    return group(proc, root, "cpu", cpus_v1, cpus_v2);
}

double lp_machine_memory(void)
{
    double least = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double v = lp_machine_group_memory("/proc/self/cgroup", "/sys/fs/cgroup");
    struct rlimit r;

    if (v > 0 && v < least) least = v;
    if (!getrlimit(RLIMIT_AS, &r) && r.rlim_cur != RLIM_INFINITY && (double)r.rlim_cur < least)
        least = (double)r.rlim_cur;
    return least;
}

int lp_machine_threads(void)
{
    int n = omp_get_max_threads();
    const char *given = getenv("OMP_NUM_THREADS");
    double v;

    if (given && *given) return n;
    v = ceil(lp_machine_group_cpus("/proc/self/cgroup", "/sys/fs/cgroup"));
    return v >= 1 && v < n ? (int)v : n;
}

char *lp_machine_cpu(char name[LP_MACHINE_CPU])
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[512], *value;
    int found = 0;

    while (f && !found && fgets(line, sizeof line, f)) {
        found = !strncmp(line, "model name", 10) && (value = strstr(line, ": "));
        if (found) snprintf(name, LP_MACHINE_CPU, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
    }
    if (f) fclose(f);
    if (!found) snprintf(name, LP_MACHINE_CPU, "unknown");
    return name;
}
