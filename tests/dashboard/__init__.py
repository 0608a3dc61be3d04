"""The dashboard in a real browser, against `farebox demo`: what a person sees, clicks and reads."""
