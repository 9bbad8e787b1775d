// SPDX-License-Identifier: BSD-3-Clause
// Line integrals of ellipsoids, added up in an image of detector rows and columns.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

// First place of an ascending list whose value is not below the limit.
static inline int first_from(const double* values, int count, double limit) {
    int low = 0;
    while (count > 0) {
        const int half = count / 2;
        if (values[low + half] < limit) {
            low += half + 1;
            count -= half + 1;
        } else count = half;
    }
    return low;
}

static void add_shadows(const Shadows& s) {
    for (std::ptrdiff_t k = 0; k < s.ellipsoids; ++k) {
        const double* e = s.table + k * SHADOW_NUMBERS;
        const double z0 = e[0], u0 = e[1], half_z = e[2], half_u = e[3];
        const double peak = e[4], by_row = e[5], both = e[6];
        const float by_column = float(e[7]), sign = float(e[8]);
        const int top = first_from(s.z, s.rows, z0 - half_z), bottom = first_from(s.z, s.rows, z0 + half_z);
        const int left = first_from(s.u, s.columns, u0 - half_u), right = first_from(s.u, s.columns, u0 + half_u);
        for (int row = top; row < bottom; ++row) {
            const double dz = s.z[row] - z0;
            const float a = float(peak - by_row * dz * dz), b = float(both * dz);
            float* line = s.out + std::ptrdiff_t(row) * s.columns;
            for (int column = left; column < right; ++column) {
                const float du = float(s.u[column] - u0);
                const float squared = a + (b - by_column * du) * du;
                line[column] += sign * __builtin_sqrtf(squared > 0 ? squared : 0);
            }
        }
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
