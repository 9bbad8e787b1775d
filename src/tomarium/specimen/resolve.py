"""From one frame to another along the links between them; loops of links that contradict each other."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from tomarium import units
from tomarium.errors import InputError
from tomarium.model.link import Link, Point
from tomarium.specimen.pose import (
    Pose,
    about,
    apply,
    compose,
    identity,
    inverse,
    motion_between,
    place,
    pose_of,
    similarity,
)

CONTRADICTION: Final = 20.062
"""Chi-squared of six numbers that 0.27 % of all loops exceed though nothing is wrong, as 3 sigma of one number do."""
MOST_LOOPS: Final = 200
"""Loops that are compared; a specimen has fewer."""
_LEAST: Final = np.diag([1e-9] * 3 + [1e-12] * 3) ** 2
"""Below this (rad, m) nobody contradicts anybody: it is the rounding of numbers in a file."""
_LEAST_SCALE: Final = 1e-3


@dataclass(frozen=True)
class Step:
    """One link of a path.

    Attributes
    ----------
    link : Link
        The link.
    back : bool
        Whether it is passed from its `to_frame` to its `from_frame`.
    """

    link: Link
    back: bool

    @property
    def start(self) -> str:
        """The frame that it leads from."""
        return self.link.to_frame if self.back else self.link.from_frame

    @property
    def end(self) -> str:
        """The frame that it leads to."""
        return self.link.from_frame if self.back else self.link.to_frame

    @cached_property
    def pose(self) -> Pose:
        """Its pose in this direction."""
        return inverse(pose_of(self.link)) if self.back else pose_of(self.link)

    @cached_property
    def scale(self) -> float:
        """By which it changes lengths."""
        return similarity(self.pose.matrix)[0]


@dataclass(frozen=True)
class Contradiction:
    """A loop of links that does not close within what its links say of themselves.

    Attributes
    ----------
    frames : tuple of str
        The loop; the last is joined to the first by `links[-1]`.
    links : tuple of str
        Identifiers of its links.
    shift_m, turn_rad : float
        By how much it does not close.
    scale : float
        By how much lengths change around it.
    times_sigma : float
        How far that is from what its links allow, as a number of standard deviations (the root of chi-squared over 6);
        infinite where one link is mirrored and the others are not, or the scales differ.
    """

    frames: tuple[str, ...]
    links: tuple[str, ...]
    shift_m: float
    turn_rad: float
    scale: float
    times_sigma: float

    @property
    def words(self) -> str:
        """What is wrong, in one sentence."""
        loop = " → ".join((*self.frames, self.frames[0]))
        if not np.isfinite(self.times_sigma) and self.scale < 0:
            return f"the loop {loop} makes a mirror image of itself; one of the links {', '.join(self.links)} is wrong"
        scale = (
            f" and makes lengths {self.scale:.4g} times as long" if abs(self.scale - 1) > _LEAST_SCALE else ""
        )
        times = (
            f", {self.times_sigma:.1f} times what its links allow" if np.isfinite(self.times_sigma) else ""
        )
        return (
            f"the loop {loop} does not close by {units.show(self.shift_m, 'm', 3)} and "
            f"{np.rad2deg(self.turn_rad):.2g}°{scale}{times}; one of the links "
            f"{', '.join(self.links)} is wrong, or its covariance is too small"
        )


@dataclass(frozen=True)
class Resolved:
    """How one frame lies in another.

    Attributes
    ----------
    from_frame, to_frame : str
        Names of the two.
    pose : Pose
        From the one to the other.
    path : tuple of Step
        The links that were passed; none where both are the same.
    contradictions : tuple of Contradiction
        Loops that one of these links is part of.
    """

    from_frame: str
    to_frame: str
    pose: Pose
    path: tuple[Step, ...]
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def frames(self) -> tuple[str, ...]:
        """The frames that were passed, both ends among them."""
        return (self.from_frame, *(step.end for step in self.path))

    @property
    def assumed(self) -> tuple[Link, ...]:
        """Links of the path that nobody has measured."""
        return tuple(step.link for step in self.path if step.link.kind == "assumed")


class NotConnected(InputError):
    """No path of links joins two frames."""


def resolve(
    links: Iterable[Link], from_frame: str, to_frame: str, at_m: ArrayLike = (0.0, 0.0, 0.0)
) -> Resolved:
    """Find how a frame lies in another.

    Parameters
    ----------
    links : iterable of Link
        All that may be used; those that were withdrawn are passed over.
    from_frame, to_frame : str
        Names of the two frames.
    at_m : array, shape (3,)
        Point (x, y, z) of `from_frame`, m, at which the position is to be known best.

    Returns
    -------
    Resolved
        Along the path that knows the position at that point best, in `from_frame`'s lengths.

    Raises
    ------
    NotConnected
        There is no path; the frames that are linked with the one and with the other are named.
    """
    return resolve_all(links, from_frame, [to_frame], at_m)(to_frame)


def resolve_all(
    links: Iterable[Link], from_frame: str, to_frames: Iterable[str], at_m: ArrayLike = (0.0, 0.0, 0.0)
) -> Callable[[str], Resolved]:
    """Find how a frame lies in several others; the links are looked at once.

    Parameters
    ----------
    links, from_frame, at_m
        As `resolve` takes them.
    to_frames : iterable of str
        Names of the others.

    Returns
    -------
    callable
        `found(to_frame) -> Resolved`; raises NotConnected where there is no path.
    """
    valid_links = [link for link in links if not link.withdrawn]
    around = _steps_of(valid_links)
    reached = _best_paths(around, from_frame, at_m)
    contradicting = (
        contradictions(valid_links) if any(reached.get(to_frame) for to_frame in to_frames) else []
    )

    def found(to_frame: str) -> Resolved:
        if to_frame not in reached:
            raise NotConnected(
                f"{from_frame} and {to_frame} are not connected: {_group(from_frame, reached)}, and "
                f"{_group(to_frame, _best_paths(around, to_frame, (0.0, 0.0, 0.0)))}. Connect one of these with one of "
                f"those: tomarium align A B --out link.json, then tomarium specimen link link.json"
            )
        path = reached[to_frame]
        pose = identity()
        for step in path:
            pose = compose(pose, step.pose)
        passed = {step.link.id for step in path}
        loops = tuple(contradiction for contradiction in contradicting if passed & set(contradiction.links))
        return Resolved(from_frame, to_frame, pose, path, loops)

    return found


def _group(frame: str, reached: Iterable[str]) -> str:
    other_frames = sorted(text for text in reached if text != frame)
    if not other_frames:
        return f"{frame} has no link"
    more = f" and {len(other_frames) - 8} more" if len(other_frames) > 8 else ""
    return f"{frame} is linked with {', '.join(other_frames[:8])}{more}"


def _steps_of(links: Iterable[Link]) -> dict[str, list[Step]]:
    around: dict[str, list[Step]] = {}
    for link in links:
        for step in (Step(link, False), Step(link, True)):
            around.setdefault(step.start, []).append(step)
    return around


def _best_paths(
    around: Mapping[str, Sequence[Step]], start: str, at_m: ArrayLike, without: Link | None = None
) -> dict[str, tuple[Step, ...]]:
    """Find to each frame the path of least positional variance (Dijkstra), counted in lengths of the first frame."""
    order = count()  # of two paths that are as good, the shorter and then the first
    waiting: list[tuple[float, int, int, str, Point, float, tuple[Step, ...]]] = [
        (0.0, 0, next(order), start, _point(np.asarray(at_m, np.float64)), 1.0, ())
    ]
    paths: dict[str, tuple[Step, ...]] = {}
    while waiting:
        variance, length, _, frame, point, scale, path = heapq.heappop(waiting)
        if frame in paths:
            continue
        paths[frame] = path
        for step in around.get(frame, ()):
            if step.end in paths or step.link is without:
                continue
            position, covariance = place(step.pose, point)
            longer = scale * step.scale
            more = variance + float(np.trace(covariance)) / longer**2
            heapq.heappush(
                waiting,
                (more, length + 1, next(order), step.end, _point(position), longer, (*path, step)),
            )
    return paths


def _point(values: ArrayLike) -> Point:
    x, y, z = np.asarray(values, np.float64).tolist()
    return x, y, z


def groups(links: Iterable[Link], frames: Iterable[str] = ()) -> list[list[str]]:
    """Put frames together that are connected by links, the largest group first.

    Parameters
    ----------
    links : iterable of Link
        Those that were withdrawn are passed over.
    frames : iterable of str
        Frames that are there, linked or not.

    Returns
    -------
    list of list of str
        Names of frames, sorted.
    """
    valid_links = [link for link in links if not link.withdrawn]
    remaining = dict.fromkeys(
        [*frames, *(end for link in valid_links for end in (link.from_frame, link.to_frame))]
    )
    sets, around = [], _steps_of(valid_links)
    while remaining:
        reached = _best_paths(around, next(iter(remaining)), (0.0, 0.0, 0.0))
        sets.append(sorted(reached))
        remaining = {text: None for text in remaining if text not in reached}
    return sorted(sets, key=lambda group: (-len(group), group))


def contradictions(links: Iterable[Link]) -> list[Contradiction]:
    """Find loops of links that contradict each other.

    Parameters
    ----------
    links : iterable of Link
        Those that were withdrawn are passed over.

    Returns
    -------
    list of Contradiction
        Each link that closes a loop, at most `MOST_LOOPS`, is compared with the best path between its ends that does
        without it; a loop is told once.
    """
    valid_links = [link for link in links if not link.withdrawn]
    around = _steps_of(valid_links)
    loops: dict[frozenset[str], Contradiction] = {}
    for number in _closing_links(valid_links)[:MOST_LOOPS]:
        link = valid_links[number]
        back = apply(np.linalg.inv(np.asarray(link.matrix)), link.centre_m)
        path = _best_paths(around, link.from_frame, back, link).get(link.to_frame)
        if path is None:
            continue
        loop = _contradiction(path, link)
        if loop is not None:
            loops.setdefault(frozenset(loop.links), loop)
    return sorted(loops.values(), key=lambda contradiction: -contradiction.times_sigma)


def _closing_links(links: Sequence[Link]) -> list[int]:
    """Find the numbers of links that close a loop with some of those before them: without these there is none."""
    group: dict[str, str] = {}

    def root(frame: str) -> str:
        while (above := group.setdefault(frame, frame)) != frame:
            frame = above
        return frame

    closing = []
    for number, link in enumerate(links):
        first, other = root(link.from_frame), root(link.to_frame)
        if first == other:
            closing.append(number)
        group[first] = other
    return closing


def _contradiction(path: Sequence[Step], link: Link) -> Contradiction | None:
    pose = identity()
    for step in path:
        pose = compose(pose, step.pose)
    direct = pose_of(link)
    around = about(pose, direct.centre_m)
    ratio = float(np.linalg.det(pose.matrix[:3, :3]) / np.linalg.det(direct.matrix[:3, :3]))
    scale = float(np.cbrt(ratio))
    contradiction = Contradiction(
        frames=(*(step.start for step in path), link.to_frame),
        links=tuple(dict.fromkeys([*(step.link.id for step in path), link.id])),
        shift_m=0.0, turn_rad=0.0, scale=scale, times_sigma=float("inf"),
    )  # fmt: skip
    if ratio < 0:
        return contradiction
    motion = motion_between(direct, around.matrix)
    contradiction = replace(
        contradiction, shift_m=float(np.linalg.norm(motion[3:])), turn_rad=float(np.linalg.norm(motion[:3]))
    )
    if abs(scale - 1) > _LEAST_SCALE:
        return contradiction
    spread = direct.covariance + around.covariance + _LEAST
    squared = float(motion @ np.linalg.solve(spread, motion))
    if squared <= CONTRADICTION:
        return None
    return replace(contradiction, times_sigma=float(np.sqrt(squared / 6)))
