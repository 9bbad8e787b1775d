// SPDX-License-Identifier: BSD-3-Clause
// Figures of the columns of one sinogram: the median of their second differences over the angles, and their means in
// blocks of angles.
//
// A median is looked for by halving the interval that it lies in, sixteen columns at a time, each time counting what
// lies below the middle: first of the upper halves of the numbers, then of the lower halves of those that share the
// upper half of the median. A number without sign orders as its bits do.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

typedef std::int16_t Halves __attribute__((vector_size(2 * LANES), aligned(2 * LANES), may_alias)); // of the numbers
typedef std::int32_t Counts __attribute__((vector_size(4 * PART), aligned(4 * PART), may_alias));

constexpr int COUNTED = 1 << 14;          // how many numbers a half counts without overflow
constexpr std::int16_t LOWEST = -0x8000; // what a lower half is counted from, for it fills all of its bits

static std::ptrdiff_t difference_scratch_lines(const ColumnFigures& f) { // the numbers, and two halves of each
    return 2 * std::ptrdiff_t(f.angles);
}

// How many halves of each column are less than `than`.
static inline void count_less(const Halves* values, int count, Halves than, std::int32_t* total) {
    for (int l = 0; l < LANES; ++l) total[l] = 0;
    for (int k = 0; k < count; k += COUNTED) {
        const int stop = smaller(count, k + COUNTED);
        Halves some{}, more{};
        int j = k;
        for (; j + 2 <= stop; j += 2) {
            some -= Halves(values[j] < than);
            more -= Halves(values[j + 1] < than);
        }
        if (j < stop) some -= Halves(values[j] < than);
        some += more;
        for (int l = 0; l < LANES; ++l) total[l] += some[l];
    }
}

// Of each column the largest half, of so many bits, below which no more than `rank` lie: that at `rank`.
static inline Halves half_at(const Halves* values, int count, const std::int32_t* rank, int bits, std::int16_t from) {
    Halves found{};
    for (int bit = bits - 1; bit >= 0; --bit) {
        const Halves one = Halves{} + std::int16_t(1 << bit);
        std::int32_t less[LANES];
        count_less(values, count, (found | one) + from, less);
        for (int l = 0; l < LANES; ++l)
            if (less[l] <= rank[l]) found[l] |= one[l];
    }
    return found + from;
}

// The upper halves (1) of the numbers of a line, or the lower ones (0), in their order.
template <int HALF> static inline Halves halves_of(const Line* line) {
    const Halves* two = reinterpret_cast<const Halves*>(line);
    return __builtin_shufflevector(two[0], two[1], HALF, HALF + 2, HALF + 4, HALF + 6, HALF + 8, HALF + 10, HALF + 12,
                                   HALF + 14, HALF + 16, HALF + 18, HALF + 20, HALF + 22, HALF + 24, HALF + 26,
                                   HALF + 28, HALF + 30);
}

// The median of |a[k] - 2 a[k + 1] + a[k + 2]| of each column; of an even number the mean of the two in the middle.
static void difference_medians(const ColumnFigures& f) {
    const int count = f.angles - 2, middle = count / 2;
    Line* numbers = reinterpret_cast<Line*>(f.scratch);
    Halves* high = reinterpret_cast<Halves*>(numbers + count);
    Halves* low = high + count;
    for (int first = 0; first < f.columns; first += LANES) {
        const int width = smaller(LANES, f.columns - first);
        Line rest[3] = {}; // of fewer columns than a line holds
        const auto read = [&](int k) {
            const float* from = f.data + k * f.stride + first;
            if (width == LANES) return from;
            __builtin_memcpy(&rest[k % 3], from, sizeof(float) * width);
            return reinterpret_cast<const float*>(&rest[k % 3]);
        };
        for (int k = 0; k < count; ++k) {
            __builtin_prefetch(f.data + (k + 24) * f.stride + first);
            const float *before = read(k), *here = read(k + 1), *after = read(k + 2);
            for (int p = 0; p < PARTS; ++p) {
                typedef float LoosePart __attribute__((vector_size(4 * PART), aligned(4), may_alias));
                const auto at = [&](const float* from) { return *reinterpret_cast<const LoosePart*>(from + p * PART); };
                const LoosePart second = (at(after) - at(here)) - (at(here) - at(before));
                reinterpret_cast<Counts*>(numbers + k)[p] = (Counts)second & 0x7fffffff;
            }
            high[k] = halves_of<1>(numbers + k);
        }
        std::int32_t rank[LANES], less[LANES];
        for (int l = 0; l < LANES; ++l) rank[l] = middle;
        const Halves upper = half_at(high, count, rank, 15, 0);
        count_less(high, count, upper, less);
        for (int l = 0; l < LANES; ++l) rank[l] -= less[l];
        for (int k = 0; k < count; ++k) { // those of another upper half count as the largest
            const Halves shared = Halves(high[k] == upper), half = halves_of<0>(numbers + k) + LOWEST;
            low[k] = (shared & half) | (~shared & std::int16_t(0x7fff));
        }
        const Halves lower = half_at(low, count, rank, 16, LOWEST) - LOWEST;
        Line above;
        for (int l = 0; l < LANES; ++l)
            reinterpret_cast<std::int32_t*>(&above)[l] = std::int32_t(upper[l]) << 16 | std::uint16_t(lower[l]);
        Line median = above;
        if (count % 2 == 0) { // the largest of those that are less, unless the number below the median is its equal
            for (int p = 0; p < PARTS; ++p) {
                const Part than = reinterpret_cast<Part*>(&above)[p];
                Part largest{};
                Counts fewer{};
                for (int k = 0; k < count; ++k) {
                    const Part number = reinterpret_cast<Part*>(numbers + k)[p];
                    const Counts truth = (Counts)(number < than);
                    fewer -= truth;
                    largest = larger(largest, (Part)((Counts)number & truth));
                }
                for (int l = 0; l < PART; ++l) {
                    const float other = fewer[l] == middle ? largest[l] : than[l];
                    median[p * PART + l] = 0.5f * (other + than[l]);
                }
            }
        }
        __builtin_memcpy(f.medians + first, &median, sizeof(float) * width);
    }
}

// Means of neighbouring angles, the first blocks an angle longer where they are not equal; of what is left once a share
// of what was removed is taken away, if that is given.
static void block_means(const ColumnFigures& f) {
    int first = 0;
    for (int block = 0; block < f.blocks; ++block) {
        const int count = f.angles / f.blocks + (block < f.angles % f.blocks);
        double* sums = f.means + std::ptrdiff_t(block) * f.columns;
        for (int c = 0; c < f.columns; ++c) sums[c] = 0;
        for (int k = first; k < first + count; ++k) {
            float* row = f.data + k * f.stride;
            if (f.removed) {
                const float* removed = f.removed + std::ptrdiff_t(k) * f.columns;
                for (int c = 0; c < f.columns; ++c) row[c] -= f.share[c] * removed[c];
            }
            for (int c = 0; c < f.columns; ++c) sums[c] += double(row[c]);
        }
        for (int c = 0; c < f.columns; ++c) sums[c] /= count;
        first += count;
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
