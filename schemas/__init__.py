"""The vocabulary: frozen values and the errors. No behaviour beyond their own invariants, no input or output."""
