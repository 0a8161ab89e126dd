"""From YAML to validated experiments: documents, schemas, the project."""
