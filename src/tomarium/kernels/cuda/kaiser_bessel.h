// SPDX-License-Identifier: BSD-3-Clause
// The Kaiser-Bessel kernel that samples are spread and gathered by; see kernels/backprojection/kaiser_bessel.py.
#ifndef COEFFICIENTS // of it as a polynomial of 1 - (distance / REACH)^2, highest power first
#define COEFFICIENTS 1.0f, 0.0f
#endif

// Of a distance within REACH.
__device__ __forceinline__ float kaiser_bessel(float distance) {
    constexpr float coefficient[] = {COEFFICIENTS};
    constexpr int degree = sizeof(coefficient) / sizeof(float) - 1;
    const float v = fmaf(-distance, distance * (1.0f / (REACH * REACH)), 1.0f);
    float sum = coefficient[0];
#pragma unroll
    for (int d = 1; d <= degree; ++d) sum = fmaf(sum, v, coefficient[d]);
    return sum;
}
