"""Limits that containers and batch systems set, as the kernel writes them down."""

from pathlib import Path

import pytest

from tomarium import control_groups


def lay(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


@pytest.fixture
def process(tmp_path: Path) -> Path:
    """A process in a batch job of a unified hierarchy (version 2)."""
    top = tmp_path / "cgroup"
    lay(
        tmp_path,
        {
            "proc/mountinfo": f"41 31 0:38 / {top} rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n",
            "proc/cgroup": "0::/slurm/job_7/step_0\n",
            "cgroup/memory.stat": "inactive_file 5\n",
            "cgroup/slurm/memory.max": "max\n",
            "cgroup/slurm/memory.current": "900\n",
            "cgroup/slurm/job_7/memory.max": "1000\n",
            "cgroup/slurm/job_7/memory.current": "700\n",
            "cgroup/slurm/job_7/memory.stat": "anon 400\ninactive_file 100\nactive_file 50\n",
            "cgroup/slurm/job_7/cpu.max": "150000 100000\n",
            "cgroup/slurm/job_7/step_0/memory.max": "2000\n",
            "cgroup/slurm/job_7/step_0/memory.current": "700\n",
            "cgroup/slurm/job_7/step_0/cpu.max": "max 100000\n",
        },
    )
    return tmp_path / "proc"


def test_the_tightest_group_above_a_process_counts(process: Path) -> None:
    # 1000 allowed, 700 used of which 100 are pages of files that would be dropped first
    assert control_groups.available_memory(process) == 400
    assert control_groups.processors(process) == 1.5


def test_a_group_over_its_limit_leaves_nothing(process: Path) -> None:
    (process.parent / "cgroup/slurm/job_7/memory.current").write_text("1200\n")
    assert control_groups.available_memory(process) == 0


def test_version_1_is_read_too(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {
            "proc/mountinfo": (
                f"35 31 0:32 / {tmp_path}/my\\040memory rw - cgroup cgroup rw,memory\n"
                f"32 31 0:29 / {tmp_path}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
                f"41 31 0:38 / {tmp_path}/unified rw - cgroup2 cgroup2 rw\n"
            ),
            "proc/cgroup": "5:memory:/job\n2:cpu,cpuacct:/\n0::/\n",
            "my memory/memory.limit_in_bytes": "9223372036854771712\n",
            "my memory/memory.usage_in_bytes": "12345\n",
            "my memory/job/memory.limit_in_bytes": "3000\n",
            "my memory/job/memory.usage_in_bytes": "1000\n",
            "my memory/job/memory.stat": "inactive_file 1\ntotal_inactive_file 10\n",
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert control_groups.available_memory(tmp_path / "proc") == 2010
    assert control_groups.processors(tmp_path / "proc") is None


def test_a_container_sees_only_its_own_part(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {
            "proc/mountinfo": f"9 8 0:3 /docker/abc {tmp_path}/cgroup ro - cgroup2 cgroup rw\n",
            "proc/cgroup": "0::/docker/abc\n",
            "cgroup/memory.max": "500\n",
            "cgroup/memory.current": "200\n",
        },
    )
    assert control_groups.available_memory(tmp_path / "proc") == 300


def test_a_system_without_groups_limits_nothing(tmp_path: Path) -> None:
    assert control_groups.available_memory(tmp_path) is None
    assert control_groups.processors(tmp_path) is None
