/* What --chan and --chan2 pick, for nets of one, two and more inputs. */
#include "lp_test.h"

#include "host/channels.h"

/* nchan planes of 2 x 3 pixels; channel c (from 1) holds 100 c + pixel. */
static lp_image make(int nchan)
{
    lp_image im;
    lp_err err;
    int i;

    assert_int_equal(lp_image_new(&im, nchan, 2, 3, &err), LP_OK);
    for (i = 0; i < nchan * 6; i++) im.data[i] = (float)(100 * (i / 6 + 1) + i % 6);
    im.pixel_nm = 0.5;
    im.replaced = 3;
    im.page = 1;
    im.npages = 4;
    return im;
}

/* The planes' first pixels, as a number with three digits per plane; 0 for a plane of zeros. */
static long picked(int nchan, int chan, int chan2, int nchan_net)
{
    lp_image in = make(nchan), out;
    lp_err err = {LP_OK, ""};
    long sum = 0;
    int c, i;

    if (lp_channels_select(&in, chan, chan2, nchan_net, &out, &err)) fail_msg("%s", err.msg);
    assert_int_equal(out.nchan, nchan_net);
    assert_true(out.Ly == 2 && out.Lx == 3 && out.pixel_nm == 0.5 && out.replaced == 3);
    assert_true(out.page == 1 && out.npages == 4);
    for (c = 0; c < nchan_net; c++) {
        const float *p = out.data + 6 * c;

        for (i = 1; i < 6; i++) assert_true(p[i] == (p[0] > 0 ? p[0] + (float)i : 0));
        sum = sum * 1000 + (long)p[0];
    }
    lp_image_free(&out);
    lp_image_free(&in);
    return sum;
}

static void select_planes(void **state)
{
    (void)state;
    assert_int_equal(picked(3, 0, 0, 2), 200000); /* the mean of 100, 200, 300 */
    assert_int_equal(picked(3, 0, 3, 2), 200000); /* chan 0: chan2 has no effect */
    assert_int_equal(picked(3, 2, 0, 2), 200000);
    assert_int_equal(picked(3, 3, 1, 2), 300100);
    assert_int_equal(picked(3, 1, 1, 2), 100100);
    assert_int_equal(picked(2, 2, 1, 2), 200100);
    assert_int_equal(picked(1, 0, 0, 2), 100000);
    assert_int_equal(picked(1, 1, 2, 2), 100000); /* grey: taken as it is */
    assert_int_equal(picked(1, 3, 0, 2), 100000);
    assert_int_equal(picked(3, 2, 1, 1), 200);
    assert_int_equal(picked(3, 0, 1, 1), 200);
    assert_int_equal(picked(3, 2, 1, 3), 100200300); /* more than two: all, in order */
    assert_int_equal(picked(4, 0, 0, 3), 100200300);
    assert_int_equal(picked(2, 0, 0, 3), 100200000);
    assert_int_equal(picked(1, 0, 0, 3), 100000000);
    assert_int_equal(picked(3, LP_CHAN_ALL, 0, 2), 100200);
    assert_int_equal(picked(3, LP_CHAN_ALL, 0, 1), 100);
}

static void refused(void **state)
{
    static const int cases[][3] = {{4, 0, 2},
                                   {1, 4, 2},
                                   {-2, 0, 2},
                                   {1, -1, 2},
                                   {0, 4, 2},
                                   {1, 0, 0},
                                   {1, 0, LP_MAX_CHANNELS + 1}};
    lp_image in = make(3), out, before;
    lp_err err;
    size_t k;

    (void)state;
    memset(&out, 0x33, sizeof out);
    before = out;
    for (k = 0; k < sizeof cases / sizeof *cases; k++) {
        err.msg[0] = 0;
        assert_int_equal(lp_channels_select(&in, cases[k][0], cases[k][1], cases[k][2], &out, &err),
                         LP_EARG);
        assert_true(strlen(err.msg) > 0);
        assert_memory_equal(&out, &before, sizeof out);
    }
    lp_channels_select(&in, 4, 0, 2, &out, &err);
    assert_non_null(strstr(err.msg, "chan 4"));
    assert_non_null(strstr(err.msg, "3 channels"));
    lp_image_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(select_planes), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
