"""Which calls of libvirt's binding change nothing; every other is a step that a test may cut off, or refuse."""

from __future__ import annotations

import re

READS = re.compile(
    r"vir(Conn(Get|Reset)LastError|ResetLastError|GetLastError|RegisterErrorHandler|Initialize|GetVersion|Event|Stream)"
    r"|vir\w+(Free|Ref|_pointer|Callback|Event(Register|Deregister)(Any)?)$"
    r"|vir(Connect|Domain|DomainSnapshot|DomainCheckpoint|Network|StoragePool|StorageVol|NodeDevice|Secret|Node)"
    r"(Get|Is|Has|List|Num|Lookup|Open|Close|SetKeepAlive|Baseline|Compare|DomainXML|Current)"
    r"|virDomain(InterfaceAddresses|ManagedSaveGetXMLDesc|BlockInfo|BlockJobInfo|BlockStats|MemoryStats|SaveImageGetXML)"
)
"""The calls of libvirt that change nothing, by the beginnings of their names. What is not named here is a step."""
