"""What managers with documents of their own need, such as the Nova driver. No command of the command line is here."""
