// SPDX-License-Identifier: BSD-3-Clause
// Mean of 2 x 2 x 2 voxels, for the coarser levels of a volume.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

// Of whole numbers, rounded to the nearest, halves to the even one, as NumPy's rint does.
template <class Number> static void halve_numbers(const Halving& h, std::ptrdiff_t z) {
    const std::ptrdiff_t wide = 2 * h.columns, plane = 2 * h.rows * wide;
    for (std::ptrdiff_t y = 0; y < h.rows; ++y) {
        const Number *a = static_cast<const Number*>(h.block) + 2 * z * plane + 2 * y * wide, *b = a + plane;
        Number* out = static_cast<Number*>(h.out) + (z * h.rows + y) * h.columns;
        for (std::ptrdiff_t x = 0; x < h.columns; ++x) {
            const std::ptrdiff_t at = 2 * x;
            const std::uint32_t sum = std::uint32_t(a[at]) + a[at + 1] + a[wide + at] + a[wide + at + 1] + b[at] +
                                      b[at + 1] + b[wide + at] + b[wide + at + 1];
            out[x] = Number((sum + 3 + (sum >> 3 & 1)) >> 3);
        }
    }
}

// Every second number of two parts, from the first or the second on.
template <int FIRST> static inline Part every_second(Part a, Part b) {
#if TOMARIUM_PART == 16
    return __builtin_shufflevector(a, b, FIRST, FIRST + 2, FIRST + 4, FIRST + 6, FIRST + 8, FIRST + 10, FIRST + 12, FIRST + 14,
                                   FIRST + 16, FIRST + 18, FIRST + 20, FIRST + 22, FIRST + 24, FIRST + 26, FIRST + 28,
                                   FIRST + 30);
#elif TOMARIUM_PART == 8
    return __builtin_shufflevector(a, b, FIRST, FIRST + 2, FIRST + 4, FIRST + 6, FIRST + 8, FIRST + 10, FIRST + 12, FIRST + 14);
#else
    return __builtin_shufflevector(a, b, FIRST, FIRST + 2, FIRST + 4, FIRST + 6);
#endif
}

// One plane of `out` from two planes of `block`. The order of the sums is that of the NumPy form, plane by plane, then
// row by row, then column by column, so that both give the same bits.
static void halve_floats(const Halving& h, std::ptrdiff_t z) {
    const std::ptrdiff_t wide = 2 * h.columns, plane = 2 * h.rows * wide;
    for (std::ptrdiff_t y = 0; y < h.rows; ++y) {
        const float *a = static_cast<const float*>(h.block) + 2 * z * plane + 2 * y * wide, *b = a + plane;
        float* out = static_cast<float*>(h.out) + (z * h.rows + y) * h.columns;
        std::ptrdiff_t x = 0;
        for (; x + PART <= h.columns; x += PART) {
            Part sums[2];
            for (int k = 0; k < 2; ++k) {
                const std::ptrdiff_t at = 2 * x + k * PART;
                sums[k] = (load_part(a + at) + load_part(b + at)) + (load_part(a + wide + at) + load_part(b + wide + at));
            }
            store_part(out + x, (every_second<0>(sums[0], sums[1]) + every_second<1>(sums[0], sums[1])) * 0.125f);
        }
        for (; x < h.columns; ++x) {
            float sums[2];
            for (int k = 0; k < 2; ++k) {
                const std::ptrdiff_t at = 2 * x + k;
                sums[k] = (a[at] + b[at]) + (a[wide + at] + b[wide + at]);
            }
            out[x] = (sums[0] + sums[1]) * 0.125f;
        }
    }
}

static void halve_planes(const Halving& h, std::ptrdiff_t z) {
    if (h.bytes == 4) halve_floats(h, z);
    else if (h.bytes == 2) halve_numbers<std::uint16_t>(h, z);
    else halve_numbers<std::uint8_t>(h, z);
}

} // namespace tomarium::TOMARIUM_LEVEL
