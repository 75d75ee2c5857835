"""The options of the driver: ``[holdfast]`` in nova.conf."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup("holdfast", title="Holdfast", help="How the Holdfast driver keeps the hardware of instances.")

FOLLOW = "follow"

OPTIONS = [
    cfg.IntOpt(
        "spare_root_ports",
        default=8,
        min=0,
        max=200,
        help="""
How many PCI Express root ports of a new q35 instance stay free. Each volume or port that is attached while it runs
takes one, and a running guest cannot get new ones. The document of an instance is never generated again, so this
is decided once; ``[libvirt]num_pcie_ports``, where it asks for more, is respected. Instances that exist stay as they
are.
""",
    ),
    cfg.StrOpt(
        "cpu_policy",
        default="keep",
        choices=[
            ("keep", "the instance is not started, and not switched off for it: the fault names what the host lacks"),
            (FOLLOW, "the instance gets the CPU that the options in ``[libvirt]`` ask for now, written down anew"),
        ],
        help="""
What becomes of an instance whose CPU this host cannot give any more, because a new microcode has dropped a feature or
the host is an older one. Where the host can give it, the instance keeps its CPU in any case, whatever ``cpu_mode``,
``cpu_models`` and ``cpu_model_extra_flags`` say by now. A running instance is judged before it is switched off.

``follow`` is for those who would rather have the instance run: at the next hard reboot, start, resize, rebuild or
rescue its guest sees another CPU, once, which the log says. vCPU topology and NUMA cells stay.
""",
    ),
    cfg.BoolOpt(
        "strict",
        default=False,
        help="""
Whether nova-compute refuses to start where the source of Nova differs, in a place that the driver builds on, from the
release that the driver was written for: a patch of a distribution, a later release of the same series. Without it that
is a warning in the log. Where a signature differs, or the release, it never starts.
""",
    ),
    cfg.BoolOpt(
        "history",
        default=True,
        help="""
Whether each request that changes an instance's hardware or starts it is recorded in the history of the host, where one
is set up (``/var/lib/holdfast/history.git``): what the guest saw, the request, the user and the project.
``holdfast log`` shows it. It is written after the request, by a thread of its own.
""",
    ),
    cfg.BoolOpt(
        "seal_adopted",
        default=True,
        help="""
Whether instances that were created by the stock driver get their CPU model and firmware files written down when the
driver meets them, exactly as the running guest has them; for those that are shut off, as this host would choose
now. No guest is restarted. Without it a ``host-model`` CPU is chosen anew at each start, as libvirt does.
""",
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options with ``conf``; repeating it does nothing."""
    conf.register_group(GROUP)
    conf.register_opts(OPTIONS, group=GROUP)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """All options, for ``oslo-config-generator --namespace holdfast``."""
    return [(GROUP, OPTIONS)]
