"""One libvirt element, one file, named as the element: how it is read, set and made, and what of it the guest sees.

Each file's ``SIDES`` declares that; :mod:`.declarations` collects them. What needs a second element, a second document
or a host belongs in another room: elements use nothing but the ground.
"""
