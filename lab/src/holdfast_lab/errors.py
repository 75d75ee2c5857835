"""What can be wrong with building the private world of the demo and the tests, and with the guests in it."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, HoldfastError

PACKAGES_MISSING = Condition(
    "demo-packages-missing",
    Failed,
    "the demo needs packages that are not installed: {packages}",
    "install them",
)
NOT_ROOT = Condition(
    "demo-not-root", Failed, "the demo needs root, to make a private world for its libvirt", "run it as root"
)
NO_PRIVATE_LIBVIRT = Condition("no-private-libvirt", Failed, "the private libvirt does not start: {reason}")

NO_OTHER_DEBIAN = Condition("no-other-debian", Failed, "{reason}")
NO_MIRROR = Condition(
    "no-mirror", Failed, "apt knows no mirror of {codename} that offers {release}", "run 'apt-get update'"
)
PACKAGES_NOT_DOWNLOADED = Condition(
    "packages-not-downloaded",
    Failed,
    "packages of another release or architecture could not be downloaded: {reason}",
    "is the mirror reachable?",
)
DAMAGED_PACKAGE = Condition("damaged-package", Failed, "{archive} cannot be unpacked")

NO_KERNEL = Condition(
    "no-kernel",
    Failed,
    "apt knows no kernel package for the probe guest",
    "run 'apt-get update' (Debian or Ubuntu, x86-64)",
)
NO_KERNEL_FILE = Condition("no-kernel-file", Failed, "neither the kernel package nor its parts contain a kernel")
NO_ARM_PACKAGES = Condition("no-arm-packages", Failed, "{reason}", "take another machine type")
BUILD_PACKAGES_MISSING = Condition(
    "build-packages-missing",
    Failed,
    "building the probe guest needs packages that are not installed: {packages}",
    "install them",
)
NO_BUILD_TOOL = Condition(
    "no-build-tool", Failed, "{tool} is needed to build the probe guest", "is this Debian or Ubuntu?"
)
BUILD_FAILED = Condition("build-failed", Failed, "building the probe guest failed at '{command}': {reason}")
NO_KERNEL_MODULES = Condition("no-kernel-modules", Failed, "the kernel package has no module {modules}")
AGENT_TOO_LARGE = Condition(
    "agent-too-large", Failed, "the probe guest's agent is too large for its place on the disk: {size} bytes"
)
NO_AGENT_LIBRARIES = Condition(
    "no-agent-libraries", Failed, "the probe guest's agent needs libraries that are not here: {libraries}"
)
NO_AGENT_FILE = Condition("no-agent-file", Failed, "no package contains {file} for the probe guest's agent")

# A guest did not say or do what was waited for.
GUEST_COMMAND_FAILED = Condition("guest-command-failed", HoldfastError, "{command!r} failed in guest {name}: {said}")
GUEST_DOES_NOT_SEE = Condition("guest-does-not-see", HoldfastError, "guest {name} does not see what was waited for")
GUEST_SILENT = Condition("guest-silent", HoldfastError, "guest {name} did not {wanted} in {seconds:g} s")
GUEST_AGENT_STATE = Condition("guest-agent-state", HoldfastError, "the agent of guest {name} is not {state}")
GUEST_NO_CONSOLE = Condition("guest-no-console", HoldfastError, "domain {name} has no serial console of type pty")
GUEST_NOT_RUNNING = Condition("guest-not-running", HoldfastError, "domain {name} is not running")
