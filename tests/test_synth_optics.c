/* Synthetic micrographs as pictures: noise that follows the dose, a lens that follows its formula,
 * particles that are dark. */
#include "synth_picture.h"

#include "host/synth_draw.h"
#include "host/synth_optics.h"

#define PI 3.14159265358979323846

static void mean_and_variance(const float *v, size_t n, double *mean, double *var)
{
    double s = 0, q = 0;
    size_t i;

    for (i = 0; i < n; i++) s += v[i];
    *mean = s / (double)n;
    for (i = 0; i < n; i++) q += (v[i] - *mean) * (v[i] - *mean);
    *var = q / (double)n;
}

static void noise_follows_the_dose(void **state)
{
    static const double doses[] = {0.05, 1.0, 40.0};
    lp_synth_options o;
    size_t k;

    (void)state;
    lp_synth_easy(&o);
    o.Ly = o.Lx = 256;
    o.density = 0.0;
    o.ice_nm = 0.0;
    for (k = 0; k < 3; k++) {
        double mean, var, want = doses[k] * 64.0; /* 64 square Angstrom per pixel */
        picture p;

        o.dose = doses[k];
        p = render(&o, 3);
        assert_int_equal(p.n, 0);
        mean_and_variance(p.im.data, 65536, &mean, &var);
        LP_ASSERT_CLOSE(mean, want, 5 * sqrt(want / 65536), 0);
        LP_ASSERT_CLOSE(var, want, 0.1, 0.03); /* 5 standard errors are 2.8 % */
        done(&p);
    }
    /* Ice adds its grain to the counting noise. */
    o.ice_nm = 100.0;
    {
        double mean, var;
        picture p = render(&o, 3);

        mean_and_variance(p.im.data, 65536, &mean, &var);
        LP_ASSERT_CLOSE(mean, 2560.0, 0, 0.01);
        assert_true(var > 1.3 * 2560.0);
        done(&p);
    }
}

/* Fourier coefficient of out (n x n) at frequency (0, f), relative to the mean: cosine part. */
static double cosine_part(const float *v, int n, int f)
{
    double s = 0;
    int y, x;

    for (y = 0; y < n; y++)
        for (x = 0; x < n; x++) s += v[y * n + x] * cos(2 * PI * f * x / n);
    return 2 * s / ((double)n * n);
}

static void lens_follows_its_formula(void **state)
{
    enum { N = 128, HALO = 64 };
    const double eps = 1e-3;
    lp_synth_options o;
    lp_synth_canvas c;
    float *out = lp_guard_new(N * N);
    int y, x, f;

    (void)state;
    lp_synth_defaults(&o);
    o.Ly = o.Lx = N;
    /* 300 kV: 1.9687 pm, 6.526 mrad per V nm (Kirkland, table of constants) */
    LP_ASSERT_CLOSE(lp_synth_wavelength(300), 1.9687e-3, 0, 1e-4);
    LP_ASSERT_CLOSE(lp_synth_sigma(300), 6.526e-3, 0, 1e-3);
    assert_int_equal(lp_synth_canvas_new(&c, N, N, HALO, NULL), LP_OK);
    for (f = 4; f <= 48; f += 11) {
        double k = f / (N * o.pixel_nm), s, cs, env, a = o.amp_contrast;
        double chi =
            PI * 1.9687e-3 * 2500 * k * k - 0.5 * PI * 2.7e6 * pow(1.9687e-3, 3) * k * k * k * k;

        for (y = 0; y < c.Ly; y++)
            for (x = 0; x < c.Lx; x++)
                c.phase[y * c.Lx + x] = (float)(eps * cos(2 * PI * f * (x - HALO) / N));
        assert_int_equal(lp_synth_image(&o, 2.5, &c, out, NULL), LP_OK);
        lp_guard_check(out, N * N);
        lp_synth_lens(&o, 2.5, k, &s, &cs, &env);
        LP_ASSERT_CLOSE(s, sin(chi), 2e-3, 0);
        LP_ASSERT_CLOSE(cs, cos(chi), 2e-3, 0);
        LP_ASSERT_CLOSE(env, exp(-0.25 * 300 * k * k / 100), 0, 1e-9);
        /* Weak phase: I = 1 - 2 p E [sqrt(1 - a^2) sin chi + a cos chi]; 2 %: p is not 0 */
        LP_ASSERT_CLOSE(cosine_part(out, N, f), -2 * eps * env * (sqrt(1 - a * a) * s + a * cs),
                        0.02 * 2 * eps, 0);
    }
    lp_synth_canvas_free(&c);
    lp_guard_free(out);
}

static void perfect_lens_sees_no_phase(void **state)
{
    lp_synth_options o;
    lp_synth_canvas c;
    float *out = lp_guard_new(100 * 90);
    int y, x;

    (void)state;
    lp_synth_defaults(&o);
    o.Ly = 100;
    o.Lx = 90;
    o.cs_mm = o.amp_contrast = o.bfactor = 0.0;
    assert_int_equal(lp_synth_canvas_new(&c, 100, 90, 32, NULL), LP_OK);
    /* No object: no contrast, whatever the lens. */
    assert_int_equal(lp_synth_image(&o, 3.0, &c, out, NULL), LP_OK);
    for (y = 0; y < 9000; y++) LP_ASSERT_CLOSE(out[y], 1.0, 1e-5, 0);
    for (y = 0; y < c.Ly; y++)
        for (x = 0; x < c.Lx; x++)
            c.phase[y * c.Lx + x] =
                (float)exp(-hypot(y - 80, x - 77) * hypot(y - 80, x - 77) / 200);
    assert_int_equal(lp_synth_image(&o, 0.0, &c, out, NULL), LP_OK);
    for (y = 0; y < 9000; y++) LP_ASSERT_CLOSE(out[y], 1.0, 1e-3, 0);
    /* Underfocused: dark in the middle, by lambda dz / 2 pi times the curvature of the phase
     * (transport of intensity): 1.9687e-3 * 3000 / 2 pi * 2 / 8 nm^2. */
    assert_int_equal(lp_synth_image(&o, 3.0, &c, out, NULL), LP_OK);
    LP_ASSERT_CLOSE(out[48 * 90 + 45], 1.0 - 0.0294, 0.002, 0);
    o.amp_contrast = 0.2;
    assert_int_equal(lp_synth_image(&o, 0.0, &c, out, NULL), LP_OK);
    LP_ASSERT_CLOSE(out[48 * 90 + 45], exp(-0.4), 2e-3, 0);
    lp_guard_check(out, 9000);
    lp_synth_canvas_free(&c);
    lp_guard_free(out);
}

static void particles_are_dark(void **state)
{
    lp_synth_options o;
    picture p;
    double in = 0, all = 0;
    int64_t n_in = 0, n_all = 0;
    int i;

    (void)state;
    lp_synth_easy(&o);
    o.Ly = o.Lx = 512;
    o.shells = o.blebs = 0.0;
    p = render(&o, 8);
    for (i = 0; i < 512 * 512; i++)
        if (p.lb.data[i])
            in += p.im.data[i], n_in++;
        else
            all += p.im.data[i], n_all++;
    assert_true(n_in > 5000);
    assert_true(in / (double)n_in < 0.985 * all / (double)n_all);
    done(&p);
}

/* Variance of the means of blocks of 32 x 32 px, over that of white noise of the same pixels. */
static double coarse(const lp_image *im)
{
    int by, bx, y, x, nb = 0;
    double sum = 0, sum2 = 0, mean, var;

    mean_and_variance(im->data, (size_t)im->Ly * im->Lx, &mean, &var);
    for (by = 0; by + 32 <= im->Ly; by += 32)
        for (bx = 0; bx + 32 <= im->Lx; bx += 32) {
            double m = 0;

            for (y = by; y < by + 32; y++)
                for (x = bx; x < bx + 32; x++) m += im->data[y * im->Lx + x];
            m /= 1024.0;
            sum += m;
            sum2 += m * m;
            nb++;
        }
    return (sum2 / nb - sum / nb * (sum / nb)) / (var / 1024.0);
}

static void high_pass_flattens(void **state)
{
    double mean[2], var[2];
    lp_synth_options o;
    picture a, b;
    int i;

    (void)state;
    lp_synth_defaults(&o);
    o.Ly = 320;
    o.Lx = 384;
    a = render(&o, 5);
    o.high_pass = 6.0; /* 7.5 px */
    b = render(&o, 5);
    mean_and_variance(a.im.data, 320 * 384, &mean[0], &var[0]);
    mean_and_variance(b.im.data, 320 * 384, &mean[1], &var[1]);
    LP_ASSERT_CLOSE(mean[1], mean[0], 1e-3, 0);
    assert_true(coarse(&a.im) > 50.0);
    assert_true(coarse(&b.im) < 8.0);
    /* Steps between neighbours stay as they were. */
    for (i = 0, var[0] = var[1] = 0; i < 320 * 384 - 1; i++) {
        double d = (double)a.im.data[i + 1] - a.im.data[i];
        double e = (double)b.im.data[i + 1] - b.im.data[i];

        var[0] += d * d;
        var[1] += (d - e) * (d - e);
    }
    assert_true(var[1] < 0.01 * var[0]);
    assert_memory_equal(a.lb.data, b.lb.data, 320 * 384 * 4);
    done(&a);
    done(&b);
}

/* Variance of phase within the shapes' labels. */
static double roughness(const picture *p)
{
    double sum = 0, sum2 = 0;
    int64_t n = 0;
    int i;

    for (i = 0; i < p->im.Ly * p->im.Lx; i++)
        if (p->lb.data[i]) sum += p->im.data[i], sum2 += (double)p->im.data[i] * p->im.data[i], n++;
    return sum2 / (double)n - sum / (double)n * (sum / (double)n);
}

static void proteins_sit_in_liposomes(void **state)
{
    lp_synth_options o;
    picture a, b;

    (void)state;
    lp_synth_easy(&o);
    o.Ly = o.Lx = 400;
    o.dose = 1000.0;
    o.shells = 1.0;
    a = render(&o, 6);
    o.protein = 2.0;
    b = render(&o, 6);
    assert_true(roughness(&b) > 1.5 * roughness(&a));
    assert_memory_equal(a.lb.data, b.lb.data, 400 * 400 * 4);
    done(&a);
    done(&b);
    o.shells = 0.0; /* cores have none */
    a = render(&o, 6);
    o.protein = 0.0;
    b = render(&o, 6);
    assert_true(same(&a, &b));
    done(&a);
    done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_follows_the_dose),     cmocka_unit_test(lens_follows_its_formula),
        cmocka_unit_test(perfect_lens_sees_no_phase), cmocka_unit_test(particles_are_dark),
        cmocka_unit_test(high_pass_flattens),         cmocka_unit_test(proteins_sit_in_liposomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
