// SPDX-License-Identifier: BSD-3-Clause
// Complex Fourier transforms of eight series at once, each element one line: every lane does the same work, so
// the butterflies need no shuffling but the exchange of real and imaginary parts. Stockham's
// self-sorting decimation in frequency (Van Loan, Computational Frameworks for the FFT, 1992, section 1.7).
// Doing it here and not by a library keeps a projection in the cache from packing to the gridding samples.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

#ifdef __AVX512F__
constexpr int LARGEST_RADIX = 8;
#else
constexpr int LARGEST_RADIX = 4; // sixteen half-width registers hold no more
#endif

template <int SIGN> static inline Part times_i(Part a) { return exchange(a) * alternate(float(SIGN)); }

template <int P, int SIGN> static inline void butterfly(Part* a) {
    if constexpr (P == 2) {
        const Part b = a[1];
        a[1] = a[0] - b;
        a[0] += b;
    } else if constexpr (P == 3) {
        constexpr float s = 0.866025403784438647f; // sin(2 pi / 3)
        const Part sum = a[1] + a[2], turned = times_i<SIGN>(a[1] - a[2]) * s;
        const Part middle = a[0] - 0.5f * sum;
        a[0] += sum;
        a[1] = middle + turned;
        a[2] = middle - turned;
    } else if constexpr (P == 4) {
        const Part even = a[0] + a[2], even_less = a[0] - a[2], odd = a[1] + a[3];
        const Part turned = times_i<SIGN>(a[1] - a[3]);
        a[0] = even + odd;
        a[1] = even_less + turned;
        a[2] = even - odd;
        a[3] = even_less - turned;
    } else if constexpr (P == 5) {
        constexpr float c1 = 0.309016994374947424f, c2 = -0.809016994374947424f; // cos(2 pi / 5), cos(4 pi / 5)
        constexpr float s1 = 0.951056516295153572f, s2 = 0.587785252292473129f;  // sin
        const Part p1 = a[1] + a[4], p2 = a[2] + a[3], m1 = a[1] - a[4], m2 = a[2] - a[3];
        const Part r1 = a[0] + c1 * p1 + c2 * p2, r2 = a[0] + c2 * p1 + c1 * p2;
        const Part t1 = times_i<SIGN>(s1 * m1 + s2 * m2), t2 = times_i<SIGN>(s2 * m1 - s1 * m2);
        a[0] += p1 + p2;
        a[1] = r1 + t1;
        a[4] = r1 - t1;
        a[2] = r2 + t2;
        a[3] = r2 - t2;
    } else {
        static_assert(P == 8);
        constexpr float h = 0.707106781186547524f;
        Part e[4] = {a[0], a[2], a[4], a[6]}, o[4] = {a[1], a[3], a[5], a[7]};
        butterfly<4, SIGN>(e);
        butterfly<4, SIGN>(o);
        o[1] = h * (o[1] + times_i<SIGN>(o[1]));
        o[2] = times_i<SIGN>(o[2]);
        o[3] = h * (times_i<SIGN>(o[3]) - o[3]);
        for (int k = 0; k < 4; ++k) {
            a[k] = e[k] + o[k];
            a[k + 4] = e[k] - o[k];
        }
    }
}

template <int SIGN> static inline Part turn(Part a, Part re, Part im) {
    return SIGN > 0 ? a * re + exchange(a) * im : a * re - exchange(a) * im;
}

template <int P, int SIGN> static void fft_pass(int m, int s, const float* twiddle, const Part* x, Part* y) {
    for (int q = 0; q < m; ++q, twiddle += 4 * (P - 1)) {
        Part re[P], im[P];
        for (int j = 1; j < P; ++j) {
            re[j] = pairs(twiddle + 4 * j - 4);
            im[j] = pairs(twiddle + 4 * j - 2);
        }
        for (int t = 0; t < s; ++t) {
            Part a[P];
            for (int j = 0; j < P; ++j) a[j] = x[t + std::ptrdiff_t(s) * (q + m * j)];
            butterfly<P, SIGN>(a);
            Part* z = y + t + std::ptrdiff_t(s) * P * q;
            z[0] = a[0];
            if (q == 0)
                for (int j = 1; j < P; ++j) z[std::ptrdiff_t(s) * j] = a[j];
            else
                for (int j = 1; j < P; ++j) z[std::ptrdiff_t(s) * j] = turn<SIGN>(a[j], re[j], im[j]);
        }
    }
}

// Sum of x[n] exp(SIGN 2 pi i k n / length); returns whichever of the two buffers holds the result.
template <int SIGN> static Line* fft(const FftPlan& plan, Line* in, Line* spare) {
    Part *x = reinterpret_cast<Part*>(in), *y = reinterpret_cast<Part*>(spare);
    int n = plan.length, s = PARTS; // parts of a line are series of their own
    for (int k = 0; k < plan.passes; ++k) {
        const int p = plan.radix[k], m = n / p;
        switch (p) {
        case 2: fft_pass<2, SIGN>(m, s, plan.twiddle[k], x, y); break;
        case 3: fft_pass<3, SIGN>(m, s, plan.twiddle[k], x, y); break;
        case 4: fft_pass<4, SIGN>(m, s, plan.twiddle[k], x, y); break;
        case 5: fft_pass<5, SIGN>(m, s, plan.twiddle[k], x, y); break;
#ifdef __AVX512F__
        case 8: fft_pass<8, SIGN>(m, s, plan.twiddle[k], x, y); break;
#endif
        default: __builtin_trap();
        }
        Part* swap = x;
        x = y;
        y = swap;
        n = m;
        s *= p;
    }
    return reinterpret_cast<Line*>(x);
}

} // namespace tomarium::TOMARIUM_LEVEL
