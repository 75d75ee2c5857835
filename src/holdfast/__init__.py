"""Virtual machines on libvirt whose hardware never changes unless someone asks for it.

``holdfast.connect(uri)`` opens a connection; everything else is a function of ``holdfast.operations``, and what those
raise is in ``holdfast.errors``. ``__init__.pyi`` is the list of what is public; each is imported when it is first used.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*__all__, "__version__"]
