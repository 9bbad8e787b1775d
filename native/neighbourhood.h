// SPDX-License-Identifier: BSD-3-Clause
// What lies around a voxel: size of the gradient, and eigenvalues of symmetric 3 x 3 tensors.
#pragma once
#include "kernels.h"

namespace tomarium::TOMARIUM_LEVEL {

// Eigenvalues of a symmetric tensor (zz, zy, zx, yy, yx, xx), ascending. With q a third of the trace and
// 6 p² = |A - q|², those of (A - q) / p are 2 t, where 4 t³ - 3 t = r = det((A - q) / p) / 2 (O. K. Smith, Communications
// of the ACM 4, 168 (1961)). Of r >= 0 the largest root lies in 0.866 ... 1, where Newton's method converges from a line;
// the others are those of what is left, a quadratic. Of r < 0 all signs are turned.
static inline void eigenvalues(const double a[6], double out[3]) {
    const double q = (a[0] + a[3] + a[5]) / 3;
    const double zz = a[0] - q, yy = a[3] - q, xx = a[5] - q, zy = a[1], zx = a[2], yx = a[4];
    const double square = (zz * zz + yy * yy + xx * xx + 2 * (zy * zy + zx * zx + yx * yx)) / 6;
    const double p = __builtin_sqrt(square), inverse = square > 1e-280 ? 1 / p : 0;
    double r = (zz * (yy * xx - yx * yx) - zy * (zy * xx - yx * zx) + zx * (zy * yx - yy * zx)) * inverse * inverse * inverse / 2;
    const double sign = r < 0 ? -1 : 1;
    r = r * sign < 1 ? r * sign : 1;
    double t = 0.8660254037844386 + 0.1339745962155614 * r;
    for (int k = 0; k < 3; ++k) t -= ((4 * t * t - 3) * t - r) / (12 * t * t - 3);
    const double left = 3 * (1 - t) * (1 + t), apart = __builtin_sqrt(left > 0 ? left : 0);
    const double largest = sign * 2 * t, one = sign * (-t + apart), other = sign * (-t - apart);
    out[0] = q + p * (sign > 0 ? other : largest);
    out[1] = q + p * one;
    out[2] = q + p * (sign > 0 ? largest : other);
}

static inline std::ptrdiff_t beside(std::ptrdiff_t at, std::ptrdiff_t step, std::ptrdiff_t length) {
    const std::ptrdiff_t moved = at + step;
    return moved < 0 ? 0 : moved >= length ? length - 1 : moved;
}

// A row of voxels: differences are halves of those of the two neighbours, second ones differences of these; beyond the
// ends the outermost voxel goes on.
static void curvatures_of_row(const Neighbourhood& n, std::ptrdiff_t z, std::ptrdiff_t y, float* out) {
    const std::ptrdiff_t plane = n.rows * n.columns;
    const auto row = [&](std::ptrdiff_t at_z, std::ptrdiff_t at_y) { return n.values + at_z * plane + at_y * n.columns; };
    const std::ptrdiff_t over = beside(z, 1, n.depth), under = beside(z, -1, n.depth);
    const std::ptrdiff_t below = beside(y, 1, n.rows), above = beside(y, -1, n.rows);
    const float* middle = row(z, y);
    const float *z1 = row(over, y), *z0 = row(under, y), *y1 = row(z, below), *y0 = row(z, above);
    const float *z11 = row(beside(over, 1, n.depth), y), *z10 = row(beside(over, -1, n.depth), y);
    const float *z01 = row(beside(under, 1, n.depth), y), *z00 = row(beside(under, -1, n.depth), y);
    const float *y11 = row(z, beside(below, 1, n.rows)), *y10 = row(z, beside(below, -1, n.rows));
    const float *y01 = row(z, beside(above, 1, n.rows)), *y00 = row(z, beside(above, -1, n.rows));
    const float *a11 = row(over, below), *a10 = row(over, above), *a01 = row(under, below), *a00 = row(under, above);
    const double factor = n.factor / 4;
    constexpr int TOGETHER = 64;
    double entries[6][TOGETHER], slope[TOGETHER], found[3][TOGETHER];
    const auto differences = [&](int k, std::ptrdiff_t x, std::ptrdiff_t left, std::ptrdiff_t right, std::ptrdiff_t left_0,
                                 std::ptrdiff_t left_1, std::ptrdiff_t right_0, std::ptrdiff_t right_1) {
        const double along_z = double(z1[x]) - z0[x], along_y = double(y1[x]) - y0[x], along_x = double(middle[right]) - middle[left];
        slope[k] = along_z * along_z + along_y * along_y + along_x * along_x;
        entries[0][k] = factor * ((double(z11[x]) - z10[x]) - (double(z01[x]) - z00[x]));
        entries[1][k] = factor * ((double(a11[x]) - a01[x]) - (double(a10[x]) - a00[x]));
        entries[2][k] = factor * ((double(z1[right]) - z0[right]) - (double(z1[left]) - z0[left]));
        entries[3][k] = factor * ((double(y11[x]) - y10[x]) - (double(y01[x]) - y00[x]));
        entries[4][k] = factor * ((double(y1[right]) - y0[right]) - (double(y1[left]) - y0[left]));
        entries[5][k] = factor * ((double(middle[right_1]) - middle[right_0]) - (double(middle[left_1]) - middle[left_0]));
    };
    for (std::ptrdiff_t begin = 0; begin < n.columns; begin += TOGETHER) {
        const int count = int(n.columns - begin < TOGETHER ? n.columns - begin : TOGETHER);
        // Of the two voxels at either end of a row neighbours are the outermost one.
        const int low = begin == 0 ? 2 : 0, high = int(n.columns - 2 - begin < count ? n.columns - 2 - begin : count);
        for (int k = low; k < high; ++k) {
            const std::ptrdiff_t x = begin + k;
            differences(k, x, x - 1, x + 1, x - 2, x, x, x + 2);
        }
        for (int k = 0; k < count; ++k) {
            if (k >= low && k < high) continue;
            const std::ptrdiff_t x = begin + k, right = beside(x, 1, n.columns), left = beside(x, -1, n.columns);
            differences(k, x, left, right, beside(left, -1, n.columns), beside(left, 1, n.columns),
                        beside(right, -1, n.columns), beside(right, 1, n.columns));
        }
        for (int k = 0; k < count; ++k) {
            const double tensor[6] = {entries[0][k], entries[1][k], entries[2][k], entries[3][k], entries[4][k], entries[5][k]};
            double three[3];
            eigenvalues(tensor, three);
            for (int l = 0; l < 3; ++l) found[l][k] = three[l];
            slope[k] = 0.5 * __builtin_sqrt(slope[k]);
        }
        float* to = out + begin * n.stride;
        for (int k = 0; k < count; ++k, to += n.stride) {
            to[0] = float(slope[k]);
            for (int l = 0; l < 3; ++l) to[1 + l] = float(found[l][k]);
        }
    }
}

static void curvatures(const Neighbourhood& n) {
    for (std::ptrdiff_t z = n.first; z < n.last; ++z)
        for (std::ptrdiff_t y = 0; y < n.rows; ++y)
            curvatures_of_row(n, z, y, n.out + ((z - n.first) * n.rows + y) * n.columns * n.stride);
}

static void eigenvalues_of_tensors(const Tensors& t) {
    for (std::ptrdiff_t k = 0; k < t.count; ++k) {
        double tensor[6], found[3];
        for (int entry = 0; entry < 6; ++entry) tensor[entry] = t.entries[entry * t.count + k];
        eigenvalues(tensor, found);
        for (int l = 0; l < 3; ++l) t.out[k * t.stride + l] = float(found[l]);
    }
}

// What trees say of voxels, summed over the trees. Of a tree both children of a node lie beside each other, and a leaf
// leads to itself; several voxels go down side by side, so that one waits for memory while others go on.
static void sum_trees(const Trees& t) {
    constexpr int TOGETHER = 8, STEPS = 4;
    constexpr std::ptrdiff_t BLOCK = 2048; // voxels whose features stay in a cache while all trees are asked
    for (std::ptrdiff_t begin = 0; begin < t.voxels; begin += BLOCK) {
        const std::ptrdiff_t end = begin + BLOCK < t.voxels ? begin + BLOCK : t.voxels;
        for (std::ptrdiff_t k = begin * t.classes; k < end * t.classes; ++k) t.out[k] = 0;
        for (int tree = 0; tree < t.trees; ++tree) {
            const std::int32_t root = t.roots[tree];
            for (std::ptrdiff_t first = begin; first < end; first += TOGETHER) {
                const int count = int(end - first < TOGETHER ? end - first : TOGETHER);
                const float* features[TOGETHER];
                std::int32_t at[TOGETHER];
                for (int k = 0; k < TOGETHER; ++k) {
                    features[k] = t.features + (first + (k < count ? k : 0)) * t.features_of_voxel;
                    at[k] = root;
                }
                bool going = true;
                while (going) {
                    for (int step = 0; step < STEPS; ++step)
#pragma GCC unroll 8
                        for (int k = 0; k < TOGETHER; ++k) {
                            const TreeNode& node = t.nodes[at[k]];
                            at[k] = node.lower + (features[k][node.feature] > node.threshold);
                        }
                    going = false;
                    for (int k = 0; k < TOGETHER; ++k) going |= t.nodes[at[k]].lower != at[k];
                }
                for (int k = 0; k < count; ++k) {
                    const double* shares = t.shares + std::ptrdiff_t(at[k]) * t.classes;
                    double* sums = t.out + (first + k) * t.classes;
                    for (int c = 0; c < t.classes; ++c) sums[c] += shares[c];
                }
            }
        }
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
