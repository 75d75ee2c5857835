"""What can be wrong with how a program is called, with what it lacks, and with Holdfast itself."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, HoldfastError, NoConnection, PartlyDone, UsageError

DEFECT = Condition("defect", HoldfastError, "this should not have happened: {kind}: {error}", "report it")
NO_TERMINAL = Condition(
    "no-terminal", UsageError, "the console needs a terminal: standard input and output must be one"
)
NO_LAB = Condition(
    "no-lab", Failed, "the demo needs holdfast-lab, which is not installed", "install holdfast-lab beside holdfast"
)
NO_HOST_REACHED = Condition(
    "no-host-reached", NoConnection, "no host was reached", "is libvirt running there, and are the URIs right?"
)
RESCUE_FORMAT = Condition(
    "rescue-format",
    UsageError,
    "the format of {image} must be stated",
    "state it, raw or qcow2: Holdfast never guesses it from the image",
)

OUTPUT_LOST = Condition("output-lost", Failed, "standard output cannot be written to: {reason}")
OUTPUT_LOST_AFTERWARDS = Condition(
    "output-lost-afterwards",
    PartlyDone,
    "it is done, but standard output cannot be written to: {reason}",
    "look at the domain",
)
TOO_FEW_FILES = Condition(
    "too-few-files",
    Failed,
    "this process may open only {limit:file}, and needs {needed}",
    "raise the limit: ulimit -n {needed}",
)
