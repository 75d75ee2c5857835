"""More than one host: how a domain leaves one and arrives on another with its hardware. One verb, one file."""
