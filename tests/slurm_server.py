"""A SLURM of one node for tests: started in a second from Debian's packages, without systemd and control groups."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from free_port import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")


class NoSlurm(Exception):
    """No SLURM can be started here; says why."""


class Slurm:
    """A controller and a node on this computer; every file lies in one folder, every process ends with it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))  # sockets take short paths only
        self.config = self.folder / "slurm.conf"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start the three daemons, and wait until the node takes jobs."""
        if os.geteuid() != 0:
            raise NoSlurm("its daemons are started by root")
        lacking = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
        if lacking:
            raise NoSlurm(
                f"{', '.join(lacking)} not found; Debian's slurmctld, slurmd, slurm-client and munge have them"
            )
        self.folder.chmod(0o755)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        self.config.write_text(self._settings())
        at = {
            "socket": "munge.sock",
            "pid-file": "munged.pid",
            "seed-file": "munge.seed",
            "log-file": "munged.log",
        }
        self._daemon("munged", "--foreground", "--force", f"--key-file={key}",
                     *(f"--{name}={self.folder / file}" for name, file in at.items()))  # fmt: skip
        self._wait(
            lambda: self.run("munge", "-n", "-S", str(self.folder / "munge.sock")) is not None, "munged"
        )
        self._daemon("slurmctld", "-D")
        self._wait(lambda: "UP" in (self.run("scontrol", "ping") or ""), "slurmctld")
        self._daemon("slurmd", "-D")
        self._wait(lambda: (self.run("sinfo", "-h", "-o", "%T") or "").strip() == "idle", "slurmd")

    def _settings(self) -> str:
        ports = free_port(), free_port()
        host, here = socket.gethostname().partition(".")[0], self.folder
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**21
        return f"""
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory={memory}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={here}/munge.sock
StateSaveLocation={here}/state
SlurmdSpoolDir={here}/spool
SlurmctldPidFile={here}/slurmctld.pid
SlurmdPidFile={here}/slurmd.pid
SlurmctldLogFile={here}/slurmctld.log
SlurmdLogFile={here}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
EnforcePartLimits=ALL
ReturnToService=2
KillWait=2
MinJobAge=86400
MailProg=/bin/true
"""

    def _daemon(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.out").open("wb") as out:
            # Where Debian's emulator is installed too, the plain name may be its own, which runs no job.
            real = shutil.which(f"{name}-wlm", path=_path()) or name
            self._running[name] = subprocess.Popen(
                [real, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment,
                start_new_session=True,
            )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this SLURM and no other."""
        return {**os.environ, "SLURM_CONF": str(self.config), "PATH": _path()}

    def run(self, *words: str) -> str | None:
        """Return what a command of SLURM says, or None where it fails."""
        made = subprocess.run(words, capture_output=True, text=True, env=self.environment, timeout=120)
        return None if made.returncode else made.stdout

    def _wait(self, ready: Callable[[], bool], name: str) -> None:
        until = monotonic() + 120
        while not ready():
            if monotonic() > until or self._running[name].poll() is not None:
                raise NoSlurm(f"{name} does not answer: {(self.folder / f'{name}.out').read_text()[-300:]}")
            sleep(0.05)

    def close(self) -> None:
        """Cancel all jobs, end the daemons and whatever a job left behind, and remove the folder."""
        if "slurmd" in self._running:
            jobs = (self.run("squeue", "-h", "-o", "%F") or "").split()
            if jobs:
                self.run("scancel", *set(jobs))
            until = monotonic() + 120
            while (self.run("squeue", "-h") or "").strip() and monotonic() < until:
                sleep(0.1)
        for process in self._left_behind():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for daemon in reversed(self._running.values()):
            daemon.terminate()
            try:
                daemon.wait(60)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _left_behind(self) -> list[int]:
        """List processes of jobs of this SLURM, told by what is in their environment."""
        found, own = [], f"SLURM_CONF={self.config}".encode()
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                told = (place / "environ").read_bytes().split(b"\0")
                if own in told and any(one.startswith(b"SLURM_JOB_ID=") for one in told):
                    found.append(int(place.name))
        return found


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"
