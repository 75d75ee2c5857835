"""What can be wrong with how a program is called, with what it lacks, and with Holdfast itself."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, HoldfastError, NoConnection, UsageError

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
