"""A process that gives up what it may do, before it reads a file of strangers: Linux alone has what it takes.

Landlock keeps it to the folders that it is told, a seccomp filter from the network, from other programs and from more
processes, and limits of the system from memory and processor time without end. What was given up never comes back, so
it is done in a process that is made for one file.

Facts: the kernel's userspace-api/landlock.rst and userspace-api/seccomp_filter.rst; system calls: its
arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from tomarium.errors import TomariumError

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on all processors
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2  # of prctl
_OF_FILES: Final = 1 << 1 | 1 << 2 | 1 << 14  # what a rule of a single file may hold: write, read, truncate
_IOCTL: Final = 1 << 15  # of a device
_READ: Final = 1 << 2 | 1 << 3  # files, and names in folders
_RIGHTS_BY_ABI: Final = ((1, 13), (2, 14), (3, 15), (5, 16))
"""Version of Landlock → how many rights of files it knows."""
_NOT_WRITE: Final = (
    1 << 0 | 1 << 6 | 1 << 11 | 1 << 10 | 1 << 15
)  # execute, devices, block devices, fifos, ioctl

# Name → number on x86_64, on aarch64 (None where it has none): network, programs, processes, and ways around.
_REFUSED: Final[dict[str, tuple[int, int | None]]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),
    "open_by_handle_at": (304, 265),
    "mknodat": (259, 33),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
}
_PROCESSORS: Final = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}
"""Processor → its column above, its number in the kernel (audit.h), and its `clone`."""
_CLONE3: Final = 435
_OF_THREAD: Final = 0x10000  # CLONE_THREAD


class CannotConfine(TomariumError):
    """A process cannot be kept to some folders: the system has no means for it."""


@dataclass(frozen=True)
class Means:
    """What this system has to confine a process.

    Attributes
    ----------
    landlock : int
        Version of Landlock's interface; 0 where there is none.
    seccomp : bool
        Whether the filter of system calls is known for this processor.
    why : str
        For people: what there is, or why there is none.
    """

    landlock: int
    seccomp: bool
    why: str


@cache
def means() -> Means:
    """Tell what this system has to confine a process.

    Returns
    -------
    Means
        Asked once of the kernel.
    """
    if sys.platform != "linux":
        return Means(0, False, f"Landlock is part of Linux, and this is {platform.system()}")
    version = _call(_CREATE, None, 0, 1)
    if version < 1:
        error = os.strerror(ctypes.get_errno())
        return Means(0, False, f"the kernel {platform.release()} has no Landlock ({error})")
    seccomp = platform.machine() in _PROCESSORS and hasattr(os, "fork")
    network = "seccomp" if seccomp else "Landlock, TCP alone" if version >= 4 else "nothing"
    return Means(
        version, seccomp, f"Landlock (version {version}) keeps it to its folders, {network} from the network"
    )


def confine(readable: Iterable[Path], writable: Iterable[Path] = (), devices: Iterable[Path] = ()) -> None:
    """Keep this process, from now on and for ever, to some folders, and from the network and other programs.

    What Python itself needs to import its packages stays readable too.

    Parameters
    ----------
    readable : iterable of Path
        Files and folders that may be read, with all that lies in them; those that are absent are left out.
    writable : iterable of Path
        Those in which files may also be written, linked and removed.
    devices : iterable of Path
        Files of devices, as of a GPU, that may be used.

    Raises
    ------
    CannotConfine
        This system has no Landlock, or the kernel refused.
    """
    available = means()
    if not available.landlock:
        raise CannotConfine(available.why)
    _check(_prctl(_NO_NEW_PRIVILEGES, 1, 0), "give up new privileges")
    rights = (1 << next(bits for abi, bits in reversed(_RIGHTS_BY_ABI) if available.landlock >= abi)) - 1
    rules = struct.pack(
        "=QQQ", rights, 3 if available.landlock >= 4 else 0, 3 if available.landlock >= 6 else 0
    )
    size = 24 if available.landlock >= 6 else 16 if available.landlock >= 4 else 8
    ruleset = _check(_call(_CREATE, rules, size, 0), "make rules")
    try:
        for path in (*needed_by_python(), *readable):
            _allow(ruleset, path, _READ)
        for path in writable:
            _allow(ruleset, path, rights & ~_NOT_WRITE)
        for path in devices:
            _allow(ruleset, path, rights & (_OF_FILES | _IOCTL))
        _check(_call(_RESTRICT, ruleset, 0), "keep to them")
    finally:
        os.close(ruleset)
    if available.seccomp:
        _refuse_calls()


def limit(
    *, memory: int | None = None, address_space: int | None = None, cpu_s: int | None = None,
    file_bytes: int | None = None, open_files: int | None = None,
) -> None:  # fmt: skip
    """Limit what this process may take, from now on; nothing where the system has no such limits (Windows).

    Parameters
    ----------
    memory, address_space : int, optional
        Bytes that it may write to, and all that it may address, mapped files among them.
    cpu_s : int, optional
        Seconds of processor time, after which it is killed.
    file_bytes : int, optional
        Size of the largest file that it may write.
    open_files : int, optional
        Files that it may hold open.
    """
    try:
        import resource
    except ImportError:
        return
    limits = {
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_AS: address_space,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_NOFILE: open_files,
        resource.RLIMIT_CORE: 0,
    }
    for resource_number, most in limits.items():
        if most is not None:
            with suppress(ValueError, OSError):  # a lower limit holds already
                resource.setrlimit(resource_number, (most, most))


@cache
def needed_by_python() -> Sequence[Path]:
    """List what importing packages and asking for memory and processors needs; nothing that tells of other programs.

    Returns
    -------
    sequence of Path
        Found once in a process: one that forks asks before it does.
    """
    import site

    folders = [Path(text) for text in (*site.getsitepackages(), site.getusersitepackages())]
    linked = {place for folder in folders if folder.is_dir() for place in _linked_from(folder)}
    packages = {*map(str, folders), *map(str, linked), str(Path(__file__).parent)}
    python = {sys.prefix, sys.base_prefix, sys.exec_prefix, *packages} - {"/"}
    system = (
        "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/usr/share/fonts", "/etc/ld.so.cache",
        "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom", "/proc/meminfo", "/proc/cpuinfo",
        "/proc/self/cgroup", "/proc/self/mountinfo", "/sys/fs/cgroup", "/sys/devices/system/cpu",
    )  # fmt: skip
    return [Path(path) for path in (*sorted(python), *system)]


def _linked_from(folder: Path) -> Iterator[Path]:
    """List the folders from which an installer linked packages, whole or file by file, instead of copying them."""
    for pattern in ("*", "*/__init__.py"):
        for path in folder.glob(pattern):
            if path.is_symlink():
                inside, real = path.relative_to(folder), path.resolve()
                whole = real.parts[-len(inside.parts) :] == inside.parts
                yield real.parents[len(inside.parts) - 1] if whole else real


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _OF_FILES | _IOCTL
        rule = struct.pack("=Qi", rights, place)
        _check(_call(_ADD, ruleset, 1, rule, 0), f"allow {path}")
    finally:
        os.close(place)


def _refuse_calls() -> None:
    """Put a filter before the kernel: what it refuses ends with EPERM, as if it was not permitted."""
    column, processor, clone = _PROCESSORS[platform.machine()]
    numbers = [number_of_call for pair in _REFUSED.values() if (number_of_call := pair[column]) is not None]
    allow, refuse, absent = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    # Instructions of the filter: (code, jump where true, jump where false, value).
    program = [(load, 0, 0, 4), (equal, 1, 0, processor), (answer, 0, 0, refuse), (load, 0, 0, 0)]
    program += [(at_least, 0, 1, 0x40000000), (answer, 0, 0, refuse)]  # the x32 spelling of the calls
    for number in numbers:
        program += [(equal, 0, 1, number), (answer, 0, 0, refuse)]
    # The C library falls back to clone, whose flags a filter can see.
    program += [(equal, 0, 1, _CLONE3), (answer, 0, 0, absent), (equal, 1, 0, clone), (answer, 0, 0, allow)]
    program += [(load, 0, 0, 16), (any_bit, 0, 1, _OF_THREAD), (answer, 0, 0, allow), (answer, 0, 0, refuse)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    array = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    _check(_prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(array)), "refuse calls of the system")


def _check(result: int, action: str) -> int:
    if result < 0:
        raise CannotConfine(
            f"the kernel did not let this process {action}: {os.strerror(ctypes.get_errno())}"
        )
    return result


def _call(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    converted = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return int(library.syscall(ctypes.c_long(number), *converted))


def _prctl(option: int, first: int, second: int) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    words = (ctypes.c_ulong(value) for value in (first, second, 0, 0))
    return int(library.prctl(ctypes.c_int(option), *words))
