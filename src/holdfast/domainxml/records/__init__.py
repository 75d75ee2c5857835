"""What Holdfast itself writes into ``<metadata>``, and what it reads from what others left there."""
