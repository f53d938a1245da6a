/* Real files of many makers, against what tifffile 2026.3.3, mrcfile 1.5.4 and cv2 5.0 read from
 * them; and files that crashed or hung other readers. Skipped where the shared data is absent. */
#include "read_util.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const struct {
    const char *name;
    int page, npages, nchan, Ly, Lx;
    double sum;      /* over all channels */
    double value[3]; /* of channel 0, at 1/3, 1/2 and the end */
    double pixel_nm;
} files[] = {
    {"formats/tiff/images/seq/seq-1c-10b-6d739fa2.tiff", 0, 1, 1, 16, 16, 32640, {85, 128, 255}, 0},
    {"formats/tiff/images/seq/seq-1c-1b-fax3-71f6a21a.tiff", 0, 1, 1, 16, 16, 128, {0, 1, 0}, 0},
    {"formats/tiff/images/seq/seq-1c-1b-fax3-lsb-71f6a21a.tiff",
     0,
     1,
     1,
     16,
     16,
     128,
     {0, 1, 0},
     0},
    {"formats/tiff/images/seq/seq-1c-24b-072a9dc9.tiff", 0, 1, 1, 16, 16, 32640, {85, 128, 255}, 0},
    {"formats/tiff/images/seq/seq-1c-32f-deflate-fpredict-390fe673.tiff",
     0,
     1,
     1,
     16,
     16,
     128.00000254297629,
     {0.333333343, 0.501960814, 1},
     0},
    {"formats/tiff/images/seq/seq-1c-64f-deflate-fpredict-afa8560e.tiff",
     0,
     1,
     1,
     16,
     16,
     128.00000254297629,
     {0.333333343, 0.501960814, 1},
     0},
    {"formats/tiff/images/seq/seq-1c-8b-tiled-bigtiff-20f3db0c.tiff",
     0,
     1,
     1,
     16,
     16,
     32640,
     {85, 128, 255},
     0},
    {"formats/tiff/images/seq/seq-1c-i32-99fddec2.tiff", 0, 1, 1, 16, 16, -128, {-43, 0, 127}, 0},
    {"formats/tiff/images/seq/seq-3c-14b-planar-4dde706b.tiff",
     0,
     1,
     3,
     16,
     16,
     174720,
     {85, 128, 255},
     0},
    {"formats/tiff/images/seq/seq-3c-24b-planar-6296c0c9.tiff",
     0,
     1,
     3,
     16,
     16,
     174720,
     {85, 128, 255},
     0},
    {"formats/tiff/images/seq/seq-4c-16b-rgba-5181991f.tiff",
     0,
     1,
     3,
     16,
     16,
     392448,
     {340, 512, 1020},
     0},
    {"formats/tiff/images/12bit.cropped.rgb.tiff", 0, 1, 3, 64, 64, 32919, {5, 0, 1}, 0},
    {"formats/tiff/images/12bit.cropped.tiff", 0, 1, 1, 64, 64, 10973, {5, 0, 1}, 0},
    {"formats/tiff/images/big_g4.tif", 0, 1, 1, 65537, 1, 0, {0, 0, 0}, 0},
    {"formats/tiff/images/bigtiff/BigTIFFMotorola.tif", 0, 1, 3, 64, 64, 819918, {255, 0, 0}, 0},
    {"formats/tiff/images/cmyk-3c-32b-float.tiff",
     0,
     1,
     4,
     20,
     20,
     496.03894059080631,
     {1.79366203e-43, 1.79366203e-43, 0.291020066},
     0},
    {"formats/tiff/images/fax4.tiff", 0, 1, 1, 671, 1080, 244647, {1, 0, 0}, 0},
    {"formats/tiff/images/gradient-1c-64b.tiff",
     0,
     1,
     1,
     1,
     256,
     549892913916,
     {1.43278144e+09, 2.14929766e+09, 4.28751616e+09},
     0},
    {"formats/tiff/images/gradient-3c-64b.tiff",
     0,
     1,
     3,
     1,
     256,
     2030834112219,
     {528262496, 304612064, 1.10419405e+09},
     0},
    {"formats/tiff/images/hpredict-1c-12b.tiff", 0, 1, 1, 2, 4, 11000, {300, 1000, 4000}, 0},
    {"formats/tiff/images/imagemagick_group4.tiff", 0, 1, 1, 200, 640, 10678, {0, 0, 0}, 0},
    {"formats/tiff/images/int16_zstd.tif", 0, 1, 1, 64, 64, 354396, {4786, 4365, -287}, 0},
    {"formats/tiff/images/int8_rgb.tif", 0, 1, 3, 64, 64, -10344, {2, 69, -6}, 0},
    {"formats/tiff/images/issue_69_packbits.tiff", 0, 1, 1, 45, 45, 1015486, {466, 538, 457}, 0},
    {"formats/tiff/images/minisblack-1c-3b.tiff", 0, 1, 1, 2, 8, 56, {5, 7, 0}, 0},
    {"formats/tiff/images/miniswhite-1c-1b.tiff", 0, 1, 1, 151, 157, 11854, {0, 1, 0}, 0},
    {"formats/tiff/images/no_rows_per_strip.tiff", 0, 1, 3, 512, 512, 99448840, {107, 160, 4}, 0},
    {"formats/tiff/images/palette-1c-4b.tiff", 0, 1, 1, 151, 157, 173645, {14, 0, 13}, 0},
    {"formats/tiff/images/planar-rgb-u8.tif", 0, 1, 3, 499, 374, 39528948, {108, 181, 46}, 0},
    {"formats/tiff/images/predictor-3-rgb-f32.tif",
     0,
     1,
     3,
     200,
     200,
     54006.58084154129,
     {0.741137147, 0.97647059, 0.999918044},
     0},
    {"formats/tiff/images/quad-tile.jpg.tiff", 0, 1, 3, 384, 512, 21506302, {0, 0, 0}, 0},
    {"formats/tiff/images/random-fp16-pred2.tiff",
     0,
     1,
     1,
     16,
     16,
     213.475341796875,
     {0.609863281, 1, 1},
     0},
    {"formats/tiff/images/random-fp16-pred3.tiff",
     0,
     1,
     1,
     16,
     16,
     213.475341796875,
     {0.609863281, 1, 1},
     0},
    {"formats/tiff/images/tiled-cmyk-i8.tif", 0, 1, 4, 367, 490, 1759101, {18, 40, 50}, 0},
    {"formats/tiff/images/tiled-gray-i1.tif", 0, 1, 1, 51, 37, 934, {0, 0, 1}, 0},
    {"formats/tiff/images/tiled-jpeg-ycbcr.tif", 0, 1, 3, 499, 374, 39489359, {103, 180, 33}, 0},
    {"formats/tiff/images/tiled-oversize-gray-i8.tif",
     0,
     1,
     1,
     374,
     499,
     1214996,
     {-62, 66, -101},
     0},
    {"formats/tiff/images/tiled-rect-rgb-u8.tif", 0, 1, 3, 367, 490, 62081032, {75, 120, 51}, 0},
    {"formats/tiff/images/white-fp16-pred3.tiff", 0, 1, 1, 256, 256, 65529, {1, 1, 1}, 0},
    {"formats/tiff/libtiffpic/caspian.tif", 0, 1, 3, 220, 279, 44362456, {133, 262, 163}, 0},
    {"formats/tiff/libtiffpic/cramps-tile.tif", 0, 1, 1, 607, 800, 35849923, {238, 255, 0}, 0},
    {"formats/tiff/libtiffpic/fax2d.tif", 0, 1, 1, 1082, 1728, 110358, {0, 0, 0}, 0},
    {"formats/tiff/libtiffpic/jim___ah.tif", 0, 1, 1, 813, 664, 300813, {1, 0, 0}, 0},
    {"formats/tiff/libtiffpic/ladoga.tif", 0, 1, 1, 118, 158, 25564789, {1335, 1558, 1329}, 0},
    {"formats/tiff/libtiffpic/oxford.tif", 0, 1, 3, 81, 601, 17931573, {255, 173, 214}, 0},
    {"formats/tiff/libtiffpic/pc260001.tif", 0, 1, 3, 480, 640, 68022861, {15, 65, 52}, 0},
    {"formats/tiff/libtiffpic/quad-lzw.tif", 0, 1, 3, 384, 512, 21048924, {0, 0, 0}, 0},
    {"formats/tiff/libtiffpic/depth/flower-rgb-planar-10.tif",
     0,
     1,
     3,
     43,
     73,
     3302314,
     {562, 157, 274},
     0},
    {"formats/tiff/libtiffpic/depth/flower-separated-planar-16.tif",
     0,
     1,
     4,
     43,
     73,
     529428434,
     {29494, 55437, 47943},
     0},
    {"formats/tiff/libtiffpic/depth/flower-minisblack-32.tif",
     0,
     1,
     1,
     43,
     73,
     4941488676320,
     {2.19790541e+09, 733959680, 1.15240781e+09},
     0},
    {"formats/tiff/geotiff/geo-5b.tif", 0, 1, 5, 10, 10, 1000, {0, 0, 0}, 0},
    {"formats/tiff/geotiff/usda_naip_256_webp_z3.tif", 0, 1, 3, 2048, 1024, 16303794, {0, 1, 0}, 0},
    {"formats/tiff/subsubifds.tif", 0, 3, 1, 32, 32, 250463, {255, 255, 255}, 0},
    {"formats/tiff/subsubifds.tif", 2, 3, 1, 32, 32, 251598, {255, 255, 255}, 0},
    {"formats/tiff/decodedata-rgb-3c-8b.tiff", 0, 1, 3, 100, 100, 2970000, {66, 50, 198}, 0},
    {"formats/tiff/benches/Transparency-lzw.tif", 0, 1, 3, 300, 300, 52247812, {255, 255, 255}, 0},
    {"formats/tiff16/r03c02f01p01-ch1sk1fk1fl1.tiff",
     0,
     1,
     1,
     1080,
     1080,
     827938876,
     {526, 344, 399},
     0},
    {"formats/tiff/images/seq/seq-1c-8b-multipage-adeefdcc.tiff",
     0,
     3,
     1,
     16,
     16,
     32640,
     {85, 128, 255},
     0},
    {"formats/tiff/images/seq/seq-1c-8b-multipage-adeefdcc.tiff",
     1,
     3,
     1,
     16,
     16,
     32640,
     {135, 178, 49},
     0},
    {"formats/tiff/images/seq/seq-1c-8b-multipage-adeefdcc.tiff",
     2,
     3,
     1,
     16,
     16,
     32640,
     {185, 228, 99},
     0},
    {"formats/mrc/EMD-3001.map",
     0,
     25,
     1,
     43,
     73,
     19.568566652051231,
     {-0.0360141918, -0.0801892281, 0.0672449768},
     0},
    {"formats/mrc/EMD-3001.map",
     24,
     25,
     1,
     43,
     73,
     19.568566652051231,
     {-0.0360141918, -0.0801892281, 0.0672449768},
     0},
    {"formats/mrc/EMD-3001.map.bz2",
     0,
     25,
     1,
     43,
     73,
     19.568566652051231,
     {-0.0360141918, -0.0801892281, 0.0672449768},
     0},
    {"formats/mrc/EMD-3001.map.bz2",
     24,
     25,
     1,
     43,
     73,
     19.568566652051231,
     {-0.0360141918, -0.0801892281, 0.0672449768},
     0},
    {"formats/mrc/emd_3001.map.gz",
     0,
     25,
     1,
     43,
     73,
     19.568566652051231,
     {-0.0360141918, -0.0801892281, 0.0672449768},
     0},
    {"formats/mrc/emd_3001.map.gz",
     24,
     25,
     1,
     43,
     73,
     19.568566652051231,
     {-0.0360141918, -0.0801892281, 0.0672449768},
     0},
    {"formats/mrc/EMD-3197.map",
     0,
     20,
     1,
     20,
     20,
     389.984623901546,
     {0.312861711, 2.02176547, 0.806784332},
     1.14},
    {"formats/mrc/EMD-3197.map",
     19,
     20,
     1,
     20,
     20,
     307.96105283277575,
     {-1.40343714, 2.02299166, 1.30785739},
     1.14},
    {"formats/mrc/emd_3197.png", 0, 1, 3, 500, 500, 149886840, {66, 255, 255}, 0},
    {"formats/mrc/emd_3197.png.gz", 0, 1, 3, 500, 500, 149886840, {66, 255, 255}, 0},
    {"vesicles/12020341732316584951.mrc",
     0,
     1,
     1,
     2217,
     2217,
     -0.3510788269340992,
     {0.0564914607, -0.651297808, -4.49990177},
     0},
    {"vesicles/991522057844609443.mrc", 0, 1, 1, 2217, 2217, 125439922, {9, 22, 28}, 0},
};

static void shared_files(void **state)
{
    size_t i, k;

    (void)state;
    if (!lp_test_data("formats")) {
        print_message("skip: no shared folder formats\n");
        skip();
    }
    for (i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = lp_test_data(files[i].name);
        /* Decoders of JPEG may differ in the last bit. */
        int jpeg = strstr(files[i].name, "jpeg") || strstr(files[i].name, ".jpg");
        double sum = 0;
        lp_image im;
        size_t n;

        if (!path) fail_msg("no file %s", files[i].name);
        im = must_read(path, files[i].page);
        assert_int_equal(im.npages, files[i].npages);
        assert_int_equal(im.nchan, files[i].nchan);
        assert_int_equal(im.Ly, files[i].Ly);
        assert_int_equal(im.Lx, files[i].Lx);
        n = (size_t)im.Ly * (size_t)im.Lx;
        for (k = 0; k < n * (size_t)im.nchan; k++) sum += (double)im.data[k];
        if (!(fabs(sum - files[i].sum) <= (jpeg ? 1e-3 : 1e-9) * fabs(files[i].sum) + 1e-6))
            fail_msg("%s: sum %.17g, expected %.17g", path, sum, files[i].sum);
        LP_ASSERT_CLOSE(im.data[n / 3], files[i].value[0], jpeg ? 2 : 0, 1e-8);
        LP_ASSERT_CLOSE(im.data[n / 2], files[i].value[1], jpeg ? 2 : 0, 1e-8);
        LP_ASSERT_CLOSE(im.data[n - 1], files[i].value[2], jpeg ? 2 : 0, 1e-8);
        LP_ASSERT_CLOSE(im.pixel_nm, files[i].pixel_nm, 0, 1e-6);
        lp_image_free(&im);
    }
}

/* Everything in the folder, as image and as labels; returns the number of files. */
static int read_folder(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    lp_labels lb;
    lp_image im;
    lp_err err;
    int n = 0, pages;

    if (!d) return 0;
    while ((e = readdir(d))) {
        char path[4096];

        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        n++;
        err.msg[0] = 0;
        lp_read_count(path, &pages, &err);
        if (!lp_read_image(path, 0, &im, &err))
            lp_image_free(&im);
        else if (!strstr(err.msg, path) || strchr(err.msg, '\n'))
            abort();
        if (!lp_read_labels(path, &lb, &err)) lp_labels_free(&lb);
    }
    closedir(d);
    return n;
}

/* In a child with little memory and time: neither may run out. */
static void hostile_files(void **state)
{
    static const char *const dirs[] = {
        "formats/tiff/fuzz_images/divide_by_zero", "formats/tiff/fuzz_images/inf_loop",
        "formats/tiff/fuzz_images/oom_crash", "formats/tiff/fuzz_images/oor_panic"};
    int i, status = 0;
    pid_t pid;

    (void)state;
    LP_NEED_DATA(first, "formats/tiff/fuzz_images/divide_by_zero");
    (void)first;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit cpu = {60, 60};
        int n = 0;

        setrlimit(RLIMIT_CPU, &cpu);
#ifndef LP_SANITIZE
        struct rlimit memory = {256u << 20, 256u << 20};

        setrlimit(RLIMIT_AS, &memory);
#endif
        for (i = 0; i < 4; i++) {
            const char *dir = lp_test_data(dirs[i]);

            n += dir ? read_folder(dir) : 0;
        }
        _exit(n > 100 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail_msg("the reader died (wait status %d)", status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shared_files),
                                       cmocka_unit_test(hostile_files)};
    return cmocka_run_group_tests_name("read_shared", tests, NULL, NULL);
}
