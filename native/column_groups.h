// SPDX-License-Identifier: BSD-3-Clause
// A sinogram in groups of sixteen columns, (group, angle, LANES), and back: what is done to columns then reads memory
// from its first number to its last, where rows of a power of two of columns would share few places of a cache.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int ANGLES_TOGETHER = 8; // copied before the next group, so that neither side jumps at every line

static void to_groups(const ColumnGroups& g) {
    for (int from = 0; from < g.angles; from += ANGLES_TOGETHER)
        for (int first = 0; first < g.columns; first += LANES) {
            const int width = smaller(LANES, g.columns - first);
            float* to = g.groups + (std::ptrdiff_t(first) * g.angles + std::ptrdiff_t(from) * LANES);
            for (int k = from; k < smaller(g.angles, from + ANGLES_TOGETHER); ++k, to += LANES) {
                const float* values = g.data + k * g.stride + first;
                __builtin_prefetch(to + std::ptrdiff_t(g.angles) * LANES, 1); // of the next group
                Line line{};
                if (width == LANES)
                    line = load(values);
                else
                    __builtin_memcpy(&line, values, sizeof(float) * width);
                store(to, line);
            }
        }
}

// What is left of groups when a share of what was removed of each column, and a constant, are taken away.
static void from_groups(const ColumnGroups& g) {
    for (int from = 0; from < g.angles; from += ANGLES_TOGETHER)
        for (int first = 0; first < g.columns; first += LANES) {
            const int width = smaller(LANES, g.columns - first);
            Line share{}, constant{};
            __builtin_memcpy(&share, g.share + first, sizeof(float) * width);
            __builtin_memcpy(&constant, g.constant + first, sizeof(float) * width);
            bool any = false;
            for (int l = 0; l < width; ++l) any |= share[l] != 0;
            std::ptrdiff_t at = std::ptrdiff_t(first) * g.angles + std::ptrdiff_t(from) * LANES;
            for (int k = from; k < smaller(g.angles, from + ANGLES_TOGETHER); ++k, at += LANES) {
                const LoosePart* values = reinterpret_cast<const LoosePart*>(g.groups + at);
                const LoosePart* removed = reinterpret_cast<const LoosePart*>(g.removed + at);
                __builtin_prefetch(g.groups + at + std::ptrdiff_t(g.angles) * LANES); // of the next group
                __builtin_prefetch(g.removed + at + std::ptrdiff_t(g.angles) * LANES);
                Line line;
                for (int p = 0; p < PARTS; ++p) {
                    Part value = values[p];
                    if (any) value -= reinterpret_cast<const Part*>(&share)[p] * removed[p];
                    reinterpret_cast<Part*>(&line)[p] = value - reinterpret_cast<const Part*>(&constant)[p];
                }
                float* to = g.data + k * g.stride + first;
                if (width == LANES)
                    store_past(to, line, g.past);
                else
                    __builtin_memcpy(to, &line, sizeof(float) * width);
            }
        }
    finish_stores();
}

} // namespace tomarium::TOMARIUM_LEVEL
