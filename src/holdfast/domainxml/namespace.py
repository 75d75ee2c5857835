"""The XML namespace of Holdfast's element in ``<metadata>``. Without lxml, so that ``holdfast list`` starts fast."""

from __future__ import annotations

# virDomainSetMetadata puts prefix and namespace on every element itself and refuses an element that declares them;
# virDomainGetMetadata takes them off again, but leaves the declaration on the root (libvirt 9.0).
URI = "https://holdfast.dev/xmlns/domain/1"
PREFIX = "holdfast"
