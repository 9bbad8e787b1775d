// SPDX-License-Identifier: BSD-3-Clause
// Flat field and logarithm in one pass over the counts; the twin is native/flat_field.h.
//
// A thread takes WIDTH neighbouring pixels of ANGLES projections, so that the dark and the flats are read once for
// all of them. Grid (pixels / (block WIDTH), angles / ANGLES), block a multiple of 32. `bright` is flat less dark of
// each reference group; `tally` holds the clipped, dead and not finite of each angle.
#ifndef IS_FLOAT
#define IS_FLOAT 0
#endif
#ifndef WIDTH
#define WIDTH 4
#endif
#ifndef ANGLES
#define ANGLES 8
#endif
#ifndef LOG
#define LOG 1
#endif

#if IS_FLOAT
typedef float Count;
#else
typedef unsigned short Count;
#endif

template <class T, int N> struct alignas(sizeof(T) * N) Pack {
    T at[N];
};

extern "C" __global__ void __launch_bounds__(256)
flat_log(const Count* __restrict__ counts, const float* __restrict__ dark, const float* __restrict__ bright,
         const int* __restrict__ lower, const float* __restrict__ fraction, float* __restrict__ out,
         unsigned long long* __restrict__ tally, int pixels, int angles, float lowest_counts,
         float lowest_transmission) {
    typedef Pack<Count, WIDTH> Counts;
    typedef Pack<float, WIDTH> Floats;
    const float infinity = __int_as_float(0x7f800000), nan = __int_as_float(0x7fffffff);
    const long long pixel = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * WIDTH;
    const bool inside = pixel < pixels; // pixels are a multiple of WIDTH
    const int first = blockIdx.y * ANGLES, last = min(first + ANGLES, angles);
    Floats shade = {}, before = {}, after = {};
    if (inside) shade = *reinterpret_cast<const Floats*>(dark + pixel);
    int held = -1; // reference group at hand
    bool holds_next = false;
    for (int angle = first; angle < last; ++angle) {
        const float part = fraction[angle];
        const int group = lower[angle];
        int clipped = 0, dead = 0, not_finite = 0;
        if (inside) {
            const float* flats = bright + (long long)group * pixels + pixel;
            if (group != held) {
                before = *reinterpret_cast<const Floats*>(flats);
                holds_next = false;
            }
            if (part > 0.0f && !holds_next) {
                after = *reinterpret_cast<const Floats*>(flats + pixels);
                holds_next = true;
            }
            held = group;
            const long long at = (long long)angle * pixels + pixel;
            const Counts seen = *reinterpret_cast<const Counts*>(counts + at);
            Floats result;
#pragma unroll
            for (int i = 0; i < WIDTH; ++i) {
                float flat = before.at[i];
                if (part > 0.0f) flat += part * (after.at[i] - flat);
                const float t = ((float)seen.at[i] - shade.at[i]) / flat, limit = lowest_counts / flat;
                const float faintest = limit > lowest_transmission ? limit : lowest_transmission;
                const float safe = t < faintest ? faintest : t;
                const bool alive = flat > 0.0f && flat < infinity, finite = t > -infinity && safe < infinity;
                clipped += alive && finite && t < faintest;
                dead += !alive;
                not_finite += alive && !finite;
                result.at[i] = alive && finite ? (LOG ? -logf(safe) : safe) : nan;
            }
            *reinterpret_cast<Floats*>(out + at) = result;
        }
        // Rare, so that most warps are done after one vote.
        if (!__any_sync(0xffffffffu, clipped | dead | not_finite)) continue;
#pragma unroll
        for (int step = 16; step > 0; step /= 2) {
            clipped += __shfl_down_sync(0xffffffffu, clipped, step);
            dead += __shfl_down_sync(0xffffffffu, dead, step);
            not_finite += __shfl_down_sync(0xffffffffu, not_finite, step);
        }
        if (threadIdx.x % 32 == 0) {
            if (clipped) atomicAdd(tally + angle, (unsigned long long)clipped);
            if (dead) atomicAdd(tally + angles + angle, (unsigned long long)dead);
            if (not_finite) atomicAdd(tally + 2 * angles + angle, (unsigned long long)not_finite);
        }
    }
}

// The median of the valid ones among the eight neighbours of each hole in its frame, NaN where there is none; the twin
// is kernels/invalid.py. `holes` are places in (angle, row, column).
extern "C" __global__ void __launch_bounds__(256)
median_of_neighbours(const float* __restrict__ frames, const long long* __restrict__ holes,
                     float* __restrict__ values, long long count, int rows, int columns) {
    const long long n = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= count) return;
    const long long place = holes[n];
    const int column = (int)(place % columns), row = (int)(place / columns % rows);
    float around[8];
    int valid = 0;
#pragma unroll
    for (int k = 0; k < 9; ++k) {
        const int i = k / 3 - 1, j = k % 3 - 1;
        float v = __int_as_float(0x7f800000); // infinity, behind all that count: what is valid is finite
        const bool within = k != 4 && row + i >= 0 && row + i < rows && column + j >= 0 && column + j < columns;
        if (within) {
            const float found = frames[place + (long long)i * columns + j];
            if (found == found) {
                v = found;
                ++valid;
            }
        }
        if (k != 4) around[k < 4 ? k : k - 1] = v;
    }
    // Sort eight values by exchanging neighbours: few threads come here.
#pragma unroll
    for (int end = 7; end > 0; --end)
#pragma unroll
        for (int k = 0; k < end; ++k) {
            const float low = fminf(around[k], around[k + 1]), high = fmaxf(around[k], around[k + 1]);
            around[k] = low;
            around[k + 1] = high;
        }
    float lower = around[0], upper = around[0];
#pragma unroll
    for (int k = 0; k < 8; ++k) {
        if (k == (valid - 1) / 2) lower = around[k];
        if (k == valid / 2) upper = around[k];
    }
    values[n] = valid > 0 ? 0.5f * lower + 0.5f * upper : __int_as_float(0x7fffffff);
}
