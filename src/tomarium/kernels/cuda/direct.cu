// SPDX-License-Identifier: BSD-3-Clause
// Direct backprojection (Kak & Slaney 1988, eq. 3.34): a thread sums ROWS rows of one pixel; the twin is native/direct.h.
// Block (32, 8), grid (width / 32, height / 8, rows / ROWS). `filtered` is (angle, row, sample), already weighted;
// `directions` holds, one after the other, samples per pixel to the right, per row downwards, and the axis' sample.
#ifndef ROWS
#define ROWS 4
#endif
#define CHUNK 64 // projections whose place is worked out together

extern "C" __global__ void __launch_bounds__(256)
backproject(const float* __restrict__ filtered, const double* __restrict__ directions, float* __restrict__ out,
            int angles, int rows, int samples, int size, int y0, int y1, int x0, int x1) {
    __shared__ float step_x[CHUNK], step_y[CHUNK], rest[CHUNK];
    __shared__ int base[CHUNK];
    const int left = x0 + blockIdx.x * blockDim.x, top = y0 + blockIdx.y * blockDim.y;
    const int x = left + threadIdx.x, y = top + threadIdx.y, thread = threadIdx.y * blockDim.x + threadIdx.x;
    const long long dx = 2 * x - size + 1, dy = 2 * y - size + 1;
    const bool inside = x < x1 && y < y1 && dx * dx + dy * dy <= (long long)size * size;
    const int first = blockIdx.z * ROWS, count = min(ROWS, rows - first);
    float sum[ROWS] = {};
    for (int start = 0; start < angles; start += CHUNK) {
        __syncthreads(); // what was at hand has been used
        if (thread < CHUNK && start + thread < angles) {
            // The block's corner in double precision; from there on, short ways are exact enough.
            const int k = start + thread;
            const double cx = directions[k], cy = directions[angles + k];
            const double corner = directions[2 * angles + k] + (left - 0.5 * (size - 1)) * cx + (top - 0.5 * (size - 1)) * cy;
            base[thread] = (int)floor(corner);
            rest[thread] = (float)(corner - floor(corner));
            step_x[thread] = (float)cx;
            step_y[thread] = (float)cy;
        }
        __syncthreads();
        if (!inside) continue;
        for (int j = 0; j < min(CHUNK, angles - start); ++j) {
            const float position = rest[j] + (float)threadIdx.x * step_x[j] + (float)threadIdx.y * step_y[j];
            const float before = floorf(position), fraction = position - before;
            const float* q = filtered + ((long long)(start + j) * rows + first) * samples + base[j] + (int)before;
#pragma unroll
            for (int r = 0; r < ROWS; ++r)
                if (r < count) {
                    const float here = __ldg(q + (long long)r * samples), next = __ldg(q + (long long)r * samples + 1);
                    sum[r] += here + fraction * (next - here);
                }
        }
    }
    if (!inside) return;
    const long long width = x1 - x0, slice = width * (y1 - y0);
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
        if (r < count) out[(first + r) * slice + (y - y0) * width + (x - x0)] += sum[r];
}
