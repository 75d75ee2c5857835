"""The secret of an emulated TPM, which libvirt needs while it starts the domain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import nova.conf
from nova.virt import hardware

if TYPE_CHECKING:
    from nova.context import RequestContext
    from nova.objects.instance import Instance
    from nova.virt.libvirt.driver import LibvirtDriver

CONF = nova.conf.CONF


@contextmanager
def vtpm_secret(driver: LibvirtDriver, context: RequestContext, instance: Instance) -> Iterator[None]:
    """Within, libvirt has the secret; also afterwards where the host is to keep it (as in the stock driver)."""
    secret = security = None
    if CONF.libvirt.swtpm_enabled and hardware.get_vtpm_constraint(instance.flavor, instance.image_meta):
        secret, security = driver._get_or_create_secret_for_vtpm(context, instance)
    try:
        yield
    finally:
        if secret is not None and security != "host":
            secret.undefine()
