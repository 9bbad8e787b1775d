// SPDX-License-Identifier: BSD-3-Clause
// Stripes of sinograms by sorting: the median over neighbouring columns at each rank, put back where the value came from;
// the twin is native/sorting.h. `ranked` and `order` are (rank, row, column): the sorted values of each column, and the
// angles that they are of. Block THREADS, grid (columns / THREADS, ranks x rows).
#ifndef SIZE // columns of the median, odd
#define SIZE 21
#endif
#define THREADS 128

// Bits of a float in an order of whole numbers that is that of the floats; -0 counts as 0.
__device__ __forceinline__ unsigned rank_bits(float value) {
    const unsigned bits = __float_as_uint(value + 0.0f);
    return bits ^ (bits & 0x80000000u ? 0xffffffffu : 0x80000000u);
}
__device__ __forceinline__ float float_of(unsigned bits) {
    return __uint_as_float(bits ^ (bits & 0x80000000u ? 0x80000000u : 0xffffffffu));
}

extern "C" __global__ void __launch_bounds__(THREADS)
median_of_ranks(const float* __restrict__ ranked, const long long* __restrict__ order, float* __restrict__ out,
                int rows, int columns, long long first_line, int out_rows, int first_row, float strength) {
    __shared__ unsigned keys[THREADS + SIZE - 1];
    const long long line = first_line + blockIdx.y; // rank x rows + row
    const int left = (int)(blockIdx.x * THREADS) - SIZE / 2, column = blockIdx.x * THREADS + threadIdx.x;
    for (int n = threadIdx.x; n < THREADS + SIZE - 1; n += THREADS) {
        int at = (left + n) % (2 * columns); // d c b a | a b c d | d c b a
        if (at < 0) at += 2 * columns;
        if (at >= columns) at = 2 * columns - 1 - at;
        keys[n] = rank_bits(ranked[line * columns + at]);
    }
    __syncthreads();
    if (column >= columns) return;
    // The largest number that has no more than SIZE / 2 keys below it, bit by bit.
    unsigned middle = 0;
    for (int bit = 31; bit >= 0; --bit) {
        const unsigned candidate = middle | 1u << bit;
        int below = 0;
#pragma unroll 8
        for (int n = 0; n < SIZE; ++n) below += keys[threadIdx.x + n] < candidate;
        if (below <= SIZE / 2) middle = candidate;
    }
    const float was = ranked[line * columns + column], smooth = float_of(middle);
    const long long angle = order[line * columns + column], row = line % rows;
    out[(angle * out_rows + first_row + row) * columns + column] =
        strength == 1.0f ? smooth : was + strength * (smooth - was);
}
