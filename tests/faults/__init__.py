"""Every step of every command may be the last: killed, interrupted, out of space, or without its libvirtd.

The matrix runs each scenario (:mod:`.scenarios`) once undisturbed and then once for each point of each fault, and
judges what is left (:mod:`.judge`). Steps are found, not listed (:mod:`.steps`). ``scripts/faults`` runs it all, CI a
sample.
"""
