"""The one tree of errors.

::

    TomariumError                  exit code of the command line
    ├── InputError                 2   what was given cannot be used as it is
    │   ├── FormatError            2   a file is not what its reader needs, or is damaged
    │   ├── MissingData            2   a scan lacks something a step cannot do without
    │   ├── UnitError              2   a number without a unit, or with the wrong one
    │   └── ParameterError         2   a step, a parameter or a value that does not exist
    ├── StepFailed             2   a step ended in an error of its own; names its package
    ├── JobFailed              2   a job of a cluster ended before its work was done, also when it was sent again
    ├── EngineUnavailable          2   a device or compiled engine was asked for and is not there
    ├── StoreUnavailable           2   a store of records does not answer, is absent or not permitted
    ├── Interrupted                3   stopped half-way; what is done is kept and the run can resume
    │   ├── StorageFull            3   the disk is full; free some space and resume
    │   ├── DeviceFull             3   the memory of a device does not suffice for the least it can work on
    │   └── DatabaseUnavailable    3   the catalogue's database does not answer, or is held by somebody else
    └── CannotFit                  4   refused before it began: memory or disk would not suffice

A message says what was found, where, what was expected and what to do next.
"""


class TomariumError(Exception):
    """Any error tomarium raises on purpose; its text is meant for the user."""

    exit_code = 2


class InputError(TomariumError):
    """What was given cannot be used as it is."""


class FormatError(InputError):
    """A file is not what its reader needs, or is damaged."""


class MissingData(InputError):
    """A scan lacks something that a step cannot do without."""


class UnitError(InputError):
    """A number came without a unit, or with one of the wrong kind.

    Parameters
    ----------
    told : str
        What is wrong, with "%(name)s" for each value.
    **values : object
        The values, kept beside `pattern` so that a page translates the words before it puts them in.
    """

    def __init__(self, told: str = "", **values: object) -> None:
        super().__init__(told % values if values else told)
        self.pattern, self.values = told, values


class ParameterError(InputError):
    """A step, a parameter or a value that does not exist."""


class StepFailed(TomariumError):
    """A step ended in an error of its own, which is the cause of this one."""


class JobFailed(TomariumError):
    """A job of a cluster ended before its work was done, also when it was sent again."""


class EngineUnavailable(TomariumError):
    """A device or compiled engine was asked for and is not there."""


class StoreUnavailable(TomariumError):
    """A store of records does not answer, is absent, or does not permit what was asked."""


class Interrupted(TomariumError):
    """Stopped half-way; what is done is kept and the run can resume."""

    exit_code = 3


class StorageFull(Interrupted):
    """The disk is full; what is done is kept."""


class DeviceFull(Interrupted):
    """The memory of a device does not suffice for a slab, however small; what is done is kept."""


class DatabaseUnavailable(Interrupted):
    """The catalogue's database does not answer, or is held by somebody else; what was asked for was not confirmed."""


class CannotFit(TomariumError):
    """Refused before it began: memory or disk would not suffice."""

    exit_code = 4


class TomariumWarning(UserWarning):
    """Something the user should know that does not stop the work."""
