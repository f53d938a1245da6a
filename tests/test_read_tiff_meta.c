/* Pixel sizes from ImageJ, OME and plain resolution tags. */
#include "lp_test.h"

#include "host/read_tiff_meta.h"

static double nm(const char *text, double x, double y, int unit)
{
    lp_tiff_meta m = {.description = text, .xres = x, .yres = y, .unit = unit};

    return lp_tiff_pixel_nm(&m);
}

static void units(void **state)
{
    static const struct {
        const char *name;
        double nm;
    } u[] = {{"nm", 1},
             {"um", 1e3},
             {"\xc2\xb5m", 1e3},
             {"\xce\xbcm", 1e3},
             {"\\u00B5m", 1e3},
             {"micron", 1e3},
             {"A", .1},
             {"\xc3\x85", .1},
             {"angstrom", .1},
             {"mm", 1e6},
             {"pm", 1e-3},
             {"pixel", 0},
             {"", 0},
             {"nmm", 0},
             {"n", 0}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof u / sizeof *u; i++)
        LP_ASSERT_CLOSE(lp_tiff_unit_nm(u[i].name, (int)strlen(u[i].name)), u[i].nm, 0, 0);
}

static void imagej(void **state)
{
    (void)state;
    LP_ASSERT_CLOSE(nm("ImageJ=1.53t\nunit=nm\nmin=0\n", 4, 4, 1), .25, 1e-12, 0);
    LP_ASSERT_CLOSE(nm("ImageJ=1.53t\nimages=2\r\nunit=\\u00B5m\r\n", 500, 500, 1), 2, 1e-12, 0);
    LP_ASSERT_CLOSE(nm("ImageJ=1.53t\nunit=A", 1, 4, 1), 0, 0, 0); /* not square */
    LP_ASSERT_CLOSE(nm("ImageJ=1.53t\nunit=pixel\n", 300, 300, 2), 0, 0, 0);
    LP_ASSERT_CLOSE(nm("ImageJ=1.53t\nunits=nm\n", 4, 4, 1), 0, 0, 0);
    LP_ASSERT_CLOSE(nm("ImageJ=1.53t\nunit=nm\n", 0, 0, 1), 0, 0, 0);
    LP_ASSERT_CLOSE(nm("ImageJ=1.53t\nunit=nm\n", NAN, -4, 1), 0, 0, 0);
    assert_int_equal(lp_tiff_stack_images("ImageJ=1.53t\nimages=37\nslices=37\n", 30), 37);
    assert_int_equal(lp_tiff_stack_images("ImageJ=1.53t\nmyimages=37\n", 30), 0);
    assert_int_equal(lp_tiff_stack_images("ImageJ=1.53t\nimages=-3\n", 30), 0);
    assert_int_equal(lp_tiff_stack_images("ImageJ=1.53t\nimages=99999999999999999999\n", 30), 0);
    assert_int_equal(lp_tiff_stack_images("images=37\n", 30), 0);
}

static void shaped(void **state)
{
    (void)state;
    assert_int_equal(lp_tiff_stack_images("{\"shape\": [4, 5, 6], \"truncated\": true}", 30), 4);
    assert_int_equal(lp_tiff_stack_images("{\"shape\": [2, 3, 5, 6], \"truncated\": true}", 30), 6);
    assert_int_equal(lp_tiff_stack_images("{\"shape\": [4, 5, 6]}", 30), 0);
    assert_int_equal(lp_tiff_stack_images("{\"shape\": [4, 5, 6], \"truncated\": true}", 31), 0);
    assert_int_equal(lp_tiff_stack_images("{\"shape\": [\"truncated\": true", 30), 0);
    assert_int_equal(lp_tiff_stack_images("{\"shape\": [nan, -5], \"truncated\": true", 30), 0);
}

static void ome(void **state)
{
    (void)state;
    LP_ASSERT_CLOSE(nm("<OME><Image><Pixels ID=\"p\" PhysicalSizeX=\"0.002\" "
                       "PhysicalSizeY=\"0.002\" SizeX=\"4\"/></Image></OME>",
                       300, 300, 2),
                    2, 1e-12, 0);
    LP_ASSERT_CLOSE(nm("<OME:OME><OME:Image><OME:Pixels PhysicalSizeXUnit='nm' PhysicalSizeX='3.5' "
                       "PhysicalSizeY='35' PhysicalSizeYUnit='\xc3\x85'></OME:Pixels>",
                       0, 0, 1),
                    3.5, 1e-12, 0);
    LP_ASSERT_CLOSE(nm("<OME xmlns='x'>\n<Pixels\nPhysicalSizeXUnit='nm'\n PhysicalSizeX='3.5' "
                       "PhysicalSizeY='35' PhysicalSizeYUnit='\xc3\x85'>",
                       0, 0, 1),
                    3.5, 1e-12, 0);
    LP_ASSERT_CLOSE(nm("<OME><Pixels PhysicalSizeX=\"0.00", 0, 0, 1), 0, 0, 0);
    LP_ASSERT_CLOSE(nm("<OME><Pixels PhysicalSizeX=\"nan\">", 0, 0, 1), 0, 0, 0);
    LP_ASSERT_CLOSE(nm("<OME><Pixels PhysicalSizeZ=\"1\">", 1e7, 1e7, 3), 1, 1e-12, 0);
    LP_ASSERT_CLOSE(nm("<OME><Pixels>", 0, 0, 1), 0, 0, 0);
}

static void plain(void **state)
{
    (void)state;
    LP_ASSERT_CLOSE(nm(NULL, 72, 72, 2), 0, 0, 0);
    LP_ASSERT_CLOSE(nm(NULL, 300, 300, 2), 0, 0, 0);
    LP_ASSERT_CLOSE(nm("text", 3938, 3938, 2), 0, 0, 0); /* 6.45 micrometres: the camera's chip */
    LP_ASSERT_CLOSE(nm("text", 2e6, 2e6, 3), 5, 1e-12, 0);
    LP_ASSERT_CLOSE(nm(NULL, 2.54e7, 2.54e7, 2), 1, 1e-12, 0);
    LP_ASSERT_CLOSE(nm(NULL, 2e6, 2e6, 1), 0, 0, 0);
    LP_ASSERT_CLOSE(nm(NULL, 2e6, 4e6, 3), 0, 0, 0);
    LP_ASSERT_CLOSE(nm(NULL, INFINITY, INFINITY, 3), 0, 0, 0);
}

static double maker_nm(const char *text)
{
    lp_tiff_meta m = {
        .maker = text, .maker_n = (int)strlen(text), .xres = 72, .yres = 72, .unit = 2};

    return lp_tiff_pixel_nm(&m);
}

static void makers(void **state)
{
    (void)state;
    LP_ASSERT_CLOSE(maker_nm("[Scan]\r\nPixelWidth=1.5e-009\r\nPixelHeight=1.5e-009\r\n"), 1.5,
                    1e-12, 0);
    LP_ASSERT_CLOSE(maker_nm("AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 5.582 nm\r\nAP_X"), 5.582,
                    1e-12, 0);
    LP_ASSERT_CLOSE(maker_nm("Image Pixel Size = 5.5 \xb5m"), 5500, 1e-9, 0);
    LP_ASSERT_CLOSE(maker_nm("Image Pixel Size = 5.5"), 0, 0, 0);
    LP_ASSERT_CLOSE(maker_nm("Image Pixel Size = "), 0, 0, 0);
    LP_ASSERT_CLOSE(maker_nm("\nPixelWidth="), 0, 0, 0);
    LP_ASSERT_CLOSE(maker_nm(""), 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(units),  cmocka_unit_test(imagej),
                                       cmocka_unit_test(shaped), cmocka_unit_test(ome),
                                       cmocka_unit_test(plain),  cmocka_unit_test(makers)};
    return cmocka_run_group_tests_name("read_tiff_meta", tests, NULL, NULL);
}
