// SPDX-License-Identifier: BSD-3-Clause
#include <nanobind/nanobind.h>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace nb = nanobind;

NB_MODULE(_native, m) {
    m.doc() = "Compiled kernels of tomarium.";
    m.def("max_threads", [] {
#ifdef _OPENMP
        return omp_get_max_threads();
#else
        return 1;
#endif
    }, "Number of OpenMP threads a kernel uses by default.");
}
