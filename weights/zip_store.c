/* Format: PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16. */
#include "zip_store.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ALIGN 64
#define MAX_ARCHIVE ((size_t)0xf0000000u)

typedef struct {
    char *name;
    uint32_t crc, size, at;
} member;

struct lp_zip {
    unsigned char *p;
    size_t n, cap;
    member *m;
    int n_m, cap_m;
};

lp_zip *lp_zip_new(void)
{
    return calloc(1, sizeof(lp_zip));
}

void lp_zip_free(lp_zip **z)
{
    int i;

    if (!z || !*z) return;
    for (i = 0; i < (*z)->n_m; i++) free((*z)->m[i].name);
    free((*z)->m);
    free((*z)->p);
    free(*z);
    *z = NULL;
}

static lp_status room(lp_zip *z, size_t more, lp_err *err)
{
    size_t cap = z->cap ? z->cap : 65536;
    unsigned char *p;

    if (more > MAX_ARCHIVE || z->n + more > MAX_ARCHIVE)
        return lp_fail_mem(err, "zip archive", (double)z->n + (double)more);
    if (z->n + more <= z->cap) return LP_OK;
    while (cap < z->n + more) cap *= 2;
    if (!(p = realloc(z->p, cap))) return lp_fail_mem(err, "zip archive", (double)cap);
    z->p = p;
    z->cap = cap;
    return LP_OK;
}

static void put(lp_zip *z, uint32_t v, int bytes)
{
    for (; bytes-- > 0; v >>= 8) z->p[z->n++] = (unsigned char)v;
}

/* The fields that the local header and the directory share, from "version needed" to the
 * lengths of name and extra field; 0x0021 is 1 January 1980. */
static void put_common(lp_zip *z, const member *m, size_t extra)
{
    put(z, 20, 2);
    put(z, 0, 2); /* flags */
    put(z, 0, 2); /* stored */
    put(z, 0, 2);
    put(z, 0x0021, 2);
    put(z, m->crc, 4);
    put(z, m->size, 4);
    put(z, m->size, 4);
    put(z, (uint32_t)strlen(m->name), 2);
    put(z, (uint32_t)extra, 2);
}

lp_status lp_zip_add(lp_zip *z, const char *name, const void *data, size_t n, lp_err *err)
{
    size_t len = strlen(name), pad;
    member m;
    lp_status st;

    if (len > 4096 || z->n_m == 65534)
        return lp_fail(err, LP_EARG, "zip archive: too many members");
    if ((st = room(z, 30 + len + 2 * ALIGN + n, err))) return st;
    if (z->n_m == z->cap_m) {
        int cap = z->cap_m ? 2 * z->cap_m : 64;
        member *p = realloc(z->m, (size_t)cap * sizeof *p);

        if (!p) return lp_fail_mem(err, "zip archive", (double)cap * sizeof *p);
        z->m = p;
        z->cap_m = cap;
    }
    if (!(m.name = strdup(name))) return lp_fail_mem(err, "zip archive", (double)len);
    m.at = (uint32_t)z->n;
    m.size = (uint32_t)n;
    m.crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), data, n);
    z->m[z->n_m++] = m;
    pad = (ALIGN - (z->n + 30 + len + 4) % ALIGN) % ALIGN; /* 4: head of the extra field */
    put(z, 0x04034b50, 4);
    put_common(z, &m, 4 + pad);
    memcpy(z->p + z->n, name, len);
    z->n += len;
    put(z, 'F' | 'B' << 8, 2);
    put(z, (uint32_t)pad, 2);
    memset(z->p + z->n, 'Z', pad);
    z->n += pad;
    if (n) memcpy(z->p + z->n, data, n);
    z->n += n;
    return LP_OK;
}

lp_status lp_zip_finish(lp_zip *z, const void **data, size_t *n, lp_err *err)
{
    size_t start = z->n, size = 22;
    int i;
    lp_status st;

    for (i = 0; i < z->n_m; i++) size += 46 + strlen(z->m[i].name);
    if ((st = room(z, size, err))) return st;
    for (i = 0; i < z->n_m; i++) {
        const member *m = &z->m[i];

        put(z, 0x02014b50, 4);
        put(z, 20, 2); /* made by */
        put_common(z, m, 0);
        put(z, 0, 4); /* comment length, disk */
        put(z, 0, 2); /* internal attributes */
        put(z, 0, 4); /* external attributes */
        put(z, m->at, 4);
        memcpy(z->p + z->n, m->name, strlen(m->name));
        z->n += strlen(m->name);
    }
    size = z->n - start;
    put(z, 0x06054b50, 4);
    put(z, 0, 4); /* disks */
    put(z, (uint32_t)z->n_m, 2);
    put(z, (uint32_t)z->n_m, 2);
    put(z, (uint32_t)size, 4);
    put(z, (uint32_t)start, 4);
    put(z, 0, 2); /* comment length */
    *data = z->p;
    *n = z->n;
    return LP_OK;
}
