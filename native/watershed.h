// SPDX-License-Identifier: BSD-3-Clause
// Basins of a body's distance map: each voxel goes where the squared distance rises most, and on from there.
// L. Najman & M. Schmitt, Signal Processing 38 (1994) 99-112. Squares are whole numbers, and a rise is rounded once: which
// basin a voxel belongs to does not depend on how a volume is cut.
#pragma once
#include "kernels.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int ASCENT_PIECE = 256; // voxels of a row at a time
constexpr float ASCENT_PARTS[4] = {0, 1, 0.70710678f, 0.57735027f}; // 1 over the length of a step, by its square

// Of each voxel of a plane the neighbour to which the square rises most over the way to it, of equal ones the first in
// the order (z, y, x), as 1 + 9 (dz + 1) + 3 (dy + 1) + dx + 1; 14 for a voxel that none is higher than, 0 outside the body.
static void watershed_ascent(const Ascent& a, std::ptrdiff_t z) {
    const std::ptrdiff_t plane = a.rows * a.columns;
    for (std::ptrdiff_t y = 0; y < a.rows; ++y)
        for (std::ptrdiff_t from = 0; from < a.columns; from += ASCENT_PIECE) {
            const std::ptrdiff_t width = a.columns - from < ASCENT_PIECE ? a.columns - from : ASCENT_PIECE;
            const float* row = a.squares + z * plane + y * a.columns + from;
            float best[ASCENT_PIECE];
            std::int32_t code[ASCENT_PIECE];
            bool body = false;
            for (std::ptrdiff_t x = 0; x < width; ++x) {
                best[x] = 0;
                code[x] = ASCENT_SUMMIT;
                body |= row[x] > 0;
            }
            std::uint8_t* up = a.up + (z - a.first) * plane + y * a.columns + from;
            if (!body) {
                for (std::ptrdiff_t x = 0; x < width; ++x) up[x] = 0;
                continue;
            }
            for (int dz = -1; dz <= 1; ++dz)
                for (int dy = -1; dy <= 1; ++dy) {
                    if (z + dz < 0 || z + dz >= a.depth || y + dy < 0 || y + dy >= a.rows) continue;
                    for (int dx = -1; dx <= 1; ++dx) {
                        if (dz == 0 && dy == 0 && dx == 0) continue;
                        const std::int32_t step = 1 + 9 * (dz + 1) + 3 * (dy + 1) + dx + 1;
                        const float part = ASCENT_PARTS[dz * dz + dy * dy + dx * dx];
                        const float* there = row + dz * plane + dy * a.columns + dx;
                        const std::ptrdiff_t begin = dx < 0 && from == 0 ? 1 : 0;
                        const std::ptrdiff_t end = dx > 0 && from + width == a.columns ? width - 1 : width;
                        for (std::ptrdiff_t x = begin; x < end; ++x) {
                            const float rise = (there[x] - row[x]) * part;
                            const bool higher = rise > best[x];
                            best[x] = higher ? rise : best[x];
                            code[x] = higher ? step : code[x];
                        }
                    }
                }
            for (std::ptrdiff_t x = 0; x < width; ++x) up[x] = row[x] > 0 ? std::uint8_t(code[x]) : 0;
        }
}

// A voxel's number is: 1 + the place of the voxel that it goes to, a root's its own; minus the number of its basin once
// that is known; 0 outside the body.
static inline std::int32_t root_of(std::int32_t* links, std::int32_t at) {
    while (links[at] > 0 && links[at] != at + 1) {
        const std::int32_t next = links[at] - 1;
        if (links[next] > 0) links[at] = links[next];
        at = next;
    }
    return at;
}

// Numbers the basins of all slices in the order of their first voxels, from 1. Summits of one height that touch are one.
// What goes up out of these slices ends there. Returns how many there are.
static std::int32_t watershed_basins(const Basins& b) {
    const std::ptrdiff_t plane = b.rows * b.columns, count = b.depth * plane;
    std::int32_t* links = b.labels;
    for (std::ptrdiff_t at = 0; at < count; ++at) {
        const int code = b.up[at];
        if (code == 0) {
            links[at] = 0;
            continue;
        }
        const int dz = (code - 1) / 9 - 1, dy = (code - 1) / 3 % 3 - 1, dx = (code - 1) % 3 - 1;
        const std::ptrdiff_t to = at + dz * plane + dy * b.columns + dx;
        links[at] = std::int32_t((to < 0 || to >= count ? at : to) + 1);
    }
    std::ptrdiff_t at = 0;
    for (std::ptrdiff_t z = 0; z < b.depth; ++z)
        for (std::ptrdiff_t y = 0; y < b.rows; ++y)
            for (std::ptrdiff_t x = 0; x < b.columns; ++x, ++at) {
                if (b.up[at] != ASCENT_SUMMIT) continue;
                for (int step = 0; step < 13; ++step) { // neighbours that come before
                    const int dz = step / 9 - 1, dy = step / 3 % 3 - 1, dx = step % 3 - 1;
                    if (z + dz < 0 || y + dy < 0 || y + dy >= b.rows || x + dx < 0 || x + dx >= b.columns) continue;
                    const std::ptrdiff_t there = at + dz * plane + dy * b.columns + dx;
                    if (b.up[there] != ASCENT_SUMMIT || b.squares[there] != b.squares[at]) continue;
                    const std::int32_t mine = root_of(links, std::int32_t(at)), other = root_of(links, std::int32_t(there));
                    if (mine < other)
                        links[other] = mine + 1;
                    else
                        links[mine] = other + 1;
                }
            }
    std::int32_t found = 0;
    for (std::int32_t k = 0; k < count; ++k) {
        if (links[k] == 0) continue;
        const std::int32_t root = root_of(links, k);
        if (links[root] > 0) links[root] = -++found;
        links[k] = links[root];
    }
    for (std::ptrdiff_t k = 0; k < count; ++k) links[k] = -links[k];
    return found;
}

} // namespace tomarium::TOMARIUM_LEVEL
