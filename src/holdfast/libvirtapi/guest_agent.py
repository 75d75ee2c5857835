"""One question to the QEMU guest agent at a time, and its answer as text. Strings in, strings out.

virDomainGetGuestInfo is not for us (libvirt 9.0): it says where no disk is, waits for ever on an agent that has
stopped answering, holding a thread of libvirtd meanwhile, and a guest that answers nonsense crashes libvirtd with it.
virDomainQemuAgentCommand has its price, too: libvirt notes that the domain is "tainted: custom guest agent control
commands issued" until it stops. That note is all.
"""

from __future__ import annotations

import json

import libvirt_qemu

from holdfast.errors.libvirt import AGENT_SAYS_NO_TEXT
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.translate import translated

_TIMEOUT = 5
"""Seconds for one answer; libvirt may wait as long again to find the agent at all (guest-sync)."""


@translated
def ask(domain: Domain, command: str) -> str:
    """The agent's answer to ``command`` ("guest-get-disks"), as JSON (virDomainQemuAgentCommand).

    libvirt gives no more than 4 MiB of it (9.0). Raises NoAnswer when no agent is there or it does not answer in time,
    LibvirtRefused when it does not know the command, may not run it, or answers what is no JSON.
    """
    try:
        return libvirt_qemu.qemuAgentCommand(domain._handle, json.dumps({"execute": command}), _TIMEOUT, 0)
    except (SystemError, UnicodeDecodeError) as error:  # the binding, where libvirt's error quotes what is no UTF-8
        raise AGENT_SAYS_NO_TEXT(command=command) from error
