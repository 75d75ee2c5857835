"""Copies of NVRAMs and TPM states: what is in one, where it is, and to whom it is encrypted. No domain is known."""
