/* Sizes of images and labels are checked before memory is asked for. */
#include "lp_test.h"

#include "host/image.h"

static void sizes(void **state)
{
    lp_image im;
    lp_labels lb;
    lp_err err;

    (void)state;
    assert_int_equal(lp_image_new(&im, 2, 7, 13, &err), LP_OK);
    assert_int_equal(im.nchan, 2);
    lp_image_free(&im);
    assert_null(im.data);
    lp_image_free(NULL);
    assert_int_equal(lp_image_new(&im, 0, 7, 13, &err), LP_EARG);
    assert_int_equal(lp_image_new(&im, 1, LP_MAX_SIDE, LP_MAX_SIDE, &err), LP_EARG);
    assert_int_equal(lp_labels_new(&lb, 0, 3, &err), LP_EARG);
    assert_int_equal(lp_labels_new(&lb, 3, 3, &err), LP_OK);
    assert_int_equal(lb.data[8], 0);
    lp_labels_free(&lb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
