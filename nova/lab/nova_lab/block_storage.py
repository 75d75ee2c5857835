"""Runs in the controllers' virtual environment: Cinder's scheduler, volume services and API in one process.

``block_storage.py CONFIGURATION``. Three processes would take three times the memory for a lab's few volumes.
"""

from __future__ import annotations

import shlex
import sys

sys.path.pop(0)  # this file's folder, where modules have names of their own

import eventlet

eventlet.monkey_patch()

from cinder import objects, rpc, service, utils, version  # noqa: E402
from cinder.cmd import volume  # noqa: E402, F401  (registers its options)
from cinder.common import config, constants  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_log import log  # noqa: E402
from oslo_privsep import priv_context  # noqa: E402
from oslo_service import service as launcher  # noqa: E402


class Service(service.Service):  # type: ignore[misc]
    """One service of several in this process: Cinder's has its id in the class, and would report the last for all."""

    def report_state(self) -> None:
        """Say that this one lives."""
        service.Service.service_id = self.origin_service_id
        super().report_state()


if __name__ == "__main__":
    conf = cfg.CONF
    objects.register_all()
    conf(["--config-file", sys.argv[1]], project="cinder", version=version.version_string(), default_config_files=[])
    log.setup(conf, "cinder")
    config.set_middleware_defaults()
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    rpc.init(conf)
    services = launcher.ServiceLauncher(conf)
    services.launch_service(Service.create(binary=constants.SCHEDULER_BINARY))
    for backend in conf.enabled_backends:
        services.launch_service(
            Service.create(
                binary=constants.VOLUME_BINARY, host=f"{conf.host}@{backend}", service_name=backend, coordination=True
            )
        )
    services.launch_service(service.WSGIService("osapi_volume"))
    services.wait()
