// SPDX-License-Identifier: BSD-3-Clause
// Forward projection by the central slice theorem: slices are put on a grid, transformed, and read at the polar
// frequencies by the same kernel that `gather` of gridding.cu spreads with, of which this is the transpose. The twin is
// kernels/projection.py.
#ifndef PAIRS
#define PAIRS 4
#endif
#ifndef TAPS
#define TAPS 6
#endif
#define REACH (0.5f * TAPS)

#include "kaiser_bessel.h"

// Slices first_row ..., (row, size, size), as pairs on grids (pair, cells, cells), over the kernel's own transform.
// Block (32, 8), grid (cells / 32, cells / 8, pairs).
extern "C" __global__ void __launch_bounds__(256)
place_slices(const float* __restrict__ images, const float* __restrict__ correction, float2* __restrict__ grid,
             int first_row, int rows, int size, int cells) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x, line = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= cells || line >= cells) return;
    const int pair = blockIdx.z, row = first_row + 2 * pair;
    const int x = column + size / 2 < size ? column + size / 2 : column - cells + size / 2;
    const int y = line + size / 2 < size ? line + size / 2 : line - cells + size / 2;
    float2 value = make_float2(0.0f, 0.0f);
    if (x >= 0 && y >= 0) {
        const float factor = correction[x] * correction[y];
        const float* from = images + ((long long)row * size + y) * size + x;
        if (row < rows) value.x = factor * from[0];
        if (row + 1 < rows) value.y = factor * from[(long long)size * size];
    }
    grid[((long long)pair * cells + line) * cells + column] = value;
}

// From transformed grids the spectra of projections, (pair, angle, 2 half), frequencies as a transform wants them and
// the origin moved back to column 0. Grid (frequencies / block, angles); see gridding.cu for `steps` and `shift`.
extern "C" __global__ void __launch_bounds__(256)
read_samples(const float2* __restrict__ grid, const float4* __restrict__ steps, const int* __restrict__ order,
             const double* __restrict__ shift, float2* __restrict__ spectrum, int angles, int half, int cells,
             float scale) {
    const int s = blockIdx.x * blockDim.x + threadIdx.x, k = blockIdx.y;
    if (s >= 2 * half) return;
    const int n = s <= half ? s : s - 2 * half;
    const float4 step = steps[k];
    const float f = (float)n;
    const float left = floorf(f * step.x - REACH) + 1.0f, top = floorf(f * step.y - REACH) + 1.0f;
    float across[TAPS];
    int column[TAPS];
#pragma unroll
    for (int t = 0; t < TAPS; ++t) {
        across[t] = kaiser_bessel(fmaf(-f, step.z, fmaf(-f, step.x, left + t)));
        const int x = (int)left + t;
        column[t] = x < 0 ? x + cells : x;
    }
    float2 sum[PAIRS] = {};
#pragma unroll 1 // or all places of a footprint are kept in registers
    for (int j = 0; j < TAPS; ++j) {
        const float down = kaiser_bessel(fmaf(-f, step.w, fmaf(-f, step.y, top + j)));
        const int y = (int)top + j;
        const float2* line = grid + (long long)(y < 0 ? y + cells : y) * cells;
#pragma unroll
        for (int p = 0; p < PAIRS; ++p) {
            float re = 0.0f, im = 0.0f;
#pragma unroll
            for (int i = 0; i < TAPS; ++i) {
                const float2 cell = line[(long long)p * cells * cells + column[i]];
                re += across[i] * cell.x;
                im += across[i] * cell.y;
            }
            sum[p].x += down * re;
            sum[p].y += down * im;
        }
    }
    const double turns = shift[k] * (n / (2.0 * half));
    float sine, cosine;
    sincospif(-2.0f * (float)(turns - rint(turns)), &sine, &cosine);
    // Of the Nyquist frequency nothing is taken, for the ends of a line through a slice differ there.
    const float size = n == half ? 0.0f : scale;
#pragma unroll
    for (int p = 0; p < PAIRS; ++p)
        spectrum[((long long)p * angles + order[k]) * (2 * half) + s] = make_float2(
            size * (sum[p].x * cosine - sum[p].y * sine), size * (sum[p].x * sine + sum[p].y * cosine));
}
