"""What every adapter of a port owes, asked of each of them on its real engine."""
