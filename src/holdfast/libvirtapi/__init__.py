"""The only importer of libvirt: calls are named once here, errors translated, strings go in and come out."""
