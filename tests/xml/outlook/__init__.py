"""What a cold start would change or lack on a host, judged by what the host tells."""
