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

// One plane of `out` from two planes of `block`. The order of the sums is that of the NumPy form, plane by plane, then
// row by row, then column by column, so that both give the same bits.
static void halve_floats(const Halving& h, std::ptrdiff_t z) {
    const std::ptrdiff_t wide = 2 * h.columns, plane = 2 * h.rows * wide;
    for (std::ptrdiff_t y = 0; y < h.rows; ++y) {
        const float *a = static_cast<const float*>(h.block) + 2 * z * plane + 2 * y * wide, *b = a + plane;
        float* out = static_cast<float*>(h.out) + (z * h.rows + y) * h.columns;
        std::ptrdiff_t x = 0;
        for (; x + LANES <= h.columns; x += LANES) {
            Line sums[2];
            for (int k = 0; k < 2; ++k) {
                const std::ptrdiff_t at = 2 * x + k * LANES;
                sums[k] = (load(a + at) + load(b + at)) + (load(a + wide + at) + load(b + wide + at));
            }
            const Line even = __builtin_shufflevector(sums[0], sums[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26,
                                                      28, 30);
            const Line odd = __builtin_shufflevector(sums[0], sums[1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27,
                                                     29, 31);
            store(out + x, (even + odd) * 0.125f);
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
