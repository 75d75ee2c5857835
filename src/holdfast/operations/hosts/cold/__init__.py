"""How a domain that is shut off goes to another host: what is carried over libvirt, and the copy that arrives there."""
