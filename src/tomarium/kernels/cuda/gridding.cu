// SPDX-License-Identifier: BSD-3-Clause
// Filtered backprojection by gridding in Fourier space; the twin is native/gridding.h, where the method is told.
//
// Two rows of the detector are the real and imaginary part of one complex series; PAIRS such series go together, so that
// the weight of a sample is worked out once for all of them. Samples are (angle sorted by direction, frequency, pair).
// Without atomics: a block owns TILE x TILE cells of the periodic grid and gathers the samples whose footprints touch
// them, in one order, so that a sum depends on nothing but its cell.
#ifndef PAIRS
#define PAIRS 4
#endif
#ifndef HALF // samples are kept in 16-bit floats
#define HALF 0
#endif
#ifndef REACH // half the width of a footprint in cells
#define REACH 3.0f
#endif

#include "kaiser_bessel.h"

#define TILE 16
#define CHUNK 8 // angles whose samples are at hand together, one for each warp
#define SPAN 32 // samples of each

#if HALF
#ifdef __CUDACC__
__device__ __forceinline__ unsigned short half_bits(float x) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}
__device__ __forceinline__ float float_of_half(unsigned short bits) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
}
#endif
struct alignas(4 * PAIRS) Sample {
    unsigned short at[2 * PAIRS];
};
#define LARGEST 65504.0f
#else
struct alignas(PAIRS > 1 ? 16 : 8) Sample {
    float at[2 * PAIRS];
};
#define LARGEST 3.40282347e38f
#endif

struct alignas(PAIRS > 1 ? 16 : 8) Value {
    float at[2 * PAIRS];
};

__device__ __forceinline__ Sample kept(const Value& value) {
#if HALF
    Sample sample;
#pragma unroll
    for (int i = 0; i < 2 * PAIRS; ++i) sample.at[i] = half_bits(value.at[i]);
    return sample;
#else
    Sample sample;
#pragma unroll
    for (int i = 0; i < 2 * PAIRS; ++i) sample.at[i] = value.at[i];
    return sample;
#endif
}

__device__ __forceinline__ Value read(const Sample& sample) {
    Value value;
#pragma unroll
    for (int i = 0; i < 2 * PAIRS; ++i)
#if HALF
        value.at[i] = float_of_half(sample.at[i]);
#else
        value.at[i] = sample.at[i];
#endif
    return value;
}

// From the spectra of real rows, (angle, row, frequency from 0 to `half`), the samples at -half ... half: ramp, move of
// the origin to the axis, angular weight. `shift` is how far the origin moves in each projection and `offset` of each
// row, in pixels. Grid (frequencies / block, angles).
extern "C" __global__ void __launch_bounds__(256)
polar_samples(const float2* __restrict__ spectrum, const int* __restrict__ order, const double* __restrict__ shift,
              const float* __restrict__ weight, const float* __restrict__ response, const double* __restrict__ offset,
              Sample* __restrict__ samples, unsigned* __restrict__ not_finite, int half, int has_offsets) {
    const int s = blockIdx.x * blockDim.x + threadIdx.x, k = blockIdx.y;
    if (s > 2 * half) return;
    const int f = s - half, at = f < 0 ? -f : f;
    // Both ends are the one Nyquist frequency: each takes half.
    const float size = response[at] * weight[k] * (at == half ? 0.5f : 1.0f);
    const double frequency = f / (2.0 * half), turns = shift[k] * frequency;
    float sine, cosine;
    sincospif(2.0f * (float)(turns - rint(turns)), &sine, &cosine);
    const float2* from = spectrum + (long long)order[k] * (2 * PAIRS) * (half + 1) + at;
    Value value;
    bool good = true;
#pragma unroll
    for (int p = 0; p < PAIRS; ++p) {
        float2 row[2] = {from[(long long)(2 * p) * (half + 1)], from[(long long)(2 * p + 1) * (half + 1)]};
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            if (f < 0) row[i].y = -row[i].y; // the transform of a real row at -f is the conjugate of that at f
            if (!has_offsets) continue;
            const double more = offset[2 * p + i] * frequency;
            float s_own, c_own;
            sincospif(2.0f * (float)(more - rint(more)), &s_own, &c_own);
            row[i] = make_float2(row[i].x * c_own - row[i].y * s_own, row[i].x * s_own + row[i].y * c_own);
        }
        const float re = size * (row[0].x - row[1].y), im = size * (row[0].y + row[1].x);
        value.at[2 * p] = re * cosine - im * sine;
        value.at[2 * p + 1] = re * sine + im * cosine;
        good = good && fabsf(value.at[2 * p]) <= LARGEST && fabsf(value.at[2 * p + 1]) <= LARGEST;
    }
    samples[(long long)k * (2 * half + 1) + s] = kept(value);
    if (!good) atomicAdd(not_finite, 1u);
}

// First place in the sorted list `bearing` whose value is not below `low`.
__device__ __forceinline__ int place_of(const float* bearing, int angles, float low) {
    int begin = 0, end = angles;
    while (begin < end) {
        const int middle = (begin + end) / 2;
        if (bearing[middle] < low) begin = middle + 1;
        else end = middle;
    }
    return begin;
}

// What a block has at hand of up to CHUNK angles.
struct Chunk {
    Value sample[CHUNK][SPAN];
    float4 step[CHUNK]; // cells from one frequency to the next: x and y, and what float32 lacks of them
    float inverse[CHUNK]; // one over the larger of x and y
    int start[CHUNK], count[CHUNK];
};

// Adds to a cell at (x, y) what the samples at hand give it.
__device__ __forceinline__ void add_chunk(const Chunk& chunk, int angles, float x, float y, float per_cell, Value& sum) {
    for (int j = 0; j < angles; ++j) {
        const int count = chunk.count[j], start = chunk.start[j];
        const float4 step = chunk.step[j];
        if (count <= 0 || fabsf(y * step.x - x * step.y) * per_cell > 1.41422f * REACH) continue;
        const float inverse = chunk.inverse[j], middle = (fabsf(step.y) > fabsf(step.x) ? y : x) * inverse;
        const float span = REACH * fabsf(inverse) + 0.01f;
        const int from = max(0, (int)ceilf(middle - span) - start), to = min(count - 1, (int)floorf(middle + span) - start);
        for (int n = from; n <= to; ++n) {
            // Errors of float32 in a place far from the origin would let one slice of a pair leak into the other.
            const float f = (float)(start + n);
            const float dx = fmaf(-f, step.z, fmaf(-f, step.x, x)), dy = fmaf(-f, step.w, fmaf(-f, step.y, y));
            if (dx <= -REACH || dx > REACH || dy <= -REACH || dy > REACH) continue; // a cell at an edge counts once
            const float weight = kaiser_bessel(dx) * kaiser_bessel(dy);
#pragma unroll
            for (int i = 0; i < 2 * PAIRS; ++i) sum.at[i] += weight * chunk.sample[j][n].at[i];
        }
    }
}

// Block (TILE, TILE), grid (cells / TILE, cells / TILE). Sample f of angle k lies at (f step.x, f step.y) cells from the
// origin; cell (row, column) of `grid`, (pair, cells, cells), at (column, row), in the upper half less `cells`.
// `bearing` are the angles' directions in [0, pi), ascending; `per_cell` are the frequencies in one cell.
extern "C" __global__ void __launch_bounds__(TILE * TILE)
gather(const Sample* __restrict__ samples, const float4* __restrict__ steps, const float* __restrict__ bearing,
       float2* __restrict__ grid, int angles, int half, int cells, float per_cell) {
    __shared__ Chunk chunk;
    constexpr float pi = 3.14159274f;
    const int thread = threadIdx.y * TILE + threadIdx.x, mine = thread / SPAN, lane = thread % SPAN;
    // The tiles about the origin take longest: 0, -1, 1, -2 ... in the order in which blocks start.
    const int tiles = gridDim.x;
    const int tile_x = blockIdx.x % 2 ? tiles - (int)(blockIdx.x + 1) / 2 : (int)blockIdx.x / 2;
    const int tile_y = blockIdx.y % 2 ? tiles - (int)(blockIdx.y + 1) / 2 : (int)blockIdx.y / 2;
    const int column = tile_x * TILE + threadIdx.x, row = tile_y * TILE + threadIdx.y;
    constexpr float middle = 0.5f * (TILE - 1), radius = 1.41422f * (middle + REACH);
    const int windows = ((int)(2.0f * radius * per_cell) + SPAN) / SPAN;
    Value sum = {};
    // The tile and its periodic images; what each thread decides here is the same for the whole block.
    for (int image = 0; image < 4; ++image) {
        const float left = (float)(tile_x * TILE - (image % 2) * cells);
        const float top = (float)(tile_y * TILE - (image / 2) * cells);
        const float xc = left + middle, yc = top + middle, x = left + threadIdx.x, y = top + threadIdx.y;
        const float distance = sqrtf(xc * xc + yc * yc);
        if (distance - radius > half / per_cell) continue;
        // Directions under which the tile is seen from the origin, as up to three pieces of the sorted list.
        float towards = atan2f(yc, xc);
        if (towards < 0.0f) towards += pi;
        const float wide = distance > radius ? asinf(radius / distance) + 1e-4f : pi;
        const bool everything = wide >= 0.5f * pi;
        for (int piece = -1; piece <= 1; ++piece) {
            if (everything && piece != 0) continue;
            const float away = towards + piece * pi;
            const int begin = everything ? 0 : place_of(bearing, angles, away - wide);
            const int end = everything ? angles : place_of(bearing, angles, away + wide);
            for (int k = begin; k < end; k += CHUNK) {
                int first = 0, last = -1;
                float4 step = {};
                if (k + mine < end) {
                    step = steps[k + mine];
                    if (fabsf(yc * step.x - xc * step.y) * per_cell <= radius) {
                        const float along = (xc * step.x + yc * step.y) * per_cell;
                        first = max(-half, (int)ceilf((along - radius) * per_cell));
                        last = min(half, (int)floorf((along + radius) * per_cell));
                    }
                }
                for (int window = 0; window < windows; ++window) {
                    const int f = first + window * SPAN + lane;
                    __syncthreads(); // what was at hand has been used
                    if (f <= last) chunk.sample[mine][lane] = read(samples[(long long)(k + mine) * (2 * half + 1) + half + f]);
                    if (lane == 0) {
                        chunk.step[mine] = step;
                        chunk.inverse[mine] = 1.0f / (fabsf(step.y) > fabsf(step.x) ? step.y : step.x);
                        chunk.start[mine] = f;
                        chunk.count[mine] = min(SPAN, last - f + 1);
                    }
                    __syncthreads();
                    add_chunk(chunk, min(CHUNK, end - k), x, y, per_cell, sum);
                }
            }
        }
    }
    if (row >= cells || column >= cells) return;
#pragma unroll
    for (int p = 0; p < PAIRS; ++p)
        grid[((long long)p * cells + row) * cells + column] = make_float2(sum.at[2 * p], sum.at[2 * p + 1]);
}

// From the transformed grids (pair, cells, cells) the pixels of the slices first_row ..., (row, y1 - y0, x1 - x0), over
// the kernel's own transform; 0 outside the disc. Block (32, 8), grid (width / 32, height / 8, pairs).
extern "C" __global__ void __launch_bounds__(256)
write_slices(const float2* __restrict__ grid, const float* __restrict__ correction, float* __restrict__ out,
             int first_row, int rows, int size, int cells, int y0, int y1, int x0, int x1, float scale, int disc) {
    const int x = x0 + blockIdx.x * blockDim.x + threadIdx.x, y = y0 + blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= x1 || y >= y1) return;
    const int pair = blockIdx.z, row = first_row + 2 * pair;
    const int column = x < size / 2 ? x - size / 2 + cells : x - size / 2;
    const int line = y < size / 2 ? y - size / 2 + cells : y - size / 2;
    const float2 value = grid[((long long)pair * cells + line) * cells + column];
    const long long dx = 2 * x - size + 1, dy = 2 * y - size + 1, width = x1 - x0;
    const bool inside = !disc || dx * dx + dy * dy <= (long long)size * size;
    const float factor = correction[x] * correction[y] * scale;
    float* to = out + ((long long)row * (y1 - y0) + (y - y0)) * width + (x - x0);
    if (row < rows) to[0] = inside ? factor * value.x : 0.0f;
    if (row + 1 < rows) to[width * (y1 - y0)] = inside ? factor * value.y : 0.0f;
}
