"""What the guest agent answers, beside the live document. The agent's JSON is read here and nowhere else."""
