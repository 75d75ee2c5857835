"""The XML namespace of our element in ``<metadata>``. Without lxml: ``holdfast list`` needs no more than this."""

# virDomainSetMetadata puts prefix and namespace on every element itself and refuses an element that declares them;
# virDomainGetMetadata takes them off again, but leaves the declaration on the root (libvirt 9.0).
URI = "https://holdfast.dev/xmlns/domain/1"
PREFIX = "holdfast"
