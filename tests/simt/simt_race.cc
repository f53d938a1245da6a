/* simt_race - finds races in shared memory: the kernels are built with -fsanitize=thread, whose
 * calls before every access come here instead of to its own library.
 *
 * Two accesses to a byte by different threads of a block, one of them a write and not both atomic,
 * are a race unless a __syncthreads lies between them, or a __syncwarp of both lanes. Shuffles,
 * votes and mma order nothing: CUDA does not promise that. A byte read before anybody in the block
 * wrote it is an error too. Memory outside of shared memory is not looked at. */
#include "simt.h"
#include "simt_inside.h"

#include <vector>

struct Byte {
    uint32_t write_epoch, read_epoch; /* of barriers; 0: never */
    uint32_t write_clock, read_clock[2];
    uint16_t writer, reader[2];
    bool atomic;
};

static std::vector<Byte> shadow;
static uint32_t epoch = 1, block_epoch = 1;
/* known[w][i][k]: up to which of lane k's __syncwarp lane i has seen its work */
static uint32_t known[32][32][32], clock_of[1024];

void simt_race_block()
{
    block_epoch = ++epoch;
    memset(known, 0, sizeof known);
    memset(clock_of, 0, sizeof clock_of);
}

void simt_race_barrier()
{
    epoch++;
}

void simt_race_warp(int warp, unsigned mask)
{
    uint32_t most[32] = {0};
    int i, k;

    for (i = 0; i < 32; i++) {
        if (!(mask >> i & 1)) continue;
        known[warp][i][i] = ++clock_of[warp * 32 + i];
        for (k = 0; k < 32; k++)
            if (known[warp][i][k] > most[k]) most[k] = known[warp][i][k];
    }
    for (i = 0; i < 32; i++)
        if (mask >> i & 1) memcpy(known[warp][i], most, sizeof most);
}

/* Whether what thread t did at its clock c and at epoch e comes before what `now` does. */
static bool before(int t, uint32_t e, uint32_t c, int now)
{
    return t == now || e < epoch || (t / 32 == now / 32 && known[now / 32][now % 32][t % 32] > c);
}

void simt_access(const void *p, size_t bytes, char kind)
{
    size_t size, at = simt_shared_offset(p, &size), i;
    int now = simt_thread();

    if (at == (size_t)-1 || now < 0) return;
    if (shadow.size() < size) shadow.resize(size);
    for (i = at; i < at + bytes && i < shadow.size(); i++) {
        Byte *b = &shadow[i];

        if (kind == 'r' && b->write_epoch < block_epoch)
            simt_fail("reads shared memory at %p that nobody has written", p);
        if (b->write_epoch >= block_epoch && !(kind == 'a' && b->atomic) &&
            !before(b->writer, b->write_epoch, b->write_clock, now))
            simt_fail("race: %s shared memory at %p, which thread %d (of the block, counted) wrote",
                      kind == 'r' ? "reads" : "writes", p, b->writer);
        if (kind != 'r')
            for (int k = 0; k < 2; k++)
                if (b->read_epoch == epoch && b->reader[k] != 0xffff &&
                    !before(b->reader[k], epoch, b->read_clock[k], now))
                    simt_fail("race: writes shared memory at %p, which thread %d (of the block, "
                              "counted) reads",
                              p, b->reader[k]);
        if (kind == 'r') {
            int k = b->read_epoch == epoch && b->reader[0] != now;

            if (b->read_epoch != epoch) b->reader[1] = 0xffff;
            b->read_epoch = epoch;
            b->reader[k] = (uint16_t)now;
            b->read_clock[k] = clock_of[now];
        } else {
            b->write_epoch = epoch;
            b->writer = (uint16_t)now;
            b->write_clock = clock_of[now];
            b->atomic = kind == 'a';
        }
    }
}

extern "C" {
#define ACCESS(n)                                                                                  \
    void __tsan_read##n(void *p)                                                                   \
    {                                                                                              \
        simt_access(p, n, 'r');                                                                    \
    }                                                                                              \
    void __tsan_write##n(void *p)                                                                  \
    {                                                                                              \
        simt_access(p, n, 'w');                                                                    \
    }                                                                                              \
    void __tsan_unaligned_read##n(void *p)                                                         \
    {                                                                                              \
        simt_access(p, n, 'r');                                                                    \
    }                                                                                              \
    void __tsan_unaligned_write##n(void *p)                                                        \
    {                                                                                              \
        simt_access(p, n, 'w');                                                                    \
    }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __tsan_read_range(void *p, size_t n)
{
    simt_access(p, n, 'r');
}
void __tsan_write_range(void *p, size_t n)
{
    simt_access(p, n, 'w');
}
void __tsan_init()
{
}
void __tsan_func_entry(void *)
{
}
void __tsan_func_exit()
{
}
void __tsan_vptr_update(void **, void *)
{
}
}
