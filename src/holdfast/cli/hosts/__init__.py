"""Commands about more than one host."""
