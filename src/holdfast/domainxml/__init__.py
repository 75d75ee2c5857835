"""Domain and device documents: XML in, XML out, nothing lost. No libvirt, no files, no processes.

The only importer of lxml. At this level stands what every room uses: documents, devices, addresses, the language in
which elements declare what of them the guest sees (:mod:`.sides`), and what Holdfast writes into metadata. The rooms,
each above what it uses: ``elements`` declares what libvirt's elements mean; ``places`` finds where devices sit and can
go; ``records`` and ``compare`` read one document and two; ``host`` sets a document beside what a host has; ``describe``
puts it into words; ``make`` and ``snapshots`` write new documents; ``manager`` follows those of a manager.
"""
