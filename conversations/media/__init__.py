"""Pictures and files people send: checked by their bytes, cleaned, kept on disk, found again by their id."""
