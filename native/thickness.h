// SPDX-License-Identifier: BSD-3-Clause
// Local thickness: each voxel of a body gets the largest ball inside the body that covers it.
// Hildebrand & Rüegsegger, J. Microsc. 185 (1997) 67-75. A ball around v holds the voxels u with |u - v|² < s(v), s being
// the squared distance from v to the nearest voxel outside: a whole number, so that nothing here is rounded.
// Rémy & Thiel, Image Vis. Comput. 23 (2005) 167-175: a table tells which ball of a neighbour holds all voxels of a ball.
#pragma once
#include "kernels.h"

namespace tomarium::TOMARIUM_LEVEL {

// covered[step * (most + 1) + s]: the least square of a neighbour (step 0: by a face, 1: an edge, 2: a corner) whose ball
// holds all voxels of a ball of square s; 1 more than the largest |u + g|² of its voxels u.
// widest[k]: the largest whole number whose square is below k; -1 for 0.
static void ball_tables(std::int32_t most, std::int32_t* covered, std::int32_t* widest) {
    const std::ptrdiff_t length = std::ptrdiff_t(most) + 1;
    for (std::ptrdiff_t k = 0; k < 3 * length; ++k) covered[k] = 0;
    std::int32_t root = -1;
    for (std::ptrdiff_t k = 0; k < length; ++k) {
        while (std::ptrdiff_t(root + 1) * (root + 1) < k) ++root;
        widest[k] = root;
    }
    // The voxel of a ball that is farthest from the neighbour has its largest coordinates along the step.
    for (std::ptrdiff_t a = 0; a * a < most; ++a)
        for (std::ptrdiff_t b = 0; b <= a && a * a + b * b < most; ++b)
            for (std::ptrdiff_t c = 0; c <= b && a * a + b * b + c * c < most; ++c) {
                const std::ptrdiff_t n = a * a + b * b + c * c;
                const std::ptrdiff_t away[3] = {n + 2 * a + 1, n + 2 * (a + b) + 2, n + 2 * (a + b + c) + 3};
                for (int step = 0; step < 3; ++step) {
                    std::int32_t& least = covered[step * length + n + 1];
                    if (away[step] + 1 > least) least = std::int32_t(away[step] + 1);
                }
            }
    for (int step = 0; step < 3; ++step)
        for (std::ptrdiff_t s = 1; s < length; ++s)
            if (covered[step * length + s] < covered[step * length + s - 1])
                covered[step * length + s] = covered[step * length + s - 1];
}

// Planes first .. last - 1: 1 in `ridge` where no neighbour's ball holds all voxels of this one's.
static void thickness_ridge(const ThicknessRidge& r, std::ptrdiff_t first, std::ptrdiff_t last) {
    const std::ptrdiff_t length = std::ptrdiff_t(r.most) + 1, plane = r.rows * r.columns;
    for (std::ptrdiff_t z = first; z < last; ++z)
        for (std::ptrdiff_t y = 0; y < r.rows; ++y) {
            const float* row = r.squares + z * plane + y * r.columns;
            std::uint8_t* ridge = r.ridge + z * plane + y * r.columns;
            // Rows beside this one, those by a face first: they hold a ball most often.
            const float* beside[9];
            int apart[9], count = 0;
            for (int far = 0; far <= 2; ++far)
                for (int dz = -1; dz <= 1; ++dz)
                    for (int dy = -1; dy <= 1; ++dy) {
                        if (dz * dz + dy * dy != far || z + dz < 0 || z + dz >= r.depth || y + dy < 0 || y + dy >= r.rows)
                            continue;
                        beside[count] = row + dz * plane + dy * r.columns;
                        apart[count++] = far;
                    }
            for (std::ptrdiff_t x = 0; x < r.columns; ++x) {
                const std::int32_t s = std::int32_t(row[x]);
                bool kept = s > 0;
                for (int k = 0; kept && k < count; ++k) {
                    const float* there = beside[k] + x;
                    if (apart[k] > 0) kept = std::int32_t(there[0]) < r.covered[(apart[k] - 1) * length + s];
                    const std::int32_t least = r.covered[apart[k] * length + s];
                    if (x > 0 && std::int32_t(there[-1]) >= least) kept = false;
                    if (x + 1 < r.columns && std::int32_t(there[1]) >= least) kept = false;
                }
                ridge[x] = kept;
            }
        }
}

// Paints balls into the planes first .. last - 1: of all that cover a voxel the largest value stays. Balls that stand in a
// row beside each other and have one value are painted as one.
static void thickness_paint(const ThicknessPaint& p, std::ptrdiff_t first, std::ptrdiff_t last) {
    const std::ptrdiff_t plane = p.rows * p.columns;
    for (std::ptrdiff_t k = 0; k < p.count;) {
        const std::int64_t at = p.places[k];
        const float value = p.values[k];
        const std::ptrdiff_t z = at / plane, y = at % plane / p.columns, x = at % p.columns;
        std::ptrdiff_t along = 1;
        while (k + along < p.count && x + along < p.columns && p.places[k + along] == at + along && p.values[k + along] == value)
            ++along;
        const std::int32_t square = p.squares[k];
        k += along;
        const std::ptrdiff_t reach = p.widest[square];
        if (z + reach < first || z - reach >= last) continue;
        const std::ptrdiff_t top = z - reach > first ? z - reach : first, end = z + reach + 1 < last ? z + reach + 1 : last;
        for (std::ptrdiff_t zz = top; zz < end; ++zz) {
            const std::int32_t left = square - std::int32_t((zz - z) * (zz - z));
            const std::ptrdiff_t wide = p.widest[left];
            const std::ptrdiff_t from_row = y - wide > 0 ? y - wide : 0, to_row = y + wide + 1 < p.rows ? y + wide + 1 : p.rows;
            for (std::ptrdiff_t yy = from_row; yy < to_row; ++yy) {
                const std::ptrdiff_t half = p.widest[left - std::int32_t((yy - y) * (yy - y))];
                const std::ptrdiff_t from = x - half > 0 ? x - half : 0;
                const std::ptrdiff_t to = x + along + half < p.columns ? x + along + half : p.columns;
                float* out = p.out + zz * plane + yy * p.columns;
                for (std::ptrdiff_t xx = from; xx < to; ++xx) out[xx] = out[xx] < value ? value : out[xx];
            }
        }
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
