"""Runs inside Neutron: an ML2 mechanism driver without agents, whose ports the compute node plugs on its own."""

from __future__ import annotations

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api

SWITCHED = "netb"
"""The physical network whose ports are on the node's Open vSwitch."""

BRIDGE = {portbindings.VIF_DETAILS_BRIDGE_NAME: "br-int", portbindings.OVS_DATAPATH_TYPE: "netdev"}


class LabMechanismDriver(api.MechanismDriver):  # type: ignore[misc]
    """A port is one of Open vSwitch's integration bridge, which libvirt plugs, or a tap on no bridge, which Nova makes.

    The switch has no flows: guests see their interfaces and reach nobody but each other.
    """

    def initialize(self) -> None:
        """Nothing to prepare."""

    @property
    def connectivity(self) -> str:
        """What kind of network its ports are on."""
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: api.PortContext) -> None:
        """Bind to the first segment, active at once: nobody will report it up."""
        segment = context.segments_to_bind[0]
        is_switched = segment[api.PHYSICAL_NETWORK] == SWITCHED
        context.set_binding(
            segment[api.ID],
            portbindings.VIF_TYPE_OVS if is_switched else portbindings.VIF_TYPE_TAP,
            {portbindings.CAP_PORT_FILTER: False, **(BRIDGE if is_switched else {})},
            status=constants.PORT_STATUS_ACTIVE,
        )
