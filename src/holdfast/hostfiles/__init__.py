"""The only place that opens files of a host or starts processes there: image headers, locks, firmware descriptors."""
