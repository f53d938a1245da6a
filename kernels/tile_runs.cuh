/* tile_runs - walks over a label image by warps, so that what is added up per label needs few
 * atomics: a warp takes TILE rows of 32 pixels, and rows that hold one label only are gathered. */
#ifndef LP_TILE_RUNS_CUH
#define LP_TILE_RUNS_CUH

#include "util.cuh"

#include "warp.cuh"

#define LP_RUN_ROWS 32 /* rows per warp */
#define LP_RUN_WARPS 8 /* per block */
#define LP_RUN_NONE UINT32_MAX

/* Blocks of 32 * LP_RUN_WARPS threads that cover the image. */
static inline int64_t lp_run_blocks(int Ly, int Lx)
{
    return lp_blocks(lp_blocks(Lx, 32) * lp_blocks(Ly, LP_RUN_ROWS), LP_RUN_WARPS);
}

/* Calls add(label, y0, y1, x0, x1), by one lane, for rectangles that make up all pixels of labels
 * other than 0, and background(pixels, first) for each tile that has pixels of 0. */
template <class Add, class Background>
static __device__ inline void lp_run_tiles(const uint32_t *__restrict__ labels, int Ly, int Lx,
                                           Add add, Background background)
{
    const int lane = (int)(threadIdx.x & 31), ntx = (Lx + 31) / 32;
    const int64_t tile = (int64_t)blockIdx.x * LP_RUN_WARPS + (threadIdx.x >> 5);
    const int ty = (int)(tile / ntx) * LP_RUN_ROWS, tx = (int)(tile % ntx) * 32;
    const int x = tx + lane, y1 = ty + LP_RUN_ROWS < Ly ? ty + LP_RUN_ROWS : Ly;
    uint32_t whole = LP_RUN_NONE; /* the label of all rows from y0 on */
    uint32_t nothing = 0, first = UINT32_MAX;
    int y0 = ty;

    for (int y = ty; y <= y1; y++) {
        const uint32_t l = y < y1 && x < Lx ? labels[(int64_t)y * Lx + x] : LP_RUN_NONE;
        const uint32_t l0 = __shfl_sync(LP_ALL_LANES, l, 0);
        const int one = __all_sync(LP_ALL_LANES, l == l0);

        if (whole != LP_RUN_NONE && !(one && l0 == whole)) {
            if (lane == 0) add(whole, y0, y, tx, tx + 32);
            whole = LP_RUN_NONE;
        }
        if (l == 0) {
            if (nothing == 0) first = (uint32_t)((int64_t)y * Lx + x);
            nothing++;
        }
        if (one) {
            if (whole == LP_RUN_NONE && l0 != 0) { /* LP_RUN_NONE after the last row */
                whole = l0;
                y0 = y;
            }
            continue;
        }
        const uint32_t left = __shfl_up_sync(LP_ALL_LANES, l, 1);
        const int head = lane == 0 || left != l;
        const unsigned heads = __ballot_sync(LP_ALL_LANES, head);

        if (head && l != 0 && l != LP_RUN_NONE) {
            const unsigned after = lane < 31 ? heads >> (lane + 1) : 0;

            add(l, y, y + 1, x, x + (after ? __ffs((int)after) : 32 - lane));
        }
    }
    for (int k = 16; k; k /= 2) {
        const uint32_t f = __shfl_xor_sync(LP_ALL_LANES, first, k);

        nothing += __shfl_xor_sync(LP_ALL_LANES, nothing, k);
        if (f < first) first = f;
    }
    if (lane == 0 && nothing) background(nothing, first);
}

#endif
