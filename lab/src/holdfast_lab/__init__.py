"""The lab: the probe guest, private libvirts and hosts. For ``holdfast demo`` and the tests; never for production."""
