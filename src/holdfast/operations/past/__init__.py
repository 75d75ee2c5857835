"""Reading what the history of a host has of its domains, and recording what others have changed."""
