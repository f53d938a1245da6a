/* tool_cli - what the command line tests need besides the shell: a model, images of every
 * format, and checks of what was written. Exit code 0, or 1 with a line on stderr.
 *
 *   tool_cli model OUT.h5               the network of cone_model.h
 *   tool_cli image OUT KIND Ly Lx SEED PAGES
 *                                       .png, .tif or .mrc; KIND cones, flat, nan or faint
 *   tool_cli json OK FAILED             stdin: JSON lines, so many of each, one per image
 *   tool_cli intact DIR                 every file of DIR but temporaries can be read
 *   tool_cli labels FILE                prints the number of labels */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <zip.h>

#include "cone_model.h"
#include "host/done.h"
#include "host/read.h"
#include "host/write_png.h"

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "tool_cli: %s: %s\n", what, why);
    return 1;
}

static int make_model(const char *path)
{
    lp_weights *w = cone_model();
    lp_err err = {LP_OK, "no memory"};

    if (!w || lp_weights_save(w, path, 0, &err)) return fail(path, err.msg);
    lp_weights_free(&w);
    return 0;
}

static int ends(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

static void plane(float *img, const char *kind, int Ly, int Lx, unsigned seed)
{
    size_t n = (size_t)Ly * Lx, i;

    cone_image(img, Ly, Lx, seed);
    for (i = 0; i < n; i++) {
        if (!strcmp(kind, "flat")) img[i] = 77;
        if (!strcmp(kind, "faint")) img[i] *= 1e-6f;
        if (!strcmp(kind, "nan") && i % 97 == 0) img[i] = NAN;
    }
}

static int write_tiff(const char *path, const float *img, int Ly, int Lx, int pages)
{
    TIFF *t = TIFFOpen(path, "w");
    int p, y, bad = !t;

    for (p = 0; p < pages && !bad; p++) {
        TIFFSetField(t, TIFFTAG_IMAGEWIDTH, Lx);
        TIFFSetField(t, TIFFTAG_IMAGELENGTH, Ly);
        TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 32);
        TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
        TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1);
        TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, Ly);
        for (y = 0; y < Ly; y++)
            bad |= TIFFWriteScanline(t, (void *)(size_t)(img + ((size_t)p * Ly + y) * Lx),
                                     (uint32_t)y, 0) < 0;
        bad |= !TIFFWriteDirectory(t);
    }
    if (t) TIFFClose(t);
    return bad;
}

static int write_mrc(const char *path, const float *img, int Ly, int Lx, int pages)
{
    union {
        int32_t i[256];
        float f[256];
        char c[1024];
    } h;
    FILE *f = fopen(path, "wb");
    size_t n = (size_t)Ly * Lx * pages;
    int bad = !f;

    memset(&h, 0, sizeof h);
    h.i[0] = h.i[7] = Lx;
    h.i[1] = h.i[8] = Ly;
    h.i[2] = pages;
    h.i[9] = 1; /* images, not a volume */
    h.i[3] = 2;
    h.f[10] = 2.5f * (float)Lx; /* 2.5 Angstrom per pixel */
    h.f[11] = 2.5f * (float)Ly;
    h.f[12] = 1;
    h.f[13] = h.f[14] = h.f[15] = 90;
    h.i[16] = 1;
    h.i[17] = 2;
    h.i[18] = 3;
    memcpy(h.c + 208, "MAP ", 4);
    h.c[212] = h.c[213] = 0x44;
    bad = bad || fwrite(&h, 1, sizeof h, f) != sizeof h || fwrite(img, 4, n, f) != n;
    if (f) bad |= fclose(f);
    return bad;
}

static int write_png(const char *path, const float *img, int Ly, int Lx)
{
    size_t n = (size_t)Ly * Lx, i;
    uint8_t *b = malloc(n);
    lp_err err;
    int bad = !b;

    for (i = 0; i < n && b; i++) b[i] = (uint8_t)img[i];
    bad = bad || lp_write_png(path, b, Ly, Lx, 1, 8, &err);
    free(b);
    return bad;
}

static int make_image(char **a)
{
    int Ly = atoi(a[2]), Lx = atoi(a[3]), pages = atoi(a[5]), p, bad;
    float *img = malloc((size_t)Ly * Lx * pages * sizeof *img);

    if (!img) return fail(a[0], "no memory");
    for (p = 0; p < pages; p++)
        plane(img + (size_t)p * Ly * Lx, a[1], Ly, Lx, (unsigned)(atoi(a[4]) + p));
    if (ends(a[0], ".png"))
        bad = write_png(a[0], img, Ly, Lx);
    else if (ends(a[0], ".tif"))
        bad = write_tiff(a[0], img, Ly, Lx, pages);
    else
        bad = write_mrc(a[0], img, Ly, Lx, pages);
    free(img);
    return bad ? fail(a[0], "cannot write it") : 0;
}

/* Types of a record's fields: s string, n number, z number or null, o object, a array, e string
 * or null. */
static int check_record(const cJSON *j, int *ok, int *failed)
{
    static const char *const field[][2] = {
        {"file", "s"},      {"page", "n"},     {"status", "s"},  {"error", "e"},
        {"particles", "z"}, {"diameter", "z"}, {"ly", "z"},      {"lx", "z"},
        {"pixel_nm", "z"},  {"seconds", "o"},  {"outputs", "a"},
    };
    size_t i;
    const cJSON *x;
    int good;

    for (i = 0; i < sizeof field / sizeof *field; i++) {
        x = cJSON_GetObjectItemCaseSensitive(j, field[i][0]);
        switch (field[i][1][0]) {
        case 's':
            good = cJSON_IsString(x);
            break;
        case 'n':
            good = cJSON_IsNumber(x);
            break;
        case 'z':
            good = cJSON_IsNumber(x) || cJSON_IsNull(x);
            break;
        case 'e':
            good = cJSON_IsString(x) || cJSON_IsNull(x);
            break;
        case 'o':
            good = cJSON_IsObject(x);
            break;
        default:
            good = cJSON_IsArray(x);
        }
        if (!good) return fail("json", field[i][0]);
    }
    good = !strcmp(cJSON_GetObjectItemCaseSensitive(j, "status")->valuestring, "ok");
    *(good ? ok : failed) += 1;
    if (good != cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(j, "error")))
        return fail("json", "error and status disagree");
    cJSON_ArrayForEach(x, cJSON_GetObjectItemCaseSensitive(j, "outputs"))
    {
        FILE *f = fopen(x->valuestring, "rb");

        if (!f && !strstr(x->valuestring, "\\x")) return fail("json output", x->valuestring);
        if (f) fclose(f);
    }
    return 0;
}

static int check_json(int want_ok, int want_failed)
{
    char *line = NULL;
    size_t cap = 0;
    int ok = 0, failed = 0, bad = 0;

    while (getline(&line, &cap, stdin) > 0 && !bad) {
        cJSON *j = cJSON_ParseWithOpts(line, NULL, 1);

        if (!j || line[strlen(line) - 1] != '\n')
            bad = fail("json: not a whole line of JSON", line);
        else
            bad = check_record(j, &ok, &failed);
        cJSON_Delete(j);
    }
    free(line);
    if (!bad && (ok != want_ok || failed != want_failed)) {
        fprintf(stderr, "tool_cli: json: %d ok and %d failed, expected %d and %d\n", ok, failed,
                want_ok, want_failed);
        bad = 1;
    }
    return bad;
}

static int check_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    int c, last = '\n', first = f ? fgetc(f) : EOF, commas = 0, fields = -1, bad = 0;

    if (!f) return fail(path, "cannot open");
    for (c = first; c != EOF; last = c, c = fgetc(f)) {
        commas += c == ',';
        if (c != '\n') continue;
        if (ends(path, ".csv")) bad |= fields >= 0 && fields != commas;
        fields = commas;
        commas = 0;
    }
    fclose(f);
    if (ends(path, ".csv") && first == EOF) bad = 1;
    return bad || last != '\n' ? fail(path, "is cut") : 0;
}

static int check_zip(const char *path)
{
    zip_t *z = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, NULL);

    if (!z) return fail(path, "not a whole zip file");
    zip_discard(z);
    return 0;
}

static int check_file(const char *path)
{
    lp_image im = {0};
    lp_labels lb = {0};
    lp_err err;
    lp_status st = LP_OK;
    hid_t h;

    if (ends(path, "_cp_masks.tif") && !strstr(path, "_flows_") && !strstr(path, "_dP_")) {
        st = lp_read_labels(path, &lb, &err);
        lp_labels_free(&lb);
    } else if (lp_read_is_image_name(path)) {
        st = lp_read_image(path, 0, &im, &err);
        lp_image_free(&im);
    } else if (ends(path, ".csv") || ends(path, ".txt")) {
        return check_text(path);
    } else if (ends(path, ".zip")) {
        return check_zip(path);
    } else if (ends(path, ".h5")) {
        if ((h = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT)) < 0) return fail(path, "not HDF5");
        H5Fclose(h);
    }
    return st ? fail(path, err.msg) : 0;
}

/* Records can be read, and where one says that its image is done, the results are there. */
static int check_records(const char *dir)
{
    char path[4096];
    struct dirent *e;
    int bad = 0;
    DIR *d;

    snprintf(path, sizeof path, "%s/" LP_DONE_FOLDER, dir);
    if (!(d = opendir(path))) return fail(path, "no such folder");
    while ((e = readdir(d))) {
        lp_done r;

        if (e->d_name[0] == '.' || !ends(e->d_name, ".json")) continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        path[strlen(path) - 5] = 0;
        lp_done_read(path, &r);
        if (!r.json || (!r.error && !lp_done_whole(&r, path))) bad = fail(path, "record is wrong");
        lp_done_free(&r);
    }
    closedir(d);
    return bad;
}

static int check_intact(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[4096];
    int bad = 0;

    if (!d) return fail(dir, "no such folder");
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.') {
            if (!strcmp(e->d_name, LP_DONE_FOLDER))
                bad |= check_records(dir);
            else if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && !ends(e->d_name, ".tmp"))
                bad = fail(e->d_name, "unexpected hidden file");
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        bad |= check_file(path);
    }
    closedir(d);
    return bad;
}

static int count_labels(const char *path)
{
    lp_labels lb = {0};
    lp_err err;
    uint32_t n = 0;
    int64_t i;

    if (lp_read_labels(path, &lb, &err)) return fail(path, err.msg);
    for (i = 0; i < (int64_t)lb.Ly * lb.Lx; i++)
        if (lb.data[i] > n) n = lb.data[i];
    lp_labels_free(&lb);
    printf("%u\n", n);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "model")) return make_model(argv[2]);
    if (argc == 8 && !strcmp(argv[1], "image")) return make_image(argv + 2);
    if (argc == 4 && !strcmp(argv[1], "json")) return check_json(atoi(argv[2]), atoi(argv[3]));
    if (argc == 3 && !strcmp(argv[1], "intact")) return check_intact(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "labels")) return count_labels(argv[2]);
    return fail("usage", "see the top of tests/tool_cli.c");
}
