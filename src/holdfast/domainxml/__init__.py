"""Domain and device documents: XML in, XML out, without loss. No libvirt, no files, no processes.

The only importer of lxml. Every module speaks of one libvirt element.
"""
