"""What each stage of dvc.yaml runs; the scripts in stages/ of a project call it."""
