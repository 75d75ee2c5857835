"""The types of the floors below that results are made of, for those who read results."""

from __future__ import annotations

from holdfast.domainxml.compare.change import Change as Change
from holdfast.domainxml.compare.change import ChangeKind as ChangeKind
from holdfast.domainxml.describe.hardware_tree import Part as Part
from holdfast.domainxml.describe.identity import Identity as Identity
from holdfast.domainxml.describe.summary import DeviceLine as DeviceLine
from holdfast.domainxml.elements.vcpu import Topology as Topology
from holdfast.domainxml.fact import DiskRecord as DiskRecord
from holdfast.domainxml.fact import Rescue as Rescue
from holdfast.domainxml.host.machine_type import QemuRelease as QemuRelease
from holdfast.domainxml.host.outlook import Effect as Effect
from holdfast.domainxml.host.outlook import Outlook as Outlook
from holdfast.domainxml.make.open_parts import OpenPart as OpenPart
from holdfast.domainxml.make.open_parts import Remedy as Remedy
from holdfast.domainxml.make.rebind import HostMaps as HostMaps
from holdfast.domainxml.manager.nova_metadata import NovaInstance as NovaInstance
from holdfast.history.entry import Entry as Entry
from holdfast.history.entry import EntryKind as EntryKind
from holdfast.hostfiles.state_copies.state_copy import StateCopy as StateCopy
from holdfast.libvirtapi.connection import DomainState as DomainState
from holdfast.libvirtapi.console import Console as Console
from holdfast.libvirtapi.domain import Definition as Definition
