"""The script that MLflow keeps beside a model and runs to serve it."""

from genpipe.tracking.served import serve

serve()
