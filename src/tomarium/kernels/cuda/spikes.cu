// SPDX-License-Identifier: BSD-3-Clause
// Spikes, pixels far above the median of their 3 x 3 neighbourhood; the twin is native/spikes.h, where the method is
// told. A first kernel marks what is to be replaced, a second one replaces it: what a pixel becomes depends on the
// frames alone, so that it does not matter which spike it was marked for.
#ifndef IS_FLOAT
#define IS_FLOAT 0
#endif
#define MOST_BRIGHT 4     // pixels of a spike
#define MOST_NEW 6        // pixels of one that is told in the excess over the frames beside
#define BOTH (6.0 / 7)    // part of the threshold above the brighter of two frames
#define MOVING 0.5f       // part of the largest loss within two pixels that a spike rises; of a larger one twice it
#define SKIRT 4.0         // deviations above which a pixel beside a spike is part of it
#define LARGEST 3.40282347e38f
#define WIDE 32
#define HIGH 8

#if IS_FLOAT
typedef float Count;
#else
typedef unsigned short Count;
#endif

struct Frame {
    const Count* pixels;
    const Count* beside[2]; // frames near it, or null
    const float *dark, *relative; // a signal is (count - dark) * relative
    const double *brightness, *sigma, *in_time; // noise at each brightness, and from frame to frame
    int rows, columns, levels;
    double threshold;

    __device__ float signal(const Count* from, int row, int column) const {
        const long long i = (long long)row * columns + column;
        return ((float)from[i] - dark[i]) * relative[i];
    }
    // What is not finite counts as brighter than all.
    __device__ float value(int row, int column) const {
        const float v = signal(pixels, row, column);
        return fabsf(v) <= LARGEST ? v : __int_as_float(0x7f800000);
    }
    __device__ bool has_beside() const { return beside[0] || beside[1]; }
    __device__ bool has_both() const { return beside[0] && beside[1]; }

    // The brighter of the frames beside; what is not finite is not there.
    __device__ float before(int row, int column) const {
        float most = -__int_as_float(0x7f800000);
        for (int n = 0; n < 2; ++n) {
            if (!beside[n]) continue;
            const float v = signal(beside[n], row, column);
            if (fabsf(v) <= LARGEST) most = fmaxf(most, v);
        }
        return most;
    }
    // The mean of the frames beside where both have a value, else what there is.
    __device__ float mean(int row, int column) const {
        if (has_both()) {
            const float m = 0.5f * (signal(beside[0], row, column) + signal(beside[1], row, column));
            if (fabsf(m) <= LARGEST) return m;
        }
        return before(row, column);
    }
    __device__ static float middle_of(float a, float b, float c) {
        return fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
    }
    // What a spike is replaced by: the median of its neighbourhood and of the frames beside, where there are two.
    __device__ float mended(int row, int column, float median) const {
        if (!has_both()) return median;
        const float a = signal(beside[0], row, column), b = signal(beside[1], row, column);
        return fabsf(a) <= LARGEST && fabsf(b) <= LARGEST ? middle_of(median, a, b) : median;
    }
    __device__ float median(int row, int column) const {
        float low[3], middle[3], high[3];
#pragma unroll
        for (int j = 0; j < 3; ++j) {
            const int c = min(max(column + j - 1, 0), columns - 1);
            const float a = value(max(row - 1, 0), c), b = value(row, c), d = value(min(row + 1, rows - 1), c);
            low[j] = fminf(fminf(a, b), d);
            high[j] = fmaxf(fmaxf(a, b), d);
            middle[j] = middle_of(a, b, d);
        }
        return middle_of(fmaxf(fmaxf(low[0], low[1]), low[2]), middle_of(middle[0], middle[1], middle[2]),
                         fminf(fminf(high[0], high[1]), high[2]));
    }
    // Linear between the levels, level beyond them.
    __device__ double noise(const double* of, float at) const {
        int begin = 0, end = levels; // the first level above the brightness
        while (begin < end) {
            const int middle = (begin + end) / 2;
            if (brightness[middle] > (double)at) end = middle;
            else begin = middle + 1;
        }
        if (end == 0) return of[0];
        if (end == levels) return of[end - 1];
        const double x0 = brightness[end - 1], slope = (of[end] - of[end - 1]) / (brightness[end] - x0);
        return slope * ((double)at - x0) + of[end - 1];
    }
    __device__ bool stands_out(int row, int column, float median, double deviations) const {
        const float over = signal(pixels, row, column) - median;
        return over < __int_as_float(0x7f800000) && (double)over > deviations * noise(sigma, median);
    }
    // Whether it was not there in the frames beside, neither in its place nor over and under it.
    __device__ bool is_new(int row, int column) const {
        if (!has_beside()) return true;
        const float was = before(row, column), v = value(row, column);
        const double allowed = threshold * noise(in_time, was);
        if (!((double)(v - was) > BOTH * allowed) || !((double)(v - mean(row, column)) > allowed)) return false;
        float most = was;
        for (int y = max(row - 1, 0); y <= min(row + 1, rows - 1); ++y) most = fmaxf(most, before(y, column));
        return (double)(v - most) > 0.5 * allowed;
    }
    // How far a pixel rises, and above what of it neighbours belong to it.
    __device__ float rise(int row, int column) const {
        return has_beside() ? value(row, column) - before(row, column) : value(row, column);
    }
    // Whether the pixel rises by so many times what any within two pixels of it loses.
    __device__ bool is_still(int row, int column, float times) const {
        const float mine = rise(row, column);
        float lowest = mine;
        for (int y = max(row - 2, 0); y <= min(row + 2, rows - 1); ++y)
            for (int x = max(column - 2, 0); x <= min(column + 2, columns - 1); ++x) lowest = fminf(lowest, rise(y, x));
        return mine > -lowest * times;
    }
    // Whether a pixel beside a spike is to be replaced; `half` is half of what the spike rises.
    __device__ bool belongs(int row, int column, float half) const {
        const float up = rise(row, column);
        if (has_both() && up > half && up < __int_as_float(0x7f800000)) return true;
        if (!stands_out(row, column, median(row, column), SKIRT)) return false;
        if (!has_beside()) return true;
        const float was = before(row, column);
        return (double)(value(row, column) - was) > SKIRT * noise(in_time, was);
    }
    // Marks a spike and what belongs to it, unless there is too much of it.
    __device__ void mark(int row, int column, float median, unsigned* marks, long long first) const {
        const float from = has_beside() ? 0.0f : median, half = from + 0.5f * (rise(row, column) - from);
        const int most = has_beside() ? MOST_NEW : MOST_BRIGHT;
        int part_row[MOST_NEW], part_column[MOST_NEW], count = 1;
        part_row[0] = row;
        part_column[0] = column;
        for (int n = 0; n < count; ++n)
            for (int y = max(part_row[n] - 1, 0); y <= min(part_row[n] + 1, rows - 1); ++y)
                for (int x = max(part_column[n] - 1, 0); x <= min(part_column[n] + 1, columns - 1); ++x) {
                    bool is_part = rise(y, x) > half;
                    for (int k = 0; k < count; ++k) is_part = is_part && !(part_row[k] == y && part_column[k] == x);
                    if (!is_part) continue;
                    if (count == most) return;
                    part_row[count] = y;
                    part_column[count++] = x;
                }
        if (has_beside() && !is_still(row, column, count > MOST_BRIGHT ? 1 / MOVING : MOVING)) return;
        const float high = 0.5f * rise(row, column);
        for (int y = max(row - 1, 0); y <= min(row + 1, rows - 1); ++y)
            for (int x = max(column - 1, 0); x <= min(column + 1, columns - 1); ++x) mark_one(y, x, high, marks, first);
        for (int k = 1; k < count; ++k) {
            const int down = part_row[k] - row, along = part_column[k] - column;
            if (down * down > 1 || along * along > 1) mark_one(part_row[k], part_column[k], high, marks, first);
        }
    }
    __device__ void mark_one(int y, int x, float high, unsigned* marks, long long first) const {
        if (!belongs(y, x, high)) return;
        const long long bit = first + (long long)y * columns + x;
        atomicOr(marks + bit / 32, 1u << (bit % 32));
    }
};

__device__ __forceinline__ const Count* frame_of(const Count* frames, const Count* more, int number, int angles,
                                                 long long pixels) {
    if (number < 0) return nullptr;
    return number < angles ? frames + number * pixels : more + (number - angles) * pixels;
}

#define PARAMETERS                                                                                                  \
    const Count *__restrict__ frames, const Count *__restrict__ more, const int *__restrict__ beside,               \
        const float *__restrict__ dark, const float *__restrict__ relative, const double *__restrict__ brightness,  \
        const double *__restrict__ sigma, const double *__restrict__ in_time, int angles, int rows, int columns,    \
        int levels, double threshold
#define FRAME(angle)                                                                                                \
    {frames + (angle) * pixels,                                                                                     \
     {frame_of(frames, more, beside[2 * (angle)], angles, pixels),                                                  \
      frame_of(frames, more, beside[2 * (angle) + 1], angles, pixels)},                                             \
     dark, relative, brightness, sigma, in_time, rows, columns, levels, threshold}

// Sets the bit of each pixel that is to be replaced; below an excess of `least` nothing is looked at twice.
// Block (WIDE, HIGH), grid (columns / WIDE, rows / HIGH, angles).
extern "C" __global__ void __launch_bounds__(WIDE * HIGH)
mark_spikes(PARAMETERS, float least, unsigned* marks) {
    __shared__ float tile[HIGH + 2][WIDE + 2];
    const long long pixels = (long long)rows * columns;
    const int angle = blockIdx.z, left = blockIdx.x * WIDE, top = blockIdx.y * HIGH;
    const Frame frame = FRAME(angle);
    for (int n = threadIdx.y * WIDE + threadIdx.x; n < (HIGH + 2) * (WIDE + 2); n += WIDE * HIGH) {
        const int i = n / (WIDE + 2), j = n % (WIDE + 2);
        tile[i][j] = frame.value(min(max(top + i - 1, 0), rows - 1), min(max(left + j - 1, 0), columns - 1));
    }
    __syncthreads();
    const int row = top + threadIdx.y, column = left + threadIdx.x;
    if (row >= rows || column >= columns) return;
    float low[3], middle[3], high[3];
#pragma unroll
    for (int j = 0; j < 3; ++j) {
        const float a = tile[threadIdx.y][threadIdx.x + j], b = tile[threadIdx.y + 1][threadIdx.x + j];
        const float d = tile[threadIdx.y + 2][threadIdx.x + j];
        low[j] = fminf(fminf(a, b), d);
        high[j] = fmaxf(fmaxf(a, b), d);
        middle[j] = Frame::middle_of(a, b, d);
    }
    const float median = Frame::middle_of(fmaxf(fmaxf(low[0], low[1]), low[2]),
                                          Frame::middle_of(middle[0], middle[1], middle[2]),
                                          fminf(fminf(high[0], high[1]), high[2]));
    if (!(tile[threadIdx.y + 1][threadIdx.x + 1] - median > least)) return;
    if (frame.stands_out(row, column, median, threshold) && frame.is_new(row, column))
        frame.mark(row, column, median, marks, angle * pixels);
}

// Copies the frames and replaces what is marked; `replaced` counts, for each angle, what took another value.
// Grid (pixels / block, angles), block a multiple of 32.
extern "C" __global__ void __launch_bounds__(256)
replace_spikes(PARAMETERS, const unsigned* __restrict__ marks, Count* __restrict__ out,
               unsigned long long* __restrict__ replaced) {
    const long long pixels = (long long)rows * columns, i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= pixels) return;
    const int angle = blockIdx.y;
    const long long at = angle * pixels + i;
    const Count was = frames[at];
    out[at] = was;
    if (!(marks[at / 32] >> (at % 32) & 1)) return;
    const Frame frame = FRAME(angle);
    const int row = (int)(i / columns), column = (int)(i % columns);
    const float v = frame.mended(row, column, frame.median(row, column)) / relative[i] + dark[i];
#if IS_FLOAT
    const Count is = v;
#else
    const Count is = (Count)fminf(fmaxf(rintf(v), 0.0f), 65535.0f);
#endif
    out[at] = is;
    if (fabsf((float)was) <= LARGEST && is != was) atomicAdd(replaced + angle, 1ull);
}
