"""What an operator starts Millrace with elsewhere, rendered from app.manifest.yaml."""
