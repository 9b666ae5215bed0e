"""Deliverables of a finished run, each with a certificate that it is the model that was trained."""
