"""Figures as ratios to the bare libvirt calls, measured side by side in one run: ``scripts/bench``."""
