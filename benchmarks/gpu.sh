#!/usr/bin/env bash
# Where there is a GPU: build, test every CUDA kernel on it, measure all of it, write docs/reference/performance.md.
# Ten minutes at most. PYTHON=python3 chooses the Python whose CuPy is used; options go to benchmarks/gpu.py.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
VENV=${VENV:-build/gpu-venv}
if [ "${1:-}" = --processor ]; then
  exec timeout 590 "$PYTHON" benchmarks/gpu.py "$@"
fi
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used --format=csv
fi
# What the machine has already, CuPy above all, is used; without the net nothing else can be had.
if [ ! -x "$VENV/bin/python" ]; then
  "$PYTHON" -m venv --system-site-packages "$VENV"
  # Those of an environment in which PYTHON lies itself, too.
  where='import sysconfig; print(sysconfig.get_path("purelib"))'
  "$PYTHON" -c "$where" >"$("$VENV/bin/python" -c "$where")/of-the-machine.pth"
fi
if ! timeout 180 "$VENV/bin/python" -m pip install --quiet .; then
  echo "tomarium's packages cannot be fetched: it is built with those that are there"
  timeout 180 "$VENV/bin/python" -m pip install --quiet --no-deps --no-build-isolation .
fi
if ! "$VENV/bin/python" -c 'import cupy' 2>/dev/null; then
  timeout 240 "$VENV/bin/python" -m pip install --quiet '.[gpu]'
fi
# Whole-array steps need it beside a CuPy that was there before; without it their rows say so.
"$VENV/bin/python" -c 'import array_api_compat' 2>/dev/null ||
  timeout 60 "$VENV/bin/python" -m pip install --quiet array-api-compat || true
left=$((590 - SECONDS))
exec timeout "$left" "$VENV/bin/python" benchmarks/gpu.py --seconds "$((left - 60))" "$@"
