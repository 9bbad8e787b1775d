// SPDX-License-Identifier: BSD-3-Clause
// Mutual information of two images in a few classes for all whole-voxel shifts of one over the other.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

// What one register holds of codes, and how many make SHIFT_LANES shifts along x.
constexpr int CODES = 2 * PART;
constexpr int CODE_PARTS = SHIFT_LANES / CODES;
typedef std::uint16_t Codes __attribute__((vector_size(4 * PART), aligned(2), may_alias));

// Points of one class are counted for each class of the other image at SHIFT_LANES shifts at once. A code holds one
// bit for each class in a field of CODE_BITS, so that one addition counts all classes; fields are emptied in time.
static inline void count_points(const std::uint16_t* field, const std::int32_t* offsets, std::ptrdiff_t count,
                                std::int32_t (*counts)[SHIFT_LANES]) {
    constexpr std::ptrdiff_t most = (1 << CODE_BITS) - 1;
    Codes whole[CODE_CLASSES][CODE_PARTS] = {};
    for (std::ptrdiff_t first = 0; first < count; first += most) {
        const std::ptrdiff_t last = smaller(count, first + most);
        Codes sum[CODE_PARTS] = {};
        for (std::ptrdiff_t k = first; k < last; ++k)
            for (int p = 0; p < CODE_PARTS; ++p)
                sum[p] += *reinterpret_cast<const Codes*>(field + offsets[k] + p * CODES);
        for (int one = 0; one < CODE_CLASSES; ++one)
            for (int p = 0; p < CODE_PARTS; ++p)
                whole[one][p] += (sum[p] >> (CODE_BITS * one)) & std::uint16_t(most);
    }
    for (int one = 0; one < CODE_CLASSES; ++one) {
        const std::uint16_t* lanes = reinterpret_cast<const std::uint16_t*>(whole[one]);
        for (int lane = 0; lane < SHIFT_LANES; ++lane) counts[one][lane] = lanes[lane];
    }
}

static void search_shifts(const ShiftSearch& s) {
    for (std::ptrdiff_t z = 0; z < s.depth; ++z)
        for (std::ptrdiff_t y = 0; y < s.rows; ++y)
            for (std::ptrdiff_t x = 0; x < s.columns; x += SHIFT_LANES) {
                const std::uint16_t* field = s.field + (z * s.field_rows + y) * s.field_columns + x;
                float* out = s.out + (z * s.rows + y) * s.columns + x;
                std::int32_t counts[CODE_CLASSES][CODE_CLASSES][SHIFT_LANES] = {}, inside[SHIFT_LANES] = {};
                for (int one = 0; one < CODE_CLASSES; ++one)
                    count_points(field, s.offsets + s.ends[one], s.ends[one + 1] - s.ends[one], counts[one]);
                for (int one = 0; one < CODE_CLASSES; ++one)
                    for (int other = 0; other < CODE_CLASSES; ++other)
                        for (int lane = 0; lane < SHIFT_LANES; ++lane) inside[lane] += counts[one][other][lane];
                bool any = false;
                for (int lane = 0; lane < SHIFT_LANES; ++lane) any |= inside[lane] >= s.least;
                float score[SHIFT_LANES] = {};
                if (any) {
                    for (int lane = 0; lane < SHIFT_LANES; ++lane) score[lane] = s.n_log_n[inside[lane]];
                    for (int one = 0; one < CODE_CLASSES; ++one) {
                        std::int32_t of_point[SHIFT_LANES] = {}, of_field[SHIFT_LANES] = {};
                        for (int other = 0; other < CODE_CLASSES; ++other)
                            for (int lane = 0; lane < SHIFT_LANES; ++lane) {
                                of_point[lane] += counts[one][other][lane];
                                of_field[lane] += counts[other][one][lane];
                                score[lane] += s.n_log_n[counts[one][other][lane]];
                            }
                        for (int lane = 0; lane < SHIFT_LANES; ++lane)
                            score[lane] -= s.n_log_n[of_point[lane]] + s.n_log_n[of_field[lane]];
                    }
                    for (int lane = 0; lane < SHIFT_LANES; ++lane)
                        if (inside[lane] < s.least) score[lane] = 0;
                }
                const std::ptrdiff_t kept = smaller<std::ptrdiff_t>(SHIFT_LANES, s.columns - x);
                for (std::ptrdiff_t lane = 0; lane < kept; ++lane) out[lane] = score[lane];
            }
}

} // namespace tomarium::TOMARIUM_LEVEL
